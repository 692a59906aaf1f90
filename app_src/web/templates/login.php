<?php

declare(strict_types=1);

use Shopfleet\LoginPage;

use function Shopfleet\e;

?>
<form class="card login" method="post" action="<?= LoginPage::PATH ?>">
<h1>Log in</h1>
<?php if ($error !== '') : ?>
<p class="notice bad" role="alert" id="login-error"><?= e($error) ?></p>
<?php endif ?>
<input type="hidden" name="csrf" value="<?= e($token) ?>">
<input type="hidden" name="next" value="<?= e($next) ?>">
<?php foreach ($typed as $field => $value) : ?>
<input type="hidden" name="typed_<?= e($field) ?>" value="<?= e($value) ?>">
<?php endforeach ?>
<div class="field">
<label for="username">User name</label>
<input id="username" name="username" value="<?= e($username) ?>" autocomplete="username" autocapitalize="none" spellcheck="false" required<?= $username === '' ? ' autofocus' : '' ?><?= $error === '' ? '' : ' aria-describedby="login-error"' ?>>
</div>
<div class="field">
<label for="password">Password</label>
<input type="password" id="password" name="password" autocomplete="current-password" required<?= $username === '' ? '' : ' autofocus' ?>>
</div>
<button>Log in</button>
</form>
