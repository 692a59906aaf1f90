<?php

declare(strict_types=1);

namespace Shopfleet;

/** A span of time in words. */
final readonly class Age
{
    /** "3 minutes" */
    public static function text(int $seconds): string
    {
        [$count, $unit] = match (true) {
            $seconds < 1 => [0, ''],
            $seconds < 60 => [$seconds, 'second'],
            $seconds < 3600 => [intdiv($seconds, 60), 'minute'],
            $seconds < 86400 => [intdiv($seconds, 3600), 'hour'],
            default => [intdiv($seconds, 86400), 'day'],
        };

        return $count === 0 ? 'a moment' : $count . ' ' . $unit . ($count === 1 ? '' : 's');
    }
}
