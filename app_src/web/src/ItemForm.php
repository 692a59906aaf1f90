<?php

declare(strict_types=1);

namespace Shopfleet;

/** The admin form as it was typed. What is right or wrong about it only the API says. */
final readonly class ItemForm
{
    public const array FIELDS = ['name', 'quantity', 'price', 'mode', 'key'];

    private function __construct(
        public string $name,
        public string $quantity,
        public string $price,
        public string $mode,
        public string $key,
    ) {
    }

    public static function blank(): self
    {
        return self::fromArray([]);
    }

    public static function of(Item $item): self
    {
        return self::fromArray(['name' => $item->name, 'quantity' => (string) $item->quantity, 'price' => $item->price]);
    }

    /** @param array<string, string> $values */
    public static function fromArray(array $values): self
    {
        $key = $values['key'] ?? '';

        return new self(
            name: $values['name'] ?? '',
            quantity: $values['quantity'] ?? '',
            price: $values['price'] ?? '',
            mode: ($values['mode'] ?? '') === 'add' ? 'add' : 'set',
            key: preg_match('/^[0-9a-f]{32}$/D', $key) === 1 ? $key : bin2hex(random_bytes(16)),
        );
    }

    /** @return array<string, string> */
    public function toArray(): array
    {
        return array_combine(
            self::FIELDS,
            [$this->name, $this->quantity, $this->price, $this->mode, $this->key],
        );
    }

    /** @return array<string, string|int> */
    public function body(): array
    {
        $quantity = trim($this->quantity);
        $price = trim($this->price);
        $body = [
            'quantity' => preg_match('/^\d{1,18}$/D', $quantity) === 1 ? (int) $quantity : $quantity,
            'mode' => $this->mode,
        ];

        return $price === '' ? $body : $body + ['price' => $price];
    }

    /** The same for the same form sent twice, another one once anything in it was corrected. */
    public function idempotencyKey(): string
    {
        return hash('sha256', implode("\0", $this->toArray()));
    }
}
