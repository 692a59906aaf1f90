<?php

declare(strict_types=1);

namespace Shopfleet;

/** What the import of a file would change, or has changed. */
final readonly class ImportPlan
{
    private const array STATES = ['ready', 'faulty', 'applied'];

    /**
     * @param list<array{line: int, message: string}> $faults
     * @param list<array{line: int, old: Item|null, new: Item}> $rows the added and the changed items
     */
    private function __construct(
        public int $id,
        public string $status,
        public int $created,
        public int $updated,
        public int $unchanged,
        public string $digest,
        public array $faults,
        public array $rows,
    ) {
    }

    /**
     * The plan, or null when the data cannot be one.
     *
     * @param array<mixed> $data
     */
    public static function tryFrom(array $data): ?self
    {
        $status = $data['status'] ?? null;
        $numbers = [];
        foreach (['id', 'created', 'updated', 'unchanged'] as $name) {
            $number = $data[$name] ?? null;
            if (!is_int($number) || $number < 0) {
                return null;
            }
            $numbers[$name] = $number;
        }
        $digest = $data['digest'] ?? '';
        $faults = array_map(self::fault(...), is_array($data['faults'] ?? null) ? array_values($data['faults']) : [null]);
        $rows = array_map(self::row(...), is_array($data['changes'] ?? null) ? array_values($data['changes']) : [null]);
        if (!in_array($status, self::STATES, true) || !is_string($digest) || in_array(null, [...$faults, ...$rows], true)) {
            return null;
        }

        return new self(...$numbers, status: $status, digest: $digest, faults: $faults, rows: $rows);
    }

    public function isFaulty(): bool
    {
        return $this->status === 'faulty';
    }

    public function isApplied(): bool
    {
        return $this->status === 'applied';
    }

    public function changesNothing(): bool
    {
        return $this->created + $this->updated === 0;
    }

    /** @return list<array{line: int, old: Item|null, new: Item}> */
    public function added(): array
    {
        return array_values(array_filter($this->rows, static fn (array $row): bool => $row['old'] === null));
    }

    /** @return list<array{line: int, old: Item|null, new: Item}> */
    public function changed(): array
    {
        return array_values(array_filter($this->rows, static fn (array $row): bool => $row['old'] !== null));
    }

    /** @return array{line: int, message: string}|null */
    private static function fault(mixed $data): ?array
    {
        return is_int($data['line'] ?? null) && is_string($data['message'] ?? null)
            ? ['line' => $data['line'], 'message' => $data['message']]
            : null;
    }

    /** @return array{line: int, old: Item|null, new: Item}|null */
    private static function row(mixed $data): ?array
    {
        if (!is_int($data['line'] ?? null) || !is_array($data['new'] ?? null)) {
            return null;
        }
        $name = ['name' => $data['name'] ?? null];
        $new = Item::tryFrom($data['new'] + $name);
        $old = is_array($data['old'] ?? null) ? Item::tryFrom($data['old'] + $name) : null;
        $isRow = $new !== null && ($old === null) === (($data['action'] ?? null) === 'created');

        return $isRow ? ['line' => $data['line'], 'old' => $old, 'new' => $new] : null;
    }
}
