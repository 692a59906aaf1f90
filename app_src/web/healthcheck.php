<?php

declare(strict_types=1);

$context = stream_context_create(['http' => ['timeout' => 2.0, 'ignore_errors' => true]]);
$body = @file_get_contents('http://127.0.0.1:8080/healthz', false, $context);
exit(is_string($body) && str_contains($body, '"ok"') ? 0 : 1);
