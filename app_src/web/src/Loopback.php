<?php

declare(strict_types=1);

namespace Shopfleet;

/** How this container asks itself. */
final readonly class Loopback
{
    private const string AUTHORITY = '127.0.0.1:8080';

    /** The body of a success; false for any other answer, and for none. */
    public static function get(string $path, float $seconds): string|false
    {
        $scheme = getenv('SHOP_CERTIFICATE') === 'none' ? 'http' : 'https';
        $context = stream_context_create(['http' => ['timeout' => $seconds], 'ssl' => ['cafile' => Config::CA_FILE]]);

        return @file_get_contents("{$scheme}://" . self::AUTHORITY . $path, false, $context);
    }
}
