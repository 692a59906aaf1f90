<?php

declare(strict_types=1);

use function Shopfleet\e;

?>
<?php if ($notice !== null) : ?>
<div class="notice good">
<p role="status"><?= e($notice['text']) ?></p>
<?php if ($notice['undo'] !== null) : ?>
<form method="post" action="<?= e($undo) ?>">
<input type="hidden" name="csrf" value="<?= e($csrf) ?>">
<input type="hidden" name="key" value="<?= e($key) ?>">
<input type="hidden" name="change" value="<?= e($notice['undo']) ?>">
<button class="quiet">Undo</button>
</form>
<?php endif ?>
</div>
<?php endif ?>
