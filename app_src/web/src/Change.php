<?php

declare(strict_types=1);

namespace Shopfleet;

/** One entry of the log: who changed what, when, and from which values to which. */
final readonly class Change
{
    private const array VERBS = [
        'created' => 'added',
        'updated' => 'changed',
        'deleted' => 'deleted',
        'restored' => 'brought back',
    ];

    private function __construct(
        public int $id,
        public \DateTimeImmutable $at,
        public string $actor,
        public string $action,
        public string $name,
        public ?Item $old,
        public ?Item $new,
        public ?int $import,
        public bool $isUndoable,
    ) {
    }

    /** The change, or null when the data cannot be one. */
    public static function tryFrom(mixed $data): ?self
    {
        if (!is_array($data)) {
            return null;
        }
        ['id' => $id, 'at' => $at, 'actor' => $actor, 'action' => $action, 'name' => $name] = $data
            + ['id' => null, 'at' => null, 'actor' => null, 'action' => null, 'name' => null];
        $old = Item::tryFrom($data['old'] ?? null);
        $new = Item::tryFrom($data['new'] ?? null);
        $import = $data['import'] ?? null;
        $isUndoable = $data['undoable'] ?? null;
        $isChange = is_int($id) && is_string($at) && is_string($actor) && is_string($name)
            && is_string($action) && isset(self::VERBS[$action])
            && ($old !== null) === in_array($action, ['updated', 'deleted'], true)
            && ($new !== null) === in_array($action, ['created', 'updated', 'restored'], true)
            && ($import === null || is_int($import)) && is_bool($isUndoable);
        if (!$isChange) {
            return null;
        }
        $time = \DateTimeImmutable::createFromFormat('Y-m-d\TH:i:s.vp', $at, new \DateTimeZone('UTC'));

        return $time === false ? null : new self($id, $time, $actor, $action, $name, $old, $new, $import, $isUndoable);
    }

    public function verb(): string
    {
        return self::VERBS[$this->action];
    }

    /** What the item was called before. */
    public function title(): string
    {
        return $this->old->name ?? $this->name;
    }

    /**
     * The values that tell what happened: of an update only those that changed.
     *
     * @return array<string, array{before: string|null, after: string|null}> by what they are of
     */
    public function values(Money $money): array
    {
        $texts = static fn (?Item $item): array => $item === null ? [] : [
            'Name' => "“{$item->name}”",
            'Quantity' => $money->count($item->quantity),
            'Price' => $money->amount($item->price),
        ];
        [$before, $after] = [$texts($this->old), $texts($this->new)];
        $values = [];
        foreach (['Name', 'Quantity', 'Price'] as $label) {
            $pair = ['before' => $before[$label] ?? null, 'after' => $after[$label] ?? null];
            $isTold = $this->action === 'updated' ? $pair['before'] !== $pair['after'] : $label !== 'Name';
            if ($isTold) {
                $values[$label] = $pair;
            }
        }

        return $values;
    }
}
