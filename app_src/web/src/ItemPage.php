<?php

declare(strict_types=1);

namespace Shopfleet;

/** One page of the list of items. */
final readonly class ItemPage
{
    /** @param list<Item> $items */
    public function __construct(
        public array $items,
        public int $total,
        public int $pages,
        public ?int $staleFor,
    ) {
    }

    /** "3 minutes": how old the data is, when it is not current. */
    public function ageText(): string
    {
        $seconds = $this->staleFor ?? 0;
        [$count, $unit] = match (true) {
            $seconds < 1 => [0, ''],
            $seconds < 60 => [$seconds, 'second'],
            $seconds < 3600 => [intdiv($seconds, 60), 'minute'],
            $seconds < 86400 => [intdiv($seconds, 3600), 'hour'],
            default => [intdiv($seconds, 86400), 'day'],
        };

        return $count === 0 ? 'a moment' : $count . ' ' . $unit . ($count === 1 ? '' : 's');
    }
}
