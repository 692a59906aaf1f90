<?php

declare(strict_types=1);

namespace Shopfleet;

/** What only the admin API can do with the catalogue, in the name of one admin. */
final readonly class AdminCatalogue
{
    /** Longer names are refused by the API anyway, but would not fit into a request line. */
    private const int MAX_NAME_IN_PATH = 3600;

    public function __construct(
        private ApiClient $api,
        private string $user,
    ) {
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
        $answer = $this->write('PUT', $this->path($form->name), $form->key, $form->body());

        return ['item' => $this->item($answer), 'created' => $answer->status === 201];
    }

    /**
     * Changes some values of an item.
     *
     * @param array<string, string|int> $changes
     *
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function change(string $name, array $changes, string $key): Item
    {
        return $this->item($this->write('PATCH', $this->path($name), $key, $changes));
    }

    /**
     * @return int|null the change that undoing takes back
     *
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function delete(string $name, string $key): ?int
    {
        $id = $this->write('DELETE', $this->path($name), $key)->headers['x-change-id'] ?? '';

        return preg_match('/^\d{1,18}$/D', $id) === 1 ? (int) $id : null;
    }

    /**
     * Brings back what a change deleted.
     *
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function undo(int $change, string $key): Item
    {
        return $this->item($this->write('POST', "/changes/{$change}/undo", $key));
    }

    /**
     * The log of changes, newest first.
     *
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function changes(?int $before, int $size = 50): ChangePage
    {
        $query = ['size' => $size] + ($before === null ? [] : ['before' => $before]);

        return ChangePage::tryFrom($this->api->get('/changes', $query)->data)
            ?? throw new ApiUnavailable('answer that cannot be a list of changes');
    }

    /**
     * Hands over a CSV file; it changes no item yet.
     *
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function upload(string $csv, string $key): ImportPlan
    {
        return $this->planIn($this->write('POST', '/imports', $key, $csv, isBulk: true));
    }

    /**
     * What a file would change now.
     *
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function plan(int $import): ImportPlan
    {
        return $this->planIn($this->api->request('GET', "/imports/{$import}", isBulk: true));
    }

    /**
     * Makes the changes of a plan, all or none.
     *
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function apply(int $import, string $digest, string $key): void
    {
        $this->write('POST', "/imports/{$import}/apply", $key, ['digest' => $digest], isBulk: true);
    }

    /** @throws ApiUnavailable */
    public function export(): \SplTempFileObject
    {
        return $this->api->download('/export.csv');
    }

    /** @param array<string, string|int>|string|null $body */
    private function write(
        string $method,
        string $path,
        string $key,
        array|string|null $body = null,
        bool $isBulk = false,
    ): ApiAnswer {
        // The same for the same form sent twice, another one once anything in it was corrected.
        $text = is_array($body) ? json_encode($body, JSON_THROW_ON_ERROR) : (string) $body;
        $headers = [
            'Idempotency-Key: ' . hash('sha256', implode("\0", [$key, $method, $path, $text])),
            'X-Actor: ' . $this->user,
        ];

        return $this->api->request($method, $path, $body, $headers, $isBulk);
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

    private function planIn(ApiAnswer $answer): ImportPlan
    {
        return ImportPlan::tryFrom($answer->data) ?? throw new ApiUnavailable('answer that cannot be a plan');
    }
}
