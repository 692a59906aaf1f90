<?php

declare(strict_types=1);

use function Shopfleet\e;

?>
<div class="lone">
<h1><?= e($title) ?></h1>
<p><?= e($text) ?></p>
<p><a class="button" href="<?= e($home) ?>">Back to the start</a></p>
<p class="small">Reference: <?= e($requestId) ?></p>
</div>
