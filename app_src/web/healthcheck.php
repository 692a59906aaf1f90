<?php

declare(strict_types=1);

namespace Shopfleet;

require '/srv/shopfleet/src/autoload.php';

$body = Loopback::get('/healthz', 2.0);
exit(is_string($body) && str_contains($body, '"ok"') ? 0 : 1);
