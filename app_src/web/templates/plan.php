<?php

declare(strict_types=1);

use Shopfleet\ChangesPage;
use Shopfleet\ImportPage;

use function Shopfleet\e;

$count = static fn (int $number, string $one, string $many): string => $money->count($number) . ' ' . ($number === 1 ? $one : $many);
$pair = static fn (?string $before, string $after): string => $before === null || $before === $after
    ? e($after)
    : '<span class="old">' . e($before) . '</span> <span aria-hidden="true">→</span><span class="sr"> to </span> <strong>' . e($after) . '</strong>';
?>
<div class="head">
<h1><?= e($title) ?></h1>
<p><a href="<?= ImportPage::PATH ?>">Import another file</a></p>
</div>
<?= $view->part('notice', ['notice' => $notice, 'undo' => '', 'csrf' => $csrf, 'key' => $key]) ?>
<?php if ($problem !== '') : ?>
<p class="notice bad" role="alert"><?= e($problem) ?></p>
<?php endif ?>
<?php if ($plan === null) : ?>
<div class="empty">
<h2>The plan cannot be shown</h2>
<p>The file is kept, but cannot be read at the moment. <a href="<?= e($again) ?>">Show the plan</a></p>
<?php if ($digest !== '') : ?>
<?= $view->part('apply', ['action' => $again, 'csrf' => $csrf, 'key' => $key, 'digest' => $digest, 'button' => 'Try to apply it again']) ?>
<?php endif ?>
</div>
<?php else : ?>
<div class="card plan">
<dl class="counts">
<div><dt><?= $plan->isApplied() ? 'Added' : 'To be added' ?></dt><dd><?= e($money->count($plan->created)) ?></dd></div>
<div><dt><?= $plan->isApplied() ? 'Changed' : 'To be changed' ?></dt><dd><?= e($money->count($plan->updated)) ?></dd></div>
<div><dt><?= $plan->isApplied() ? 'Left as they were' : 'Stay as they are' ?></dt><dd><?= e($money->count($plan->unchanged)) ?></dd></div>
<?php if ($plan->faults !== []) : ?>
<div class="bad"><dt>Faults in the file</dt><dd><?= e($money->count(count($plan->faults))) ?></dd></div>
<?php endif ?>
</dl>
<?php if ($plan->isApplied()) : ?>
<p>Each of these changes is in the <a href="<?= ChangesPage::PATH ?>">log of changes</a>.</p>
<?php elseif ($plan->isFaulty()) : ?>
<p>Nothing is imported as long as the file has faults: correct these rows in the file, then <a href="<?= ImportPage::PATH ?>">choose it again</a>.</p>
<?php elseif ($plan->changesNothing()) : ?>
<p>The stock is already as the file says. There is nothing to do.</p>
<?php endif ?>
<?php if (!$plan->isApplied() && !$plan->isFaulty() && !$plan->changesNothing()) : ?>
<?= $view->part('apply', ['action' => $again, 'csrf' => $csrf, 'key' => $key, 'digest' => $digest, 'button' => 'Apply ' . $count($plan->created + $plan->updated, 'change', 'changes')]) ?>
<?php endif ?>
</div>
<?php if ($plan->faults !== []) : ?>
<section class="rows" aria-labelledby="faults-title">
<h2 id="faults-title"><?= e($count(count($plan->faults), 'fault', 'faults')) ?> in the file</h2>
<div class="sheet">
<table class="plain" id="faults">
<thead><tr><th scope="col">Line</th><th scope="col">What is wrong</th></tr></thead>
<tbody>
<?php foreach ($plan->faults as ['line' => $line, 'message' => $message]) : ?>
<tr><th scope="row"><?= $line ?></th><td><?= e($message) ?></td></tr>
<?php endforeach ?>
</tbody>
</table>
</div>
</section>
<?php endif ?>
<?php foreach (['changed' => ['change', $plan->changed()], 'added' => ['add', $plan->added()]] as $kind => [$verb, $rows]) : ?>
<?php if ($rows !== []) : ?>
<section class="rows" aria-labelledby="<?= $kind ?>-title">
<h2 id="<?= $kind ?>-title"><?= e($count(count($rows), 'item', 'items')) ?> <?= $plan->isApplied() ? $kind : "to {$verb}" ?></h2>
<div class="sheet">
<table id="<?= $kind ?>">
<thead><tr><th scope="col">Item name</th><th scope="col">Quantity</th><th scope="col">Price</th></tr></thead>
<tbody>
<?php foreach ($rows as ['line' => $line, 'old' => $old, 'new' => $new]) : ?>
<tr><th scope="row"><?= e($new->name) ?> <span class="line">line <?= $line ?></span></th><td><?= $pair($old === null ? null : $money->count($old->quantity), $money->count($new->quantity)) ?></td><td><?= $pair($old === null ? null : $money->amount($old->price), $money->amount($new->price)) ?></td></tr>
<?php endforeach ?>
</tbody>
</table>
</div>
</section>
<?php endif ?>
<?php endforeach ?>
<?php endif ?>
