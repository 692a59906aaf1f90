<?php

declare(strict_types=1);

use Shopfleet\DeletePage;

use function Shopfleet\e;

$columns = ['name' => 'Item name', 'quantity' => 'Quantity', 'price' => 'Price'];
$arrows = ['ascending' => '▲', 'descending' => '▼', 'none' => '↕'];
?>
<div class="sheet">
<table id="items">
<caption class="sr">Items, <?= e($columns[$query->sort]) ?> <?= $query->dir === 'asc' ? 'ascending' : 'descending' ?></caption>
<thead><tr>
<?php foreach ($columns as $column => $label) : $sorted = $query->ariaSort($column) ?>
<th scope="col" aria-sort="<?= $sorted ?>"><a href="<?= e($query->sortUrl($path, $column)) ?>"><?= $label ?><span aria-hidden="true"><?= $arrows[$sorted] ?></span></a></th>
<?php endforeach ?>
</tr></thead>
<tbody>
<?php foreach ($page->items as $item) : $mark = $item->stockMark($lowStock) ?>
<tr><th scope="row"><?= e($item->name) ?>
<?php if ($isAdmin) : ?>
<span class="actions"><a href="<?= e($query->url($path, ['edit' => $item->name])) ?>">Edit<span class="sr"> <?= e($item->name) ?></span></a> <a class="danger" href="<?= e($query->url(DeletePage::PATH, ['name' => $item->name])) ?>">Delete<span class="sr"> <?= e($item->name) ?></span></a></span>
<?php endif ?>
</th><td><?= e($money->count($item->quantity)) ?><?php if ($mark !== null) : ?> <span class="mark <?= $mark['class'] ?>"><?= $mark['text'] ?></span><?php endif ?></td><td><?= e($money->amount($item->price)) ?></td></tr>
<?php endforeach ?>
</tbody>
</table>
</div>
