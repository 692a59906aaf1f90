<?php

declare(strict_types=1);

use function Shopfleet\e;

?>
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title><?= e($title) ?> – Shopfleet<?= $isAdmin ? ' admin' : '' ?></title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<?php if ($isAdmin) : ?>
<meta name="robots" content="noindex">
<?php endif ?>
<meta name="description" content="<?= $isAdmin ? 'Stock and prices of the shop, for its staff.' : 'Everything we have for sale, with stock and prices.' ?>">
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="<?= e($stylesheet) ?>">
<link rel="icon" href="data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%20viewBox='0%200%2016%2016'%3E%3Cpath%20fill='%230f6a5f'%20d='M1%202h14v3H1zM1%206.5h10v3H1zM1%2011h6v3H1z'/%3E%3C/svg%3E">
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="bar">
<p class="host"><span class="sr">Served by </span><span id="hostname"><?= e($hostname) ?></span></p>
<p class="brand"><a href="<?= e($home) ?>"><svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="M1 2h14v3H1zM1 6.5h10v3H1zM1 11h6v3H1z"/></svg>Shopfleet<?= $isAdmin ? ' <span>admin</span>' : '' ?></a></p>
<?php if ($user !== null) : ?>
<?= $view->part('nav', ['here' => $here]) ?>
<form class="account" method="post" action="/admin/logout">
<input type="hidden" name="csrf" value="<?= e($csrf) ?>">
<span class="user"><span class="sr">Logged in as </span><?= e($user) ?></span>
<button class="quiet">Log out</button>
</form>
<?php endif ?>
</header>
<main id="main" tabindex="-1">
<?= $content ?>
</main>
<footer>
<p>Shopfleet<?= $isAdmin ? '' : ' · Prices and stock may have changed since this page was made' ?></p>
</footer>
</body>
</html>
