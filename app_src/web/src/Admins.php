<?php

declare(strict_types=1);

namespace Shopfleet;

/** The people who may log in, with the argon2id hashes of their passwords. */
final readonly class Admins
{
    private const string LOCK_FILE = '/tmp/login.lock';
    private const int LOCK_TRIES = 40;
    private const int LOCK_PAUSE_US = 50_000;

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

    /**
     * Whether the password is the user's.
     *
     * @throws LoginBusy when too many people try at once
     */
    public function verify(string $user, #[\SensitiveParameter] string $password): bool
    {
        // An unknown user must cost the same time as a known one.
        $hash = $this->hashes[$user] ?? (array_values($this->hashes)[0] ?? null);
        $lock = $this->lock();
        try {
            return is_string($hash) && password_verify($password, $hash) && isset($this->hashes[$user]);
        } finally {
            fclose($lock);
        }
    }

    /**
     * One check at a time: each takes some 64 MB, and the container has a memory limit.
     *
     * @return resource
     */
    private function lock()
    {
        $file = fopen(self::LOCK_FILE, 'c');
        for ($try = 0; $file !== false && $try < self::LOCK_TRIES; $try++) {
            if (flock($file, LOCK_EX | LOCK_NB)) {
                return $file;
            }
            usleep(self::LOCK_PAUSE_US);
        }

        throw new LoginBusy();
    }
}
