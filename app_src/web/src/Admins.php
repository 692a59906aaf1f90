<?php

declare(strict_types=1);

namespace Shopfleet;

/** The people who may log in, with the argon2id hashes of their passwords. */
final readonly class Admins
{
    /** @param array<string, string> $hashes by user name */
    private function __construct(private array $hashes)
    {
    }

    public static function fromFile(string $file): self
    {
        $data = is_file($file) ? json_decode((string) file_get_contents($file), true) : null;

        return new self(array_filter(is_array($data) ? $data : [], is_string(...)));
    }

    public function isEmpty(): bool
    {
        return $this->hashes === [];
    }

    /** Changes whenever the user's password does; null when there is no such user. */
    public function fingerprint(string $user): ?string
    {
        return isset($this->hashes[$user]) ? hash('sha256', $this->hashes[$user]) : null;
    }

    /** What only this server can have given to a browser; null when there is no such user. */
    public function browserToken(string $user): ?string
    {
        return isset($this->hashes[$user]) ? hash_hmac('sha256', "browser of {$user}", $this->hashes[$user]) : null;
    }

    public function verify(string $user, #[\SensitiveParameter] string $password): bool
    {
        // An unknown user must cost the same time as a known one.
        $hash = $this->hashes[$user] ?? (array_values($this->hashes)[0] ?? null);

        return is_string($hash) && password_verify($password, $hash) && isset($this->hashes[$user]);
    }
}
