<?php

declare(strict_types=1);

namespace Shopfleet;

/** A part of the log of changes. */
final readonly class ChangePage
{
    /**
     * @param list<Change> $changes newest first
     * @param int|null $next what the older ones come before
     */
    private function __construct(
        public array $changes,
        public ?int $next,
    ) {
    }

    /** @param array<mixed> $data */
    public static function tryFrom(array $data): ?self
    {
        $rows = $data['changes'] ?? null;
        $next = $data['next'] ?? null;
        if (!is_array($rows) || !($next === null || is_int($next))) {
            return null;
        }
        $changes = array_map(Change::tryFrom(...), array_values($rows));

        return in_array(null, $changes, true) ? null : new self($changes, $next);
    }
}
