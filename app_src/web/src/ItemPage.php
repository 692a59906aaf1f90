<?php

declare(strict_types=1);

namespace Shopfleet;

/** One page of the list of items. */
final readonly class ItemPage
{
    /**
     * @param list<Item> $items
     * @param ?int $staleFor seconds since the items were current, or null when they are
     * @param string $next the cursor of the next page, if the API told one
     * @param string $previous likewise
     * @param bool $isExact false when there are more items than the total says
     */
    public function __construct(
        public array $items,
        public int $total,
        public int $pages,
        public ?int $staleFor,
        public string $next = '',
        public string $previous = '',
        public bool $isExact = true,
    ) {
    }
}
