<?php

declare(strict_types=1);

use Shopfleet\ImportPage;

use function Shopfleet\e;

?>
<form method="post" action="<?= e($action) ?>">
<input type="hidden" name="csrf" value="<?= e($csrf) ?>">
<input type="hidden" name="key" value="<?= e($key) ?>">
<input type="hidden" name="digest" value="<?= e($digest) ?>">
<p class="buttons"><button><?= e($button) ?></button> <a href="<?= ImportPage::PATH ?>">Do not import</a></p>
</form>
