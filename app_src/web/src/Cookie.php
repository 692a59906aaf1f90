<?php

declare(strict_types=1);

namespace Shopfleet;

/** What the cookies have in common. */
final readonly class Cookie
{
    /**
     * The prefix keeps pages on plain http, and other hosts of the domain, from setting what counts on https. The names
     * differ, so that a browser that has been here by https can still log in by http: it would not let a Secure cookie
     * be replaced from there.
     */
    public static function name(string $name, bool $isHttps): string
    {
        return $isHttps ? "__Host-{$name}" : $name;
    }

    /**
     * A name with the prefix goes to every path; the load balancer keeps it from the shop's web servers.
     *
     * @return array{path: string, secure: bool, httponly: bool, samesite: 'Strict'}
     */
    public static function attributes(bool $isHttps): array
    {
        return ['path' => $isHttps ? '/' : '/admin', 'secure' => $isHttps, 'httponly' => true, 'samesite' => 'Strict'];
    }
}
