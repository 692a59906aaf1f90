<?php

declare(strict_types=1);

namespace Shopfleet;

/** How prices and counts are written in the shop's currency and language. */
final readonly class Money
{
    private const string EUROS = '{"symbol":"€","prefix":"€","suffix":"","decimal":".","group":",","primary":3,"secondary":3,"minimum":1}';

    private function __construct(
        public string $symbol,
        private string $prefix,
        private string $suffix,
        private string $decimal,
        private string $group,
        private int $primary,
        private int $secondary,
        private int $minimum,
    ) {
    }

    /**
     * Takes the format that the deployment derived from currency and locale.
     *
     * @throws \JsonException
     * @throws \TypeError
     */
    public static function fromJson(string $json): self
    {
        $format = json_decode($json === '' ? self::EUROS : $json, true, 2, JSON_THROW_ON_ERROR);
        $names = ['symbol', 'prefix', 'suffix', 'decimal', 'group', 'primary', 'secondary', 'minimum'];

        return new self(...array_map(static fn (string $name): mixed => $format[$name] ?? null, $names));
    }

    /** A price, exactly as it was told: "1234.50" is never turned into a float. */
    public function amount(string $price): string
    {
        [$whole, $cents] = explode('.', $price);

        return $this->prefix . $this->grouped($whole) . $this->decimal . $cents . $this->suffix;
    }

    public function count(int $number): string
    {
        return $this->grouped((string) $number);
    }

    private function grouped(string $digits): string
    {
        if ($this->primary < 1 || strlen($digits) < $this->primary + $this->minimum) {
            return $digits;
        }
        $groups = [substr($digits, -$this->primary)];
        $rest = substr($digits, 0, -$this->primary);
        while (strlen($rest) > $this->secondary) {
            array_unshift($groups, substr($rest, -$this->secondary));
            $rest = substr($rest, 0, -$this->secondary);
        }

        return implode($this->group, [$rest, ...$groups]);
    }
}
