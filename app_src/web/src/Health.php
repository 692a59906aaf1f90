<?php

declare(strict_types=1);

namespace Shopfleet;

/** What probes and the monitoring ask for. */
final readonly class Health
{
    private const array METRICS = [
        'Total Accesses' => ['apache_accesses_total', 'counter', 'Requests answered since the start.'],
        'Total kBytes' => ['apache_sent_kilobytes_total', 'counter', 'Kilobytes sent since the start.'],
        'BusyWorkers' => ['apache_workers{state="busy"}', 'gauge', 'Workers by state.'],
        'IdleWorkers' => ['apache_workers{state="idle"}', 'gauge', 'Workers by state.'],
        'ServerUptimeSeconds' => ['apache_uptime_seconds_total', 'counter', 'Seconds since the start.'],
    ];

    /** @param array<string, ApiClient> $dependencies by name */
    public function __construct(private array $dependencies)
    {
    }

    public function alive(): Response
    {
        return Response::json(['status' => 'ok']);
    }

    public function ready(): Response
    {
        $checks = array_map($this->check(...), $this->dependencies);
        $isReady = array_diff($checks, ['ok']) === [];

        return Response::json(['status' => $isReady ? 'ok' : 'unavailable', 'checks' => $checks], $isReady ? 200 : 503);
    }

    public function metrics(): Response
    {
        $status = Loopback::get('/server-status?auto', 1.0);
        if ($status === false) {
            return new Response("Apache did not tell its status\n", 503, ['Content-Type' => 'text/plain; charset=utf-8']);
        }
        $lines = [];
        foreach (self::METRICS as $label => [$metric, $type, $help]) {
            if (preg_match("/^{$label}: (\d+(?:\.\d+)?)$/m", $status, $match) === 1) {
                $family = explode('{', $metric)[0];
                $lines["# HELP {$family} {$help}"] = true;
                $lines["# TYPE {$family} {$type}"] = true;
                $lines["{$metric} {$match[1]}"] = true;
            }
        }

        return new Response(
            implode("\n", array_keys($lines)) . "\n",
            200,
            ['Content-Type' => 'text/plain; version=0.0.4; charset=utf-8', 'Cache-Control' => 'no-store'],
        );
    }

    private function check(ApiClient $api): string
    {
        try {
            $api->get('/healthz');

            return 'ok';
        } catch (ApiUnavailable | ApiRejected $failure) {
            return $failure->getMessage();
        }
    }
}
