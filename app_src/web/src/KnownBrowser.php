<?php

declare(strict_types=1);

namespace Shopfleet;

/**
 * A cookie that tells that a user has logged in with this browser before. It gives no access: it only keeps
 * those who guess the user's password elsewhere from making the user wait here.
 */
final readonly class KnownBrowser
{
    private const string COOKIE = 'shopfleet_known';
    private const int SECONDS = 365 * 86400;

    public function __construct(
        private Admins $admins,
        private bool $isHttps,
    ) {
    }

    public function isKnownAs(string $user): bool
    {
        $given = $_COOKIE[Cookie::name(self::COOKIE, $this->isHttps)] ?? null;
        $right = $this->admins->browserToken($user);

        return is_string($given) && $right !== null && hash_equals($right, $given);
    }

    public function remember(string $user): void
    {
        $kept = ['expires' => time() + self::SECONDS] + Cookie::attributes($this->isHttps);
        setcookie(Cookie::name(self::COOKIE, $this->isHttps), (string) $this->admins->browserToken($user), $kept);
    }
}
