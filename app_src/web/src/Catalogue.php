<?php

declare(strict_types=1);

namespace Shopfleet;

/** The items for sale, read and written through an API. */
final readonly class Catalogue
{
    /** Longer names are refused by the API anyway, but would not fit into a request line. */
    private const int MAX_NAME_IN_PATH = 3600;

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
        $answer = $this->api->get('/items', array_filter($query->all(), static fn (string|int $v): bool => $v !== ''));
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

        return new ItemPage($items, $total, $pages, $answer->staleFor());
    }

    /**
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function find(string $name): Item
    {
        return $this->item($this->api->get($this->path($name)));
    }

    /**
     * Inserts or updates an item.
     *
     * @return array{item: Item, created: bool}
     *
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function save(ItemForm $form): array
    {
        $answer = $this->api->request(
            'PUT',
            $this->path($form->name),
            $form->body(),
            ['Idempotency-Key: ' . $form->idempotencyKey()],
        );

        return ['item' => $this->item($answer), 'created' => $answer->status === 201];
    }

    /**
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function delete(string $name): void
    {
        $this->api->request('DELETE', $this->path($name));
    }

    private function path(string $name): string
    {
        // An empty last segment would address the list; a blank one lets the API say what is wrong.
        $segment = rawurlencode($name === '' ? ' ' : $name);
        if (strlen($segment) > self::MAX_NAME_IN_PATH) {
            $segment = str_repeat('x', self::MAX_NAME_IN_PATH);
        }

        return '/items/' . $segment;
    }

    private function item(ApiAnswer $answer): Item
    {
        return Item::tryFrom($answer->data) ?? throw new ApiUnavailable('answer that cannot be an item');
    }
}
