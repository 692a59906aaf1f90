<?php

declare(strict_types=1);

namespace Shopfleet;

/** The API understood the request and refused it (problem+json). */
final class ApiRejected extends \RuntimeException
{
    /** @param array<string, string> $errors the API's message for each field */
    public function __construct(
        public readonly int $status,
        string $detail,
        public readonly array $errors = [],
    ) {
        parent::__construct($detail);
    }
}
