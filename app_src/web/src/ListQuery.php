<?php

declare(strict_types=1);

namespace Shopfleet;

/** What part of the list is asked for: search, order and page. All of it lives in the address. */
final readonly class ListQuery
{
    public const array SORTS = ['name', 'quantity', 'price'];
    public const array SIZES = [25, 50, 100];
    private const array DEFAULTS = ['q' => '', 'sort' => 'name', 'dir' => 'asc', 'page' => 1, 'size' => 50, 'cursor' => ''];
    private const int MAX_PAGE = 1_000_000;
    private const int MAX_SEARCH = 120;

    private function __construct(
        public string $q,
        public string $sort,
        public string $dir,
        public int $page,
        public int $size,
        public string $cursor,
    ) {
    }

    /** Takes what makes sense and the default for everything else: an old link must not end in an error. */
    public static function from(Request $request): self
    {
        $page = $request->query('page');
        $size = (int) $request->query('size');
        $cursor = $request->query('cursor');
        $q = (string) preg_replace('/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/u', ' ', $request->query('q'));

        return new self(
            q: trim(mb_substr(trim($q), 0, self::MAX_SEARCH)),
            sort: in_array($request->query('sort'), self::SORTS, true) ? $request->query('sort') : 'name',
            dir: $request->query('dir') === 'desc' ? 'desc' : 'asc',
            page: preg_match('/^\d{1,7}$/D', $page) === 1 ? max(1, min((int) $page, self::MAX_PAGE)) : 1,
            size: in_array($size, self::SIZES, true) ? $size : 50,
            cursor: preg_match('/^[\w~.=-]{1,1000}$/D', $cursor) === 1 ? $cursor : '',
        );
    }

    /** @return array{q: string, sort: string, dir: string, page: int, size: int, cursor: string} */
    public function all(): array
    {
        return [
            'q' => $this->q,
            'sort' => $this->sort,
            'dir' => $this->dir,
            'page' => $this->page,
            'size' => $this->size,
            'cursor' => $this->cursor,
        ];
    }

    /**
     * The values that differ from the defaults, so that addresses stay short. A cursor belongs to one page only.
     *
     * @param array<string, string|int> $changes
     *
     * @return array<string, string|int>
     */
    public function parameters(array $changes = []): array
    {
        return array_filter(
            [...$this->all(), 'cursor' => '', ...$changes],
            static fn (string|int $value, string $name): bool => $value !== (self::DEFAULTS[$name] ?? null),
            ARRAY_FILTER_USE_BOTH,
        );
    }

    /** The one way to write this query, whatever way it was asked in. */
    public function canonical(): string
    {
        return http_build_query($this->parameters(['cursor' => $this->cursor]), '', '&', PHP_QUERY_RFC3986);
    }

    /** @param array<string, string|int> $changes */
    public function url(string $path, array $changes = []): string
    {
        $query = http_build_query($this->parameters($changes), '', '&', PHP_QUERY_RFC3986);

        return $query === '' ? $path : $path . '?' . $query;
    }

    /** The address that sorts by a column: the other way round when it is the present one. */
    public function sortUrl(string $path, string $column): string
    {
        $dir = $column === $this->sort && $this->dir === 'asc' ? 'desc' : 'asc';

        return $this->url($path, ['sort' => $column, 'dir' => $dir, 'page' => 1]);
    }

    public function ariaSort(string $column): string
    {
        if ($column !== $this->sort) {
            return 'none';
        }

        return $this->dir === 'asc' ? 'ascending' : 'descending';
    }
}
