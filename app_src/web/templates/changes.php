<?php

declare(strict_types=1);

use Shopfleet\ChangesPage;
use Shopfleet\ImportPage;

use function Shopfleet\e;

?>
<div class="head">
<h1>Changes</h1>
</div>
<?= $view->part('notice', ['notice' => $notice, 'undo' => $undo, 'csrf' => $csrf, 'key' => $key]) ?>
<?php if ($page === null) : ?>
<div class="empty">
<h2>The log cannot be shown</h2>
<p>It is safe, but cannot be read at the moment. <a href="<?= e($again) ?>">Try again</a></p>
</div>
<?php elseif ($page->changes === []) : ?>
<div class="empty">
<h2><?= $isNewest ? 'Nothing has been changed yet' : 'There is nothing older' ?></h2>
<p><?php if ($isNewest) : ?>Everything that is added, changed or deleted will be listed here.<?php else : ?><a href="<?= ChangesPage::PATH ?>">Show the newest</a><?php endif ?></p>
</div>
<?php else : ?>
<p class="summary">Newest first, times in UTC</p>
<ol class="log sheet" id="changes">
<?php foreach ($page->changes as $change) : ?>
<li>
<p class="what"><strong><?= e($change->title()) ?></strong> was <?= $change->verb() ?></p>
<dl>
<?php foreach ($change->values($money) as $label => ['before' => $before, 'after' => $after]) : ?>
<div><dt><?= $label ?></dt> <dd><?php if ($before !== null && $after !== null) : ?><span class="old"><?= e($before) ?></span> <span aria-hidden="true">→</span><span class="sr"> to </span> <?php endif ?><span><?= e($after ?? (string) $before) ?></span></dd></div>
<?php endforeach ?>
</dl>
<p class="when"><time datetime="<?= $change->at->format('Y-m-d\TH:i:s.vp') ?>"><?= $change->at->format('j M Y, H:i:s') ?></time> by <?= e($change->actor) ?><?php if ($change->import !== null) : ?>, <a href="<?= ImportPage::PATH ?>?id=<?= $change->import ?>">import <?= $change->import ?></a><?php endif ?></p>
<?php if ($change->isUndoable) : ?>
<form method="post" action="<?= e($undo) ?>">
<input type="hidden" name="csrf" value="<?= e($csrf) ?>">
<input type="hidden" name="key" value="<?= e($key) ?>">
<input type="hidden" name="change" value="<?= $change->id ?>">
<button class="quiet">Undo<span class="sr"> the deletion of <?= e($change->name) ?></span></button>
</form>
<?php endif ?>
</li>
<?php endforeach ?>
</ol>
<?php if ($page->next !== null || !$isNewest) : ?>
<nav class="below" aria-label="Pages"><ul class="pages">
<?php if (!$isNewest) : ?>
<li><a href="<?= ChangesPage::PATH ?>">Newest</a></li>
<?php endif ?>
<?php if ($page->next !== null) : ?>
<li><a rel="next" href="<?= ChangesPage::PATH ?>?before=<?= $page->next ?>">Older</a></li>
<?php endif ?>
</ul></nav>
<?php endif ?>
<?php endif ?>
