<?php

declare(strict_types=1);

namespace Shopfleet;

/** Speaks HTTP with one of the two APIs. */
final class ApiClient
{
    private const int CONNECT_TIMEOUT_MS = 300;
    private const int TIMEOUT_MS = 3000;
    private const int MAX_BYTES = 1_048_576;
    /** For what works on a whole file: thousands of rows, or all items. */
    private const int BULK_TIMEOUT_MS = 10_000;
    private const int BULK_MAX_BYTES = 33_554_432;
    private const array CONNECTION_FAILURES = [CURLE_COULDNT_CONNECT, CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR];

    private readonly Connection $connection;
    private ?\CurlHandle $curl = null;

    public function __construct(
        private readonly string $baseUrl,
        #[\SensitiveParameter]
        private readonly string $serviceKey,
        private readonly string $requestId,
    ) {
        $this->connection = new Connection($baseUrl);
    }

    /**
     * @param array<string, string|int> $query
     * @param string $knownTag of an answer that is at hand; the answer's status is 304 when it still stands
     *
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function get(string $path, array $query = [], string $knownTag = ''): ApiAnswer
    {
        if ($query !== []) {
            $path .= '?' . http_build_query($query, '', '&', PHP_QUERY_RFC3986);
        }
        $sent = ['X-Request-ID' => $this->requestId, ServiceKey::HEADER => $this->serviceKey]
            + ($knownTag === '' ? [] : ['If-None-Match' => $knownTag]);
        [$status, $headers, $text] = $this->connection->get($path, $sent);
        if ($status === 304 && $knownTag !== '') {
            return new ApiAnswer($status, $headers, []);
        }

        return $this->judge($status, $headers, $text);
    }

    /**
     * @param array<string, mixed>|string|null $body sent as JSON, or a string as CSV
     * @param list<string> $headers
     *
     * @throws ApiUnavailable
     * @throws ApiRejected
     */
    public function request(
        string $method,
        string $path,
        array|string|null $body = null,
        array $headers = [],
        bool $isBulk = false,
    ): ApiAnswer {
        $received = [];
        $options = $this->options($method, $path, $headers, $received, $isBulk);
        if ($body !== null) {
            $options[CURLOPT_POSTFIELDS] = is_string($body) ? $body : json_encode($body, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE);
            $options[CURLOPT_HTTPHEADER][] = 'Content-Type: ' . (is_string($body) ? 'text/csv; charset=utf-8' : 'application/json');
        }
        $text = $this->transfer($options, retry: $method === 'GET');

        return $this->judge(curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE), $received, $text);
    }

    /**
     * Fetches a file whole before any of it is passed on, so that nobody gets half of it for all.
     *
     * @throws ApiUnavailable
     */
    public function download(string $path): \SplTempFileObject
    {
        $received = [];
        $file = new \SplTempFileObject();
        $options = $this->options('GET', $path, [], $received, isBulk: true);
        $options[CURLOPT_WRITEFUNCTION] = static fn (\CurlHandle $curl, string $chunk): int => $file->ftell() + strlen($chunk) > self::BULK_MAX_BYTES
            ? 0
            : (int) $file->fwrite($chunk);
        $this->transfer($options, retry: false);
        $status = curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE);
        if ($status !== 200 || !str_starts_with($received['content-type'] ?? '', 'text/csv')) {
            throw new ApiUnavailable("answer {$status} instead of a file");
        }

        return $file;
    }

    /**
     * @param list<string> $headers
     * @param array<string, string> $received what the answer's headers are put into, by lower-case name
     *
     * @return array<int, mixed>
     */
    private function options(string $method, string $path, array $headers, array &$received, bool $isBulk): array
    {
        return [
            CURLOPT_URL => $this->baseUrl . $path,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => [
                'Accept: application/json',
                'X-Request-ID: ' . $this->requestId,
                ServiceKey::HEADER . ': ' . $this->serviceKey,
                ...$headers,
            ],
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_PATH_AS_IS => true,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_PROTOCOLS_STR => 'http,https',
            CURLOPT_PROXY => '',
            CURLOPT_CAINFO => Config::CA_FILE,
            // Whom the web believes is of no account here.
            CURLOPT_CAPATH => '/nonexistent',
            CURLOPT_NOSIGNAL => true,
            CURLOPT_CONNECTTIMEOUT_MS => self::CONNECT_TIMEOUT_MS,
            CURLOPT_TIMEOUT_MS => $isBulk ? self::BULK_TIMEOUT_MS : self::TIMEOUT_MS,
            CURLOPT_MAXFILESIZE => $isBulk ? self::BULK_MAX_BYTES : self::MAX_BYTES,
            CURLOPT_HEADERFUNCTION => static function (\CurlHandle $curl, string $line) use (&$received): int {
                [$name, $value] = explode(':', $line, 2) + [1 => ''];
                $received[strtolower(trim($name))] = trim($value);

                return strlen($line);
            },
        ];
    }

    /** @param array<int, mixed> $options */
    private function transfer(array $options, bool $retry): string
    {
        $this->curl ??= curl_init();
        curl_reset($this->curl);
        curl_setopt_array($this->curl, $options);
        $text = curl_exec($this->curl);
        if ($retry && in_array(curl_errno($this->curl), self::CONNECTION_FAILURES, true)) {
            $text = curl_exec($this->curl);
        }
        if ($text === false) {
            throw new ApiUnavailable(curl_error($this->curl));
        }

        return (string) $text;
    }

    /** @param array<string, string> $headers */
    private function judge(int $status, array $headers, string $text): ApiAnswer
    {
        if ($status === 204) {
            return new ApiAnswer($status, $headers, []);
        }
        if ($status >= 500 || in_array($status, [401, 429], true)) {
            throw new ApiUnavailable("answer {$status}");
        }
        $type = $headers['content-type'] ?? '';
        $data = preg_match('~^application/(problem\+)?json\b~i', $type) === 1 ? json_decode($text, true, 16) : null;
        if (!is_array($data)) {
            throw new ApiUnavailable("answer {$status} without JSON");
        }
        if ($status >= 400) {
            throw $this->rejection($status, $data);
        }
        if ($status >= 300) {
            throw new ApiUnavailable("unexpected answer {$status}");
        }

        return new ApiAnswer($status, $headers, $data);
    }

    /** @param array<mixed> $problem */
    private function rejection(int $status, array $problem): ApiRejected
    {
        $errors = [];
        foreach (is_array($problem['errors'] ?? null) ? $problem['errors'] : [] as $error) {
            if (is_string($error['field'] ?? null) && is_string($error['message'] ?? null)) {
                $errors[$error['field']] ??= $error['message'];
            }
        }
        $detail = $problem['detail'] ?? $problem['title'] ?? null;

        return new ApiRejected($status, is_string($detail) ? $detail : 'The request was refused.', $errors);
    }
}
