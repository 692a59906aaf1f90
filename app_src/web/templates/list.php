<?php

declare(strict_types=1);

use function Shopfleet\e;

$first = ($query->page - 1) * $query->size + 1;
$isBeyond = $page->total > 0 && $query->page > $page->pages;
$total = number_format($page->total) . ($page->total === 1 ? ' item' : ' items');
$parts = ['view' => $view, 'query' => $query, 'page' => $page, 'path' => $path, 'isAdmin' => $isAdmin];
?>
<?php if ($page->staleFor !== null) : ?>
<p class="notice warn" role="status"><strong>These items may be out of date.</strong> The stock list cannot be read right now; you see it as it was <?= e($page->ageText()) ?> ago.</p>
<?php endif ?>
<?php if ($page->total === 0 && $query->q === '') : ?>
<div class="empty">
<h2>Nothing for sale yet</h2>
<p><?= $isAdmin ? 'Add the first item with the form, and it will be in the shop at once.' : 'The shelves are being filled. Please come back soon.' ?></p>
</div>
<?php elseif ($page->total === 0) : ?>
<div class="empty">
<h2>No item matches “<?= e($query->q) ?>”</h2>
<p>Try fewer or other words, or <a href="<?= e($query->url($path, ['q' => '', 'page' => 1])) ?>">see all items</a>.</p>
</div>
<?php elseif ($isBeyond) : ?>
<div class="empty">
<h2>There is no page <?= e(number_format($query->page)) ?></h2>
<p>The list ends at <a href="<?= e($query->url($path, ['page' => $page->pages])) ?>">page <?= e(number_format($page->pages)) ?></a>.</p>
</div>
<?php else : ?>
<p class="summary"><?= e(number_format($first)) ?>–<?= e(number_format(min($first + $query->size - 1, $page->total))) ?> of <?= $total ?><?php if ($query->q !== '') : ?> matching “<?= e($query->q) ?>” · <a href="<?= e($query->url($path, ['q' => '', 'page' => 1])) ?>">Show all</a><?php endif ?></p>
<?= $view->part('items', $parts) ?>
<?= $view->part('pager', $parts) ?>
<?php endif ?>
