<?php

declare(strict_types=1);

use function Shopfleet\e;

?>
<search><form class="search" action="<?= e($path) ?>">
<label for="q">Search items</label>
<input type="search" id="q" name="q" value="<?= e($query->q) ?>" placeholder="Part of a name" autocomplete="off" maxlength="120">
<?php foreach ($query->parameters(['q' => '', 'page' => 1]) as $name => $value) : ?>
<input type="hidden" name="<?= e($name) ?>" value="<?= e($value) ?>">
<?php endforeach ?>
<button>Search</button>
</form></search>
