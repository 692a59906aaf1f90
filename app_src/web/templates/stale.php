<?php

declare(strict_types=1);

use Shopfleet\Age;

use function Shopfleet\e;

?>
<p class="notice warn" role="status"><strong>These items may be out of date.</strong> The stock list cannot be read right now; you see it as it was <?= e(Age::text($seconds)) ?> ago.</p>
