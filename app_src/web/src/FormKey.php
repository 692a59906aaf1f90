<?php

declare(strict_types=1);

namespace Shopfleet;

/** The key that every form carries, so that what is sent twice takes effect once. */
final readonly class FormKey
{
    /** The key that came with a form, or a new one. */
    public static function orNew(string $given = ''): string
    {
        return preg_match('/^[0-9a-f]{32}$/D', $given) === 1 ? $given : bin2hex(random_bytes(16));
    }
}
