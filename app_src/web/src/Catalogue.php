<?php

declare(strict_types=1);

namespace Shopfleet;

/** The items for sale, read through an API. */
final readonly class Catalogue
{
    public function __construct(
        private ApiClient $api,
        private Log $log,
    ) {
    }

    /**
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function list(ListQuery $query): ItemPage
    {
        return $this->page($this->ask($query));
    }

    /**
     * @param string $knownTag see ApiClient::get()
     *
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function ask(ListQuery $query, string $knownTag = ''): ApiAnswer
    {
        $given = array_filter($query->all(), static fn (string|int $value): bool => $value !== '');
        try {
            return $this->api->get('/items', $given, $knownTag);
        } catch (ApiRejected $refusal) {
            if ($query->cursor === '' || !isset($refusal->errors['cursor'])) {
                throw $refusal;
            }
            // From an old link; the number of its page is still good.
            unset($given['cursor']);

            return $this->api->get('/items', $given, $knownTag);
        }
    }

    /** @throws ApiUnavailable */
    public function page(ApiAnswer $answer): ItemPage
    {
        ['items' => $rows, 'total' => $total, 'pages' => $pages] = $answer->data + ['items' => null, 'total' => null, 'pages' => null];
        if (!is_array($rows) || !is_int($total) || !is_int($pages) || $total < 0 || $pages < 0) {
            throw new ApiUnavailable('list of items without items, total or pages');
        }
        $items = [];
        foreach ($rows as $row) {
            $item = Item::tryFrom($row);
            if ($item === null) {
                $this->log->warning('left out a row of the list that cannot be an item');
                continue;
            }
            $items[] = $item;
        }

        [$next, $previous] = [$answer->data['next'] ?? null, $answer->data['previous'] ?? null];

        return new ItemPage(
            $items,
            $total,
            $pages,
            $answer->staleFor(),
            is_string($next) ? $next : '',
            is_string($previous) ? $previous : '',
            ($answer->data['total_exact'] ?? true) === true,
        );
    }
}
