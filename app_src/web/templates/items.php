<?php

declare(strict_types=1);

use function Shopfleet\e;

$columns = ['name' => 'Item name', 'quantity' => 'Quantity', 'price' => 'Price'];
$arrows = [
    'ascending' => '<span aria-hidden="true">▲</span>',
    'descending' => '<span aria-hidden="true">▼</span>',
    'none' => '',
];
?>
<table id="items">
<caption class="sr">Items, <?= e($columns[$query->sort]) ?> <?= $query->dir === 'asc' ? 'ascending' : 'descending' ?></caption>
<thead><tr>
<?php foreach ($columns as $column => $label) : $sorted = $query->ariaSort($column) ?>
<th scope="col" aria-sort="<?= $sorted ?>"><a href="<?= e($query->sortUrl($path, $column)) ?>"><?= $label ?><?= $arrows[$sorted] ?></a></th>
<?php endforeach ?>
</tr></thead>
<tbody>
<?php foreach ($page->items as $item) : $mark = $item->stockMark() ?>
<tr><th scope="row"><?= e($item->name) ?>
<?php if ($isAdmin) : ?>
<span class="actions"><a href="<?= e($query->url($path, ['edit' => $item->name])) ?>">Edit<span class="sr"> <?= e($item->name) ?></span></a> <a class="danger" href="<?= e($query->url(\Shopfleet\AdminPage::DELETE_PATH, ['name' => $item->name])) ?>">Delete<span class="sr"> <?= e($item->name) ?></span></a></span>
<?php endif ?>
</th><td><?php if ($mark !== null) : ?><span class="mark <?= $mark['class'] ?>"><?= $mark['text'] ?></span> <?php endif ?><?= $item->quantityText() ?></td><td><?= e($item->priceIn($currency)) ?></td></tr>
<?php endforeach ?>
</tbody>
</table>
