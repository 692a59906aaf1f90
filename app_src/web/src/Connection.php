<?php

declare(strict_types=1);

namespace Shopfleet;

/**
 * Reads from an API over a connection that this worker keeps open from page to page.
 *
 * PHP's curl forgets its connections at the end of each request. Understood is what the API sends, and nothing more:
 * an answer of any other shape ends the connection.
 */
final readonly class Connection
{
    private const float CONNECT_SECONDS = 0.3;
    private const int DEADLINE = 3_000_000_000;
    private const int MAX_BYTES = 1_048_576;
    private const int MAX_LINE = 8192;
    private const int MAX_HEADERS = 60;

    private string $authority;
    private string $socket;

    public function __construct(string $baseUrl)
    {
        $isHttps = parse_url($baseUrl, PHP_URL_SCHEME) === 'https';
        $port = parse_url($baseUrl, PHP_URL_PORT) ?: ($isHttps ? 443 : 80);
        $this->authority = parse_url($baseUrl, PHP_URL_HOST) . ":{$port}";
        $this->socket = ($isHttps ? 'tls://' : 'tcp://') . $this->authority;
    }

    /**
     * @param array<string, string> $headers
     *
     * @return array{int, array<string, string>, string} status, headers by lower-case name, body
     *
     * @throws ApiUnavailable
     */
    public function get(string $path, array $headers): array
    {
        $request = "GET {$path} HTTP/1.1\r\nHost: {$this->authority}\r\nAccept: application/json\r\n";
        foreach ($headers as $name => $value) {
            $request .= "{$name}: {$value}\r\n";
        }
        $deadline = hrtime(true) + self::DEADLINE;
        try {
            return $this->exchange($request . "\r\n", $headers, $deadline);
        } catch (ConnectionLost) {
            // The other side closes what was idle for long: once more, on a new connection.
            try {
                return $this->exchange($request . "\r\n", $headers, $deadline);
            } catch (ConnectionLost $lost) {
                throw new ApiUnavailable($lost->getMessage());
            }
        }
    }

    /**
     * @param array<string, string> $sent
     *
     * @return array{int, array<string, string>, string}
     *
     * @throws ApiUnavailable
     * @throws ConnectionLost
     */
    private function exchange(string $request, array $sent, int $deadline): array
    {
        $socket = @stream_socket_client(
            $this->socket,
            $code,
            $message,
            self::CONNECT_SECONDS,
            STREAM_CLIENT_CONNECT | STREAM_CLIENT_PERSISTENT,
            stream_context_create(['ssl' => ['cafile' => Config::CA_FILE]]),
        );
        if ($socket === false) {
            throw new ApiUnavailable('no connection: ' . ($message ?: 'the other side did not prove by TLS who it is'));
        }
        $isReusable = false;
        try {
            if (@fwrite($socket, $request) !== strlen($request)) {
                throw new ConnectionLost('the request could not be sent');
            }
            [$status, $isLasting] = $this->status($this->line($socket, $deadline));
            $headers = $this->headers($socket, $deadline);
            if (($headers['x-request-id'] ?? $sent['X-Request-ID'] ?? '') !== ($sent['X-Request-ID'] ?? '')) {
                throw new ConnectionLost('an answer to another request');
            }
            $body = in_array($status, [204, 304], true) ? '' : $this->body($socket, $this->length($headers), $deadline);
            $isReusable = $isLasting
                && strcasecmp($headers['connection'] ?? '', 'close') !== 0
                && stream_get_meta_data($socket)['unread_bytes'] === 0;

            return [$status, $headers, $body];
        } finally {
            if (!$isReusable) {
                fclose($socket);
            }
        }
    }

    /** @return array{int, bool} the status, and whether the connection lasts unless it is said otherwise */
    private function status(string $line): array
    {
        if (preg_match('~^HTTP/1\.([01]) ([2-5]\d\d)(?: [^\r\n]*)?$~D', $line, $match) !== 1) {
            throw new ApiUnavailable('an answer that is not HTTP');
        }

        return [(int) $match[2], $match[1] === '1'];
    }

    /**
     * @param resource $socket
     *
     * @return array<string, string>
     */
    private function headers($socket, int $deadline): array
    {
        $headers = [];
        for ($count = 0; $count < self::MAX_HEADERS; ++$count) {
            $line = $this->line($socket, $deadline);
            if ($line === '') {
                return $headers;
            }
            if (preg_match('/^([!#$%&\'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/D', $line, $match) !== 1) {
                throw new ApiUnavailable('an answer with a header that is none');
            }
            $name = strtolower($match[1]);
            if ($name === 'content-length' && isset($headers[$name])) {
                throw new ApiUnavailable('an answer with two lengths');
            }
            $headers[$name] = $match[2];
        }
        throw new ApiUnavailable('an answer with too many headers');
    }

    /** @param array<string, string> $headers */
    private function length(array $headers): int
    {
        $length = $headers['content-length'] ?? '';
        if (isset($headers['transfer-encoding']) || preg_match('/^\d{1,7}$/D', $length) !== 1 || (int) $length > self::MAX_BYTES) {
            throw new ApiUnavailable('an answer without a length, or too long');
        }

        return (int) $length;
    }

    /** @param resource $socket */
    private function body($socket, int $length, int $deadline): string
    {
        $body = '';
        while (strlen($body) < $length) {
            $this->wait($socket, $deadline);
            $part = @fread($socket, $length - strlen($body));
            if ($part === false || $part === '') {
                throw $this->failure($socket);
            }
            $body .= $part;
        }

        return $body;
    }

    /** @param resource $socket */
    private function line($socket, int $deadline): string
    {
        $this->wait($socket, $deadline);
        $line = @fgets($socket, self::MAX_LINE);
        if ($line === false) {
            throw $this->failure($socket);
        }
        if (!str_ends_with($line, "\r\n")) {
            throw new ApiUnavailable('an answer with a line that does not end');
        }

        return substr($line, 0, -2);
    }

    /** @param resource $socket */
    private function wait($socket, int $deadline): void
    {
        $left = intdiv($deadline - hrtime(true), 1000);
        if ($left <= 0) {
            throw new ApiUnavailable('no answer in time');
        }
        stream_set_timeout($socket, intdiv($left, 1_000_000), $left % 1_000_000);
    }

    /** @param resource $socket */
    private function failure($socket): ApiUnavailable|ConnectionLost
    {
        return stream_get_meta_data($socket)['timed_out']
            ? new ApiUnavailable('no answer in time')
            : new ConnectionLost('the connection was closed');
    }
}
