<?php

declare(strict_types=1);

use Shopfleet\ListQuery;

use function Shopfleet\e;

$last = max(1, $page->pages, $page->isExact ? 1 : $query->page + ($page->next === '' ? 0 : 1));
$near = [$query->page - 1 => $page->previous, $query->page + 1 => $page->next];
$to = static fn (int $number): string => $query->url(
    $path,
    ['page' => $number, 'cursor' => $number === 1 ? '' : $near[$number] ?? ''],
);
$numbers = array_values(array_filter(
    array_unique([1, $query->page - 1, $query->page, $query->page + 1, $last]),
    static fn (int $number): bool => $number >= 1 && $number <= $last,
));
?>
<div class="below">
<?php if ($last > 1) : ?>
<nav aria-label="Pages"><ul class="pages">
<?php if ($query->page > 1) : ?>
<li><a rel="prev" href="<?= e($to($query->page - 1)) ?>">Previous</a></li>
<?php endif ?>
<?php foreach ($numbers as $index => $number) : ?>
<?php if ($index > 0 && $number > $numbers[$index - 1] + 1) : ?>
<li aria-hidden="true">…</li>
<?php endif ?>
<li><a href="<?= e($to($number)) ?>"<?= $number === $query->page ? ' aria-current="page"' : '' ?>><span class="sr">Page </span><?= e($money->count($number)) ?></a></li>
<?php endforeach ?>
<?php if ($query->page < $last) : ?>
<li><a rel="next" href="<?= e($to($query->page + 1)) ?>">Next</a></li>
<?php endif ?>
</ul></nav>
<?php endif ?>
<nav aria-label="Items per page"><ul class="pages">
<li aria-hidden="true">Per page</li>
<?php foreach (ListQuery::SIZES as $size) : ?>
<li><a href="<?= e($query->url($path, ['size' => $size, 'page' => 1])) ?>"<?= $size === $query->size ? ' aria-current="true"' : '' ?>><?= e($size) ?><span class="sr"> items per page</span></a></li>
<?php endforeach ?>
</ul></nav>
</div>
