<?php

declare(strict_types=1);

namespace Shopfleet;

/** One HTTP request, with every value brought to valid UTF-8 text. */
final readonly class Request
{
    /**
     * @param array<string, string> $query
     * @param array<string, string> $form
     */
    public function __construct(
        public string $method,
        public string $path,
        public array $query,
        public array $form,
        public string $id,
        public bool $isHttps,
        public bool $isForeign,
        public bool $isTooLarge,
        public string $client,
        public ?Upload $upload,
    ) {
    }

    public static function fromGlobals(): self
    {
        $method = self::server('REQUEST_METHOD');

        return new self(
            method: $method === 'HEAD' ? 'GET' : $method,
            path: self::pathOf(self::server('REQUEST_URI')),
            query: self::texts($_GET),
            form: self::texts($_POST),
            id: self::idFrom(self::server('HTTP_X_REQUEST_ID')),
            isHttps: self::server('HTTP_X_FORWARDED_PROTO') === 'https',
            isForeign: self::comesFromAnotherSite(),
            // PHP has then dropped the whole form.
            isTooLarge: (int) self::server('CONTENT_LENGTH') > ini_parse_quantity((string) ini_get('post_max_size')),
            client: self::clientAddress(),
            upload: Upload::fromGlobals('file'),
        );
    }

    public function query(string $name): string
    {
        return $this->query[$name] ?? '';
    }

    public function form(string $name): string
    {
        return $this->form[$name] ?? '';
    }

    private static function server(string $name): string
    {
        $value = $_SERVER[$name] ?? '';

        return is_string($value) ? $value : '';
    }

    private static function pathOf(string $target): string
    {
        $path = explode('?', $target, 2)[0];
        if (!str_starts_with($path, '/')) {
            $path = parse_url($path, PHP_URL_PATH);
        }

        return is_string($path) ? $path : '/';
    }

    /**
     * @param array<int|string, mixed> $values
     *
     * @return array<string, string>
     */
    private static function texts(array $values): array
    {
        // What was not UTF-8 must not turn into a question mark that somebody seems to have typed: the API refuses U+FFFD.
        mb_substitute_character(0xFFFD);
        $texts = [];
        foreach ($values as $name => $value) {
            if (is_string($value)) {
                $texts[(string) $name] = mb_scrub($value, 'UTF-8');
            }
        }

        return $texts;
    }

    private static function idFrom(string $given): string
    {
        // The same pattern as in shopfleet.conf: what is taken over here is also what Apache logs.
        if (preg_match('/^[A-Za-z0-9._:-]{1,128}$/D', $given) === 1) {
            return $given;
        }

        return bin2hex(random_bytes(16));
    }

    /** The address that the load balancer saw: it appends that one, what stands before it is hearsay. */
    private static function clientAddress(): string
    {
        $hops = explode(',', self::server('HTTP_X_FORWARDED_FOR'));
        $last = trim(end($hops));

        return filter_var($last, FILTER_VALIDATE_IP) === false ? self::server('REMOTE_ADDR') : $last;
    }

    private static function comesFromAnotherSite(): bool
    {
        $site = self::server('HTTP_SEC_FETCH_SITE');
        if ($site !== '') {
            return !in_array($site, ['same-origin', 'none'], true);
        }
        // Browsers leave Sec-Fetch-Site out on plain http.
        $origin = self::server('HTTP_ORIGIN');

        return $origin !== '' && preg_replace('~^https?://~', '', $origin) !== self::server('HTTP_HOST');
    }
}
