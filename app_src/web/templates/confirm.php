<?php

declare(strict_types=1);

use function Shopfleet\e;

?>
<form class="card lone" method="post" action="<?= e($action) ?>">
<h1><?= e($title) ?></h1>
<?php if ($problem !== '') : ?>
<p class="notice bad" role="alert"><?= e($problem) ?></p>
<?php endif ?>
<?php if ($text !== '') : ?>
<p><?= e($text) ?></p>
<?php endif ?>
<input type="hidden" name="csrf" value="<?= e($csrf) ?>">
<?php foreach ($hidden as $name => $value) : ?>
<input type="hidden" name="<?= e($name) ?>" value="<?= e($value) ?>">
<?php endforeach ?>
<p class="buttons"><?php if ($button !== '') : ?><button<?= $isDangerous ? ' class="danger"' : '' ?>><?= e($button) ?></button> <?php endif ?><a href="<?= e($back) ?>"><?= e($backText) ?></a></p>
</form>
