<?php

declare(strict_types=1);

namespace Shopfleet;

/** The one stylesheet, at an address that changes with its content. */
final readonly class Stylesheet
{
    private const string FILE = __DIR__ . '/../public/style.css';

    public function __construct(private string $base)
    {
    }

    public function url(): string
    {
        return "{$this->base}assets/style-" . hash_file('xxh64', self::FILE) . '.css';
    }

    /** The answer to a request for a stylesheet of any version, or null when the path is none. */
    public function answer(string $path): ?Response
    {
        if (preg_match('~^' . $this->base . 'assets/style-[0-9a-f]{16}\.css$~D', $path) !== 1) {
            return null;
        }
        // During a roll-out the page may come from a newer container than this one: nobody may keep
        // this version under the other one's address.
        $caching = $path === $this->url() ? 'public, max-age=31536000, immutable' : 'no-store';

        return new Response(
            (string) file_get_contents(self::FILE),
            200,
            ['Content-Type' => 'text/css; charset=utf-8', 'Cache-Control' => $caching],
        );
    }
}
