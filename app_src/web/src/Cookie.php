<?php

declare(strict_types=1);

namespace Shopfleet;

/** What the cookies have in common. */
final readonly class Cookie
{
    /**
     * The prefix keeps a page on plain http from setting what counts on https. The names differ, so that a browser
     * that has been here by https can still log in by http: it would not let a Secure cookie be replaced from there.
     */
    public static function name(string $name, bool $isHttps): string
    {
        return $isHttps ? "__Secure-{$name}" : $name;
    }

    /** @return array{path: string, secure: bool, httponly: bool, samesite: 'Strict'} */
    public static function attributes(bool $isHttps): array
    {
        return ['path' => '/admin', 'secure' => $isHttps, 'httponly' => true, 'samesite' => 'Strict'];
    }
}
