<?php

declare(strict_types=1);

use function Shopfleet\e;

?>
<div class="lone">
<h1>We’ll be right back</h1>
<p>The shop cannot show its items at the moment. Nothing is lost, and we are on it: please try again in a minute.</p>
<p><a class="button" href="<?= e($retry) ?>">Try again</a></p>
<p class="small">Reference: <?= e($requestId) ?></p>
</div>
