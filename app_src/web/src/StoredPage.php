<?php

declare(strict_types=1);

namespace Shopfleet;

use function crc32;
use function fclose;
use function fopen;
use function fread;
use function getenv;
use function hash;
use function hrtime;
use function preg_match;
use function str_contains;
use function strlen;
use function substr;
use function unpack;

/**
 * The shop page as last rendered for one query, kept in a file of the container's own /tmp.
 *
 * A query has its one place among a fixed number of files, so that whatever is asked for cannot fill the memory.
 * Times are nanoseconds of the monotonic clock: nobody can set it back, and no file outlives the container.
 */
final readonly class StoredPage
{
    private const string DIRECTORY = '/tmp/pages';
    private const int SLOTS = 128;
    private const int MAX_BYTES = 131_072;
    /** A file is this head, the query, the remaining properties, the page compressed, the page plain. */
    private const string HEAD = 'a16digest/Jyoung/a16plainTag/a16gzipTag/Nquery/Nproperties/Ngzip/Nplain';
    private const int HEAD_LENGTH = 72;
    private const int DIGEST_LENGTH = 16;

    /**
     * @param int $asked when the API was about to be asked
     * @param int $current when the items were what the page says
     * @param string $tag the API's entity tag of the items
     * @param int $noticeAt where in the page a notice about its age stands or would stand
     */
    private function __construct(
        public string $query,
        public int $status,
        public int $asked,
        public int $current,
        public string $tag,
        private int $noticeAt,
        private int $noticeLength,
        private string $gzip,
        private string $plain,
    ) {
    }

    /** Splits a rendered page at the zero byte that marks the notice's place. */
    public static function rendered(string $query, int $status, int $asked, string $tag, string $html): self
    {
        $noticeAt = (int) strpos($html, "\0");
        $plain = str_replace("\0", '', $html);

        return new self($query, $status, $asked, $asked, $tag, $noticeAt, 0, self::compress($plain), $plain);
    }

    /** That there is nothing to show. */
    public static function nothing(string $query, int $asked): self
    {
        return new self($query, 503, $asked, $asked, '', 0, 0, '', '');
    }

    /**
     * The answer to most requests: a page that was rendered a moment ago, exactly for the address that is asked for.
     *
     * The environment is asked and not $_SERVER, which PHP would have to fill first.
     */
    public static function youngResponse(): ?Response
    {
        $target = (string) getenv('REQUEST_URI');
        $isAskedFor = $target === '/' || str_starts_with($target, '/?');
        $parts = $isAskedFor ? self::parts(self::file(substr($target, 2))) : null;
        if ($parts === null || $parts['query'] !== substr($target, 2) || $parts['young'] <= hrtime(true)) {
            return null;
        }

        return self::answer(200, $parts);
    }

    /** The page kept for a query, or null when there is none that can be trusted. */
    public static function read(string $query): ?self
    {
        $parts = self::parts(self::file($query));

        return $parts === null || $parts['query'] !== $query ? null : new self(
            $query,
            ...json_decode($parts['properties'], true, 2, JSON_THROW_ON_ERROR),
            gzip: $parts['gzip'],
            plain: $parts['plain'],
        );
    }

    /** @return resource|null the file whose lock says who renders the query's page anew */
    public static function lockFile(string $query)
    {
        if (!is_dir(self::DIRECTORY)) {
            @mkdir(self::DIRECTORY, 0o700);
        }

        return @fopen(self::file($query) . '.lock', 'c') ?: null;
    }

    /** The same items once more: when the API was asked again, of when they are, and what is said about that. */
    public function again(int $asked, int $current, string $notice): self
    {
        $plain = substr_replace($this->plain, $notice, $this->noticeAt, $this->noticeLength);
        $gzip = $plain === $this->plain ? $this->gzip : self::compress($plain);

        return new self(
            $this->query,
            $this->status,
            $asked,
            $current,
            $this->tag,
            $this->noticeAt,
            strlen($notice),
            $gzip,
            $plain,
        );
    }

    /** Whether it says itself that its items are not current. */
    public function hasNotice(): bool
    {
        return $this->noticeLength > 0;
    }

    public function isAnswer(): bool
    {
        return $this->status !== 503;
    }

    /**
     * Puts it into its place at once and whole. To be called by the holder of the lock only.
     *
     * @param int $young until when nobody needs to think of rendering it anew
     */
    public function keep(int $young): void
    {
        $file = self::file($this->query);
        if (!$this->isAnswer() && is_file($file)) {
            // Somebody may be glad of the page that is there while the API is away.
            return;
        }
        $properties = json_encode(
            [
                'status' => $this->status,
                'asked' => $this->asked,
                'current' => $this->current,
                'tag' => $this->tag,
                'noticeAt' => $this->noticeAt,
                'noticeLength' => $this->noticeLength,
            ],
            JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE,
        );
        $lengths = [strlen($this->query), strlen($properties), strlen($this->gzip), strlen($this->plain)];
        $tags = hash('xxh3', $this->plain) . hash('xxh3', $this->gzip);
        // Only what is an answer to everybody may be sent without a closer look.
        $data = pack('J', $this->status === 200 ? $young : 0) . $tags . pack('N4', ...$lengths)
            . $this->query . $properties . $this->gzip . $this->plain;
        $length = self::DIGEST_LENGTH + strlen($data);
        // Without room for it the shop is slower, not closed.
        if ($length <= self::MAX_BYTES && @file_put_contents("{$file}.new", hash('xxh3', $data) . $data) === $length) {
            @rename("{$file}.new", $file);
        }
    }

    public function response(): Response
    {
        return self::answer($this->status, [
            'query' => $this->query,
            'plain' => $this->plain,
            'plainTag' => hash('xxh3', $this->plain),
            'gzip' => $this->gzip,
            'gzipTag' => hash('xxh3', $this->gzip),
        ]);
    }

    /** @param array<string, int|string> $parts */
    private static function answer(int $status, array $parts): Response
    {
        $accepted = (string) getenv('HTTP_ACCEPT_ENCODING');
        $isGzip = preg_match('/\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i', $accepted) === 1;
        $form = $isGzip ? 'gzip' : 'plain';
        $headers = [
            'Cache-Control' => 'private, no-cache',
            'Vary' => 'Accept-Encoding',
            'ETag' => "\"{$parts[$form . 'Tag']}\"",
            ...self::canonicalLink($parts['query']),
        ];
        if (str_contains((string) getenv('HTTP_IF_NONE_MATCH'), $headers['ETag'])) {
            return new Response('', 304, $headers);
        }
        if ($isGzip) {
            $headers['Content-Encoding'] = 'gzip';
        }
        $headers['Content-Length'] = (string) strlen($parts[$form]);

        return new Response($parts[$form], $status, $headers);
    }

    /**
     * Says where this page lives when it was asked for in another way. In a header, because the name by which the shop
     * was reached must not be kept for others.
     *
     * @return array<string, string>
     */
    private static function canonicalLink(string $query): array
    {
        if (str_contains($query, 'cursor=')) {
            $query = (string) preg_replace('/&?cursor=.*$/', '', $query);
        }
        $target = $query === '' ? '/' : "/?{$query}";
        if ($target === getenv('REQUEST_URI')) {
            return [];
        }
        $scheme = getenv('HTTP_X_FORWARDED_PROTO') === 'https' ? 'https' : 'http';

        return ['Link' => "<{$scheme}://" . getenv('HTTP_HOST') . "{$target}>; rel=\"canonical\""];
    }

    private static function compress(string $plain): string
    {
        return (string) gzencode($plain, 6);
    }

    private static function file(string $query): string
    {
        return self::DIRECTORY . '/' . crc32($query) % self::SLOTS;
    }

    /** @return array<string, int|string>|null what a file holds, or null when it is not as it was written */
    private static function parts(string $file): ?array
    {
        $handle = @fopen($file, 'r');
        if ($handle === false) {
            return null;
        }
        $stored = (string) @fread($handle, self::MAX_BYTES);
        fclose($handle);
        if (strlen($stored) < self::HEAD_LENGTH) {
            return null;
        }
        $parts = unpack(self::HEAD, $stored);
        if ($parts['digest'] !== hash('xxh3', substr($stored, self::DIGEST_LENGTH))) {
            return null;
        }
        $at = self::HEAD_LENGTH;
        foreach (['query', 'properties', 'gzip', 'plain'] as $name) {
            $length = $parts[$name];
            $parts[$name] = substr($stored, $at, $length);
            $at += $length;
        }

        return $parts;
    }
}
