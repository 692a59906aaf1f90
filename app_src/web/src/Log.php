<?php

declare(strict_types=1);

namespace Shopfleet;

/** JSON lines on the container's stderr. */
final readonly class Log
{
    public function __construct(private string $requestId)
    {
    }

    /** @param array<string, scalar|null> $details */
    public function error(string $message, array $details = []): void
    {
        $this->write('error', $message, $details);
    }

    /** @param array<string, scalar|null> $details */
    public function warning(string $message, array $details = []): void
    {
        $this->write('warning', $message, $details);
    }

    /** @param array<string, scalar|null> $details */
    public function info(string $message, array $details = []): void
    {
        $this->write('info', $message, $details);
    }

    /** A form that nobody can have sent from a page of this shop, or not from one of this session. */
    public function refused(Request $request, string $reason, ?string $user = null): void
    {
        $this->warning('form refused', [
            'reason' => $reason,
            'path' => $request->path,
            'user' => $user,
            'client' => $request->client,
        ]);
    }

    /** @param array<string, scalar|null> $details */
    private function write(string $level, string $message, array $details): void
    {
        $line = json_encode(
            [
                'time' => gmdate('Y-m-d\TH:i:s\Z'),
                'level' => $level,
                'logger' => 'web',
                'request_id' => $this->requestId,
                'message' => $message,
                ...$details,
            ],
            JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE | JSON_THROW_ON_ERROR,
        );
        file_put_contents('php://stderr', $line . "\n");
    }
}
