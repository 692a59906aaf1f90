<?php

declare(strict_types=1);

$parts = ['query' => $query, 'page' => $page, 'path' => '/', 'isAdmin' => false];
?>
<div class="head">
<h1>Items for sale</h1>
<?= $view->part('search', $parts) ?>
</div>
<?= "\0" . $view->part('list', $parts) ?>
