<?php

declare(strict_types=1);

namespace Shopfleet;

use function file_get_contents;
use function getenv;
use function hash_equals;
use function trim;

/** The keys that services show each other, so that an address inside the subnet is not enough to be answered. */
final readonly class ServiceKey
{
    public const string HEADER = 'X-Service-Key';
    private const string OWN_FILE = '/etc/shopfleet/service_key';
    private const string HAPROXY_FILE = '/etc/shopfleet/haproxy_key';

    /** What this container shows to the load balancer. */
    public static function own(): string
    {
        return self::read(self::OWN_FILE);
    }

    /** Whether the request comes from the load balancer. */
    public static function isShown(): bool
    {
        $wanted = self::read(self::HAPROXY_FILE);

        return $wanted !== '' && hash_equals($wanted, (string) getenv('HTTP_X_SERVICE_KEY'));
    }

    public static function refusal(): Response
    {
        return new Response(
            'Send the load balancer\'s key in the header ' . self::HEADER . ".\n",
            401,
            ['Content-Type' => 'text/plain; charset=utf-8', 'Cache-Control' => 'no-store', 'WWW-Authenticate' => 'ServiceKey'],
        );
    }

    private static function read(string $file): string
    {
        return trim((string) @file_get_contents($file));
    }
}
