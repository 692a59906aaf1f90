<?php

declare(strict_types=1);

use function Shopfleet\e;

$fields = [
    'name' => ['label' => 'Item name', 'value' => $form->name, 'mode' => 'text', 'hint' => ''],
    'quantity' => ['label' => 'Quantity', 'value' => $form->quantity, 'mode' => 'numeric', 'hint' => ''],
    'price' => ['label' => "Price in {$money->symbol}", 'value' => $form->price, 'mode' => 'decimal', 'hint' => $edit === '' ? 'For an item that exists: leave empty to keep its price.' : ''],
];
$parts = ['query' => $query, 'page' => $page, 'path' => '/admin/', 'isAdmin' => true];
?>
<div class="head">
<h1>Stock</h1>
<?= $view->part('search', $parts) ?>
</div>
<?= $view->part('notice', ['notice' => $notice, 'undo' => $undo, 'csrf' => $csrf, 'key' => $key]) ?>
<div class="columns">
<section aria-labelledby="form-title">
<form class="card" method="post" action="<?= e($action) ?>" autocomplete="off">
<h2 id="form-title"><?= $edit === '' ? 'Add or update an item' : e("Edit “{$edit}”") ?></h2>
<?php if ($problem !== '') : ?>
<p class="notice bad" role="alert"><?= e($problem) ?></p>
<?php endif ?>
<?php if ($errors !== []) : ?>
<div class="notice bad" role="alert">
<p><strong>Nothing was saved. Please correct:</strong></p>
<ul>
<?php foreach ($errors as $field => $message) : ?>
<li><a href="#<?= e($field) ?>"><?= e($message) ?></a></li>
<?php endforeach ?>
</ul>
</div>
<?php endif ?>
<input type="hidden" name="csrf" value="<?= e($csrf) ?>">
<input type="hidden" name="key" value="<?= e($form->key) ?>">
<?php if ($edit !== '') : ?>
<input type="hidden" name="old_quantity" value="<?= e($form->oldQuantity) ?>">
<input type="hidden" name="old_price" value="<?= e($form->oldPrice) ?>">
<?php endif ?>
<?php foreach ($fields as $field => $about) :
    $describedBy = implode(' ', array_filter([
        isset($errors[$field]) ? "{$field}-error" : '',
        $about['hint'] === '' ? '' : "{$field}-hint",
    ]));
    ?>
<div class="field">
<label for="<?= $field ?>"><?= e($about['label']) ?></label>
<?php if ($about['hint'] !== '') : ?>
<p class="hint" id="<?= $field ?>-hint"><?= e($about['hint']) ?></p>
<?php endif ?>
<?php if (isset($errors[$field])) : ?>
<p class="error" id="<?= $field ?>-error"><span class="sr">Error: </span><?= e($errors[$field]) ?></p>
<?php endif ?>
<input id="<?= $field ?>" name="<?= $field ?>" value="<?= e($about['value']) ?>" inputmode="<?= $about['mode'] ?>"<?= isset($errors[$field]) ? ' aria-invalid="true"' : '' ?><?= $describedBy === '' ? '' : " aria-describedby=\"{$describedBy}\"" ?><?= $autofocus === $field ? ' autofocus' : '' ?>>
</div>
<?php endforeach ?>
<?php if ($edit === '') : ?>
<fieldset id="mode">
<legend>If the item exists</legend>
<label><input type="radio" name="mode" value="set"<?= $form->mode === 'set' ? ' checked' : '' ?>> Set its quantity to this number</label>
<label><input type="radio" name="mode" value="add"<?= $form->mode === 'add' ? ' checked' : '' ?>> Add this number to its quantity</label>
</fieldset>
<?php endif ?>
<p class="buttons"><button>Save</button><?php if ($edit !== '') : ?> <a href="<?= e($cancel) ?>">Cancel</a><?php endif ?></p>
</form>
</section>
<section aria-label="Items">
<?php if ($page === null) : ?>
<div class="empty">
<h2>The items cannot be shown</h2>
<p>They are safe, but cannot be read at the moment. <a href="<?= e($cancel) ?>">Try again</a></p>
</div>
<?php else : ?>
<?= $view->part('list', $parts) ?>
<?php endif ?>
</section>
</div>
