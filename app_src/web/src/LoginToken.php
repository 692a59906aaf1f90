<?php

declare(strict_types=1);

namespace Shopfleet;

/** The login form's CSRF token: in a cookie and in the form, so that visitors need no session on the server. */
final readonly class LoginToken
{
    private const string COOKIE = 'shopfleet_login';

    public string $value;

    public function __construct(bool $isHttps)
    {
        $cookie = Cookie::name(self::COOKIE, $isHttps);
        $given = $_COOKIE[$cookie] ?? null;
        if (is_string($given) && preg_match('/^[0-9a-f]{32}$/D', $given) === 1) {
            $this->value = $given;

            return;
        }
        $this->value = bin2hex(random_bytes(16));
        setcookie($cookie, $this->value, Cookie::attributes($isHttps));
    }
}
