<?php

declare(strict_types=1);

use function Shopfleet\e;

?>
<form class="card lone" method="post" action="<?= e($action) ?>">
<h1>Delete “<?= e($name) ?>”?</h1>
<?php if ($problem !== '') : ?>
<p class="notice bad" role="alert"><?= e($problem) ?></p>
<?php endif ?>
<p>The item will be gone from the shop at once. This cannot be undone.</p>
<input type="hidden" name="csrf" value="<?= e($csrf) ?>">
<p class="buttons"><button class="danger">Delete this item</button> <a href="<?= e($back) ?>">Keep it</a></p>
</form>
