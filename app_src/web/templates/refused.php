<?php

declare(strict_types=1);

use function Shopfleet\e;

?>
<div class="head">
<h1>Items for sale</h1>
<?= $view->part('search', ['query' => $query, 'path' => '/']) ?>
</div>
<div class="empty">
<svg viewBox="0 0 48 48" width="48" height="48" aria-hidden="true"><circle cx="21" cy="21" r="13"/><path d="m31 31 10 10M21 14v8M21 27v1"/></svg>
<h2>This search is not possible</h2>
<p><?= e($reason) ?> Change it, or <a href="/">see all items</a>.</p>
</div>
