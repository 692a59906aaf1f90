<?php

declare(strict_types=1);

use function Shopfleet\e;

?>
<div class="lone">
<svg viewBox="0 0 48 48" width="48" height="48" aria-hidden="true"><path d="M8 20 12 8h24l4 12M8 20v22h32V20zM8 20h32M20 42V29h8v13"/></svg>
<h1>We’ll be right back</h1>
<p>The shop cannot show its items at the moment. Nothing is lost, and we are on it: please try again in a minute.</p>
<p><a class="button" href="<?= e($retry) ?>">Try again</a></p>
<p class="small">Reference: <?= e($requestId) ?></p>
</div>
