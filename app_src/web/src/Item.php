<?php

declare(strict_types=1);

namespace Shopfleet;

/** One item for sale, as the API told it. */
final readonly class Item
{
    private const int LOW_STOCK = 5;

    private function __construct(
        public string $name,
        public int $quantity,
        public string $price,
    ) {
    }

    /** The item, or null when the data cannot be one. */
    public static function tryFrom(mixed $data): ?self
    {
        if (!is_array($data)) {
            return null;
        }
        $name = $data['name'] ?? null;
        $quantity = $data['quantity'] ?? null;
        $price = $data['price'] ?? null;
        $isItem = is_string($name) && $name !== ''
            && is_int($quantity) && $quantity >= 0
            && is_string($price) && preg_match('/^\d{1,7}\.\d{2}$/D', $price) === 1;

        return $isItem ? new self($name, $quantity, $price) : null;
    }

    public function priceIn(string $currency): string
    {
        [$whole, $cents] = explode('.', $this->price);
        $grouped = preg_replace('/\B(?=(\d{3})+$)/', ',', $whole);
        // "€2.99", but "CHF 2.99".
        $gap = preg_match('/\pL$/u', $currency) === 1 ? ' ' : '';

        return "{$currency}{$gap}{$grouped}.{$cents}";
    }

    public function quantityText(): string
    {
        return number_format($this->quantity);
    }

    /** @return array{class: string, text: string}|null what the buyer should know about the stock */
    public function stockMark(): ?array
    {
        return match (true) {
            $this->quantity === 0 => ['class' => 'out', 'text' => 'Out of stock'],
            $this->quantity <= self::LOW_STOCK => ['class' => 'low', 'text' => 'Low stock'],
            default => null,
        };
    }
}
