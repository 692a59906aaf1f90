<?php

declare(strict_types=1);

use function Shopfleet\e;

$first = ($query->page - 1) * $query->size + 1;
$isBeyond = $page->total > 0 && $query->page > $page->pages && ($page->isExact || $page->items === []);
$total = ($page->isExact ? '' : 'more than ') . $money->count($page->total) . ($page->total === 1 ? ' item' : ' items');
$until = $first + $query->size - 1;
$range = $money->count($first) . '–' . $money->count($page->isExact ? min($until, $page->total) : $until);
$parts = ['query' => $query, 'page' => $page, 'path' => $path, 'isAdmin' => $isAdmin];
?>
<?php if ($isAdmin && $page->staleFor !== null) : ?>
<?= $view->part('stale', ['seconds' => $page->staleFor]) ?>
<?php endif ?>
<?php if ($page->total === 0 && $query->q === '') : ?>
<div class="empty">
<svg viewBox="0 0 48 48" width="48" height="48" aria-hidden="true"><path d="M6 18h36M6 34h36M10 10v30M38 10v30M16 18v-6h8v6M26 34v-9h7v9"/></svg>
<h2>Nothing for sale yet</h2>
<p><?= $isAdmin ? 'Add the first item with the form, and it will be in the shop at once.' : 'The shelves are being filled. Please come back soon.' ?></p>
</div>
<?php elseif ($page->total === 0) : ?>
<div class="empty">
<svg viewBox="0 0 48 48" width="48" height="48" aria-hidden="true"><circle cx="21" cy="21" r="13"/><path d="m31 31 10 10M16 21h10"/></svg>
<h2>No item matches “<?= e($query->q) ?>”</h2>
<p>Try fewer or other words, or <a href="<?= e($query->url($path, ['q' => '', 'page' => 1])) ?>">see all items</a>.</p>
</div>
<?php elseif ($isBeyond) : ?>
<div class="empty">
<svg viewBox="0 0 48 48" width="48" height="48" aria-hidden="true"><path d="M12 6h17l9 9v27H12zM29 6v9h9M19 25h12M19 32h12" stroke-dasharray="3 3"/></svg>
<h2>There is no page <?= e($money->count($query->page)) ?></h2>
<p>The list ends at <a href="<?= e($query->url($path, ['page' => $page->pages])) ?>">page <?= e($money->count($page->pages)) ?></a>.</p>
</div>
<?php else : ?>
<p class="summary"><?= e($range) ?> of <?= e($total) ?><?php if ($query->q !== '') : ?> matching “<?= e($query->q) ?>” · <a href="<?= e($query->url($path, ['q' => '', 'page' => 1])) ?>">Show all</a><?php endif ?></p>
<?= $view->part('items', $parts) ?>
<?= $view->part('pager', $parts) ?>
<?php endif ?>
