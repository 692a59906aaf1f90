<?php

declare(strict_types=1);

use Shopfleet\ImportPage;
use Shopfleet\Upload;

use function Shopfleet\e;

?>
<div class="head">
<h1>Import and export</h1>
</div>
<?= $view->part('notice', ['notice' => $notice, 'undo' => '', 'csrf' => $csrf, 'key' => $key]) ?>
<?php if ($problem !== '') : ?>
<p class="notice bad" role="alert"><?= e($problem) ?></p>
<?php endif ?>
<div class="pair">
<form class="card" method="post" action="<?= ImportPage::PATH ?>" enctype="multipart/form-data">
<h2>Import a file</h2>
<?php if ($error !== '') : ?>
<div class="notice bad" role="alert">
<p><strong>Nothing was changed. Please correct:</strong></p>
<ul>
<li><a href="#file"><?= e($error) ?></a></li>
</ul>
</div>
<?php endif ?>
<p>You see first what would change. Nothing happens until you say so, and items that the file does not name stay as they are.</p>
<input type="hidden" name="csrf" value="<?= e($csrf) ?>">
<input type="hidden" name="key" value="<?= e($key) ?>">
<div class="field">
<label for="file">CSV file</label>
<p class="hint" id="file-hint">With the columns name, quantity and price in its first line; at most <?= number_format($importRows) ?> rows and <?= Upload::largest() ?>, in UTF-8.</p>
<?php if ($error !== '') : ?>
<p class="error" id="file-error"><span class="sr">Error: </span><?= e($error) ?></p>
<?php endif ?>
<input type="file" id="file" name="file" accept=".csv,text/csv"<?= $error === '' ? '' : ' aria-invalid="true" autofocus' ?> aria-describedby="<?= $error === '' ? '' : 'file-error ' ?>file-hint">
</div>
<p class="buttons"><button>Check the file</button></p>
<p class="hint">For example:</p>
<pre class="example">name,quantity,price
Tea kettle,12,24.90
"Lamp, brass",3,119.00</pre>
</form>
<section class="card" aria-labelledby="export-title">
<h2 id="export-title">Export all items</h2>
<p>A CSV file with name, quantity and price of every item, as of now. It can be changed and imported again.</p>
<p class="buttons"><a class="button" href="<?= ImportPage::EXPORT_PATH ?>">Download the items</a></p>
</section>
</div>
