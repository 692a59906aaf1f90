<?php

declare(strict_types=1);

namespace Shopfleet;

/** The session of a logged-in admin. Visitors who are not logged in have none. */
final class Session
{
    private const string COOKIE = 'shopfleet_admin';
    private const int IDLE_LIMIT = 30 * 60;
    private const int ABSOLUTE_LIMIT = 12 * 3600;

    private bool $isOpen = false;

    public function __construct(
        private readonly Admins $admins,
        private readonly bool $isHttps,
    ) {
        session_name(Cookie::name(self::COOKIE, $isHttps));
        if (is_string($_COOKIE[session_name()] ?? null)) {
            $this->start();
            $this->isValid() ? $_SESSION['seen'] = time() : $this->end();
        }
    }

    public function user(): ?string
    {
        return $this->isOpen ? $_SESSION['user'] : null;
    }

    public function csrf(): string
    {
        return $this->isOpen ? $_SESSION['csrf'] : '';
    }

    public function logIn(string $user): void
    {
        if (!$this->isOpen) {
            $this->start();
        }
        session_regenerate_id(true);
        $_SESSION = [
            'user' => $user,
            'fingerprint' => $this->admins->fingerprint($user),
            'csrf' => bin2hex(random_bytes(16)),
            'since' => time(),
            'seen' => time(),
        ];
    }

    public function end(): void
    {
        if (!$this->isOpen) {
            return;
        }
        $_SESSION = [];
        session_destroy();
        $this->isOpen = false;
        setcookie((string) session_name(), '', ['expires' => 1] + Cookie::attributes($this->isHttps));
    }

    public function put(string $name, mixed $value): void
    {
        $_SESSION[$name] = $value;
    }

    /** Takes a value out: it is there for one page. */
    public function take(string $name): mixed
    {
        $value = $_SESSION[$name] ?? null;
        unset($_SESSION[$name]);

        return $value;
    }

    private function start(): void
    {
        session_set_cookie_params(['lifetime' => 0] + Cookie::attributes($this->isHttps));
        $this->isOpen = session_start();
    }

    private function isValid(): bool
    {
        $user = $_SESSION['user'] ?? null;

        return is_string($user)
            && $this->admins->fingerprint($user) === $_SESSION['fingerprint']
            && time() - $_SESSION['seen'] <= self::IDLE_LIMIT
            && time() - $_SESSION['since'] <= self::ABSOLUTE_LIMIT;
    }
}
