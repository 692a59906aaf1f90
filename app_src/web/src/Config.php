<?php

declare(strict_types=1);

namespace Shopfleet;

/** What the container was told by its environment. */
final readonly class Config
{
    public const string ADMINS_FILE = '/etc/shopfleet/admins.json';
    /** Who vouches for those that are dialled by https. */
    public const string CA_FILE = '/etc/shopfleet/ca.pem';

    public function __construct(
        public bool $isAdmin,
        public string $apiUrl,
        public string $adminApiUrl,
        public Money $money,
        public int $lowStock,
        public int $importRows,
        public string $hostname,
        #[\SensitiveParameter]
        public string $serviceKey,
    ) {
    }

    public static function fromEnvironment(): self
    {
        return new self(
            isAdmin: self::env('SHOP_ROLE', 'shop') === 'admin',
            apiUrl: rtrim(self::env('SHOP_API_URL'), '/'),
            adminApiUrl: rtrim(self::env('SHOP_ADMIN_API_URL'), '/'),
            money: Money::fromJson(self::env('SHOP_MONEY')),
            lowStock: (int) self::env('SHOP_LOW_STOCK', '5'),
            importRows: (int) self::env('SHOP_IMPORT_MAX_ROWS'),
            hostname: (string) gethostname(),
            serviceKey: ServiceKey::own(),
        );
    }

    private static function env(string $name, string $default = ''): string
    {
        $value = getenv($name);

        return is_string($value) && $value !== '' ? $value : $default;
    }
}
