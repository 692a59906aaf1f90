<?php

declare(strict_types=1);

namespace Shopfleet;

/** The admin form as it was typed. What is right or wrong about it only the API says. */
final readonly class ItemForm
{
    public const array FIELDS = ['name', 'quantity', 'price', 'mode', 'key', 'old_quantity', 'old_price'];

    /**
     * @param string $oldQuantity what an edited item had when the form was made
     * @param string $oldPrice the same
     */
    private function __construct(
        public string $name,
        public string $quantity,
        public string $price,
        public string $mode,
        public string $key,
        public string $oldQuantity,
        public string $oldPrice,
    ) {
    }

    public static function blank(): self
    {
        return self::fromArray([]);
    }

    public static function of(Item $item): self
    {
        $quantity = (string) $item->quantity;

        return self::fromArray([
            'name' => $item->name,
            'quantity' => $quantity,
            'price' => $item->price,
            'old_quantity' => $quantity,
            'old_price' => $item->price,
        ]);
    }

    /** @param array<string, string> $values */
    public static function fromArray(array $values): self
    {
        return new self(
            name: $values['name'] ?? '',
            quantity: $values['quantity'] ?? '',
            price: $values['price'] ?? '',
            mode: ($values['mode'] ?? '') === 'add' ? 'add' : 'set',
            key: FormKey::orNew($values['key'] ?? ''),
            oldQuantity: $values['old_quantity'] ?? '',
            oldPrice: $values['old_price'] ?? '',
        );
    }

    /** @return array<string, string|int> what adds the item or updates it */
    public function body(): array
    {
        $price = trim($this->price);
        $body = ['quantity' => $this->number(), 'mode' => $this->mode];

        return $price === '' ? $body : $body + ['price' => $price];
    }

    /**
     * What was changed in the form. The rest is not sent: somebody else may have changed it meanwhile.
     *
     * @return array<string, string|int>
     */
    public function changesTo(string $name): array
    {
        $changes = [
            'name' => $this->name === $name ? null : $this->name,
            'quantity' => trim($this->quantity) === $this->oldQuantity ? null : $this->number(),
            'price' => trim($this->price) === $this->oldPrice ? null : trim($this->price),
        ];

        return array_filter($changes, static fn (string|int|null $value): bool => $value !== null);
    }

    private function number(): int|string
    {
        $quantity = trim($this->quantity);

        return preg_match('/^\d{1,18}$/D', $quantity) === 1 ? (int) $quantity : $quantity;
    }
}
