<?php

declare(strict_types=1);

namespace Shopfleet;

/** One HTTP answer. */
final readonly class Response
{
    /** @param array<string, string> $headers */
    public function __construct(
        public string|\SplTempFileObject $body,
        public int $status = 200,
        public array $headers = [],
    ) {
    }

    /** @param array<string, string> $headers */
    public static function html(string $body, int $status = 200, array $headers = []): self
    {
        return new self($body, $status, $headers + ['Content-Type' => 'text/html; charset=utf-8']);
    }

    /** @param array<string, mixed> $data */
    public static function json(array $data, int $status = 200): self
    {
        return new self(
            json_encode($data, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES) . "\n",
            $status,
            ['Content-Type' => 'application/json', 'Cache-Control' => 'no-store'],
        );
    }

    public static function download(\SplTempFileObject $file, string $name, string $type): self
    {
        return new self($file, 200, [
            'Content-Type' => $type,
            'Content-Length' => (string) $file->ftell(),
            'Content-Disposition' => "attachment; filename=\"{$name}\"",
            'Cache-Control' => 'no-store',
        ]);
    }

    /** @param array<string, string> $headers */
    public static function redirect(string $path, int $status = 303, array $headers = []): self
    {
        return new self('', $status, $headers + ['Location' => $path, 'Content-Type' => 'text/plain; charset=utf-8']);
    }

    public function send(string $requestId): void
    {
        http_response_code($this->status);
        header('X-Request-ID: ' . $requestId);
        foreach ($this->headers as $name => $value) {
            header($name . ': ' . $value);
        }
        if (is_string($this->body)) {
            echo $this->body;

            return;
        }
        $this->body->rewind();
        $this->body->fpassthru();
    }
}
