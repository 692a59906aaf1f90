<?php

declare(strict_types=1);

namespace Shopfleet;

/**
 * Slows down the guessing of passwords: failures are counted for each client address and for each user name.
 *
 * The count for an address is the strict one. The one for a name stops guessing from many addresses, and
 * fills up again quickly: whoever uses it to lock an admin out keeps them waiting for seconds, and does not
 * touch a browser that this admin has logged in with before.
 *
 * The state is a file of fixed size. Each address and name has a slot in it, found by a keyed hash, so that
 * nobody can choose whom to share one with. A slot holds the time at which its failures will be forgotten.
 */
final readonly class LoginThrottle
{
    private const string FILE = '/tmp/login-throttle';
    private const int KEY_BYTES = 16;
    private const int SLOT_BYTES = 8;
    private const int SLOTS = 16_384;
    /** So many failures at once, and one more each so many seconds. */
    private const array LIMITS = [
        'address' => ['burst' => 10, 'seconds' => 90],
        'user' => ['burst' => 20, 'seconds' => 15],
    ];
    private const int LOCK_TRIES = 40;
    private const int LOCK_PAUSE_US = 50_000;

    /**
     * Whether a log-in is right. One is checked at a time: each takes memory, and the container has little.
     *
     * @param string|null $user null when the browser is known as this user's
     * @param \Closure(): bool $check
     *
     * @throws LoginBusy when too many people try at once
     * @throws LoginThrottled
     */
    public function attempt(string $address, ?string $user, \Closure $check): bool
    {
        $file = $this->lock();
        try {
            $slots = $this->slots($this->key($file), $address, $user);
            $now = time();
            $wait = 0;
            foreach ($slots as $kind => $offset) {
                ['burst' => $burst, 'seconds' => $seconds] = self::LIMITS[$kind];
                $wait = max($wait, $this->read($file, $offset) - $now - ($burst - 1) * $seconds);
            }
            if ($wait > 0) {
                throw new LoginThrottled($wait);
            }
            if ($check()) {
                return true;
            }
            foreach ($slots as $kind => $offset) {
                $forgottenAt = max($this->read($file, $offset), $now) + self::LIMITS[$kind]['seconds'];
                fseek($file, $offset);
                fwrite($file, pack('P', $forgottenAt));
            }

            return false;
        } finally {
            fclose($file);
        }
    }

    /** @return resource */
    private function lock()
    {
        $file = fopen(self::FILE, 'c+');
        for ($try = 0; $file !== false && $try < self::LOCK_TRIES; $try++) {
            if (flock($file, LOCK_EX | LOCK_NB)) {
                return $file;
            }
            usleep(self::LOCK_PAUSE_US);
        }

        throw new LoginBusy();
    }

    /** @param resource $file */
    private function key($file): string
    {
        $key = (string) fread($file, self::KEY_BYTES);
        if (strlen($key) === self::KEY_BYTES) {
            return $key;
        }
        $key = random_bytes(self::KEY_BYTES);
        rewind($file);
        fwrite($file, $key);

        return $key;
    }

    /** @return array<'address'|'user', int> the places in the file */
    private function slots(string $key, string $address, ?string $user): array
    {
        $slots = ['address' => $this->offset($key, 0, $this->network($address))];

        return $user === null ? $slots : $slots + ['user' => $this->offset($key, 1, $user)];
    }

    private function offset(string $key, int $table, string $text): int
    {
        ['n' => $number] = unpack('Vn', hash_hmac('sha256', $text, $key, true));

        return self::KEY_BYTES + self::SLOT_BYTES * ($table * self::SLOTS + $number % self::SLOTS);
    }

    /** One household or server has a whole /64 of IPv6 addresses to choose from. */
    private function network(string $address): string
    {
        $bytes = (string) inet_pton($address);

        return strlen($bytes) === 16 && !str_starts_with($bytes, str_repeat("\0", 10) . "\xff\xff") ? substr($bytes, 0, 8) : substr($bytes, -4);
    }

    /** @param resource $file */
    private function read($file, int $offset): int
    {
        fseek($file, $offset);
        $bytes = (string) fread($file, self::SLOT_BYTES);

        return strlen($bytes) === self::SLOT_BYTES ? unpack('Pt', $bytes)['t'] : 0;
    }
}
