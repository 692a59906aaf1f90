<?php

declare(strict_types=1);

namespace Shopfleet;

/** A successful answer of the API. */
final readonly class ApiAnswer
{
    /**
     * @param array<string, string> $headers by lower-case name
     * @param array<mixed> $data
     */
    public function __construct(
        public int $status,
        public array $headers,
        public array $data,
    ) {
    }

    /** Seconds since the data was read, or null when it is current. */
    public function staleFor(): ?int
    {
        if (($this->headers['x-cache'] ?? '') !== 'stale') {
            return null;
        }
        $age = $this->headers['age'] ?? '';

        return preg_match('/^\d{1,9}$/D', $age) === 1 ? (int) $age : 0;
    }
}
