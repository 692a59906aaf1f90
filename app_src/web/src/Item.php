<?php

declare(strict_types=1);

namespace Shopfleet;

/** One item for sale, as the API told it. */
final readonly class Item
{
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

    /**
     * @param int $low at most this many are few
     *
     * @return array{class: string, text: string}|null what the buyer should know about the stock
     */
    public function stockMark(int $low): ?array
    {
        return match (true) {
            $this->quantity === 0 => ['class' => 'out', 'text' => 'Out of stock'],
            $this->quantity <= $low => ['class' => 'low', 'text' => 'Low stock'],
            default => null,
        };
    }
}
