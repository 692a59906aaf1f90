<?php

declare(strict_types=1);

namespace Shopfleet;

/** Too many log-ins have failed lately. */
final class LoginThrottled extends \RuntimeException
{
    public function __construct(public readonly int $seconds)
    {
        parent::__construct("not before {$seconds} s");
    }

    /** "90 seconds" or "2 minutes": how long to wait. */
    public function waitText(): string
    {
        if ($this->seconds >= 120) {
            return intdiv($this->seconds + 59, 60) . ' minutes';
        }

        return $this->seconds . ($this->seconds === 1 ? ' second' : ' seconds');
    }
}
