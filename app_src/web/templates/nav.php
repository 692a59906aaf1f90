<?php

declare(strict_types=1);

use Shopfleet\AdminPage;
use Shopfleet\ChangesPage;
use Shopfleet\ImportPage;

$links = [AdminPage::PATH => 'Stock', ChangesPage::PATH => 'Changes', ImportPage::PATH => 'Import/Export'];
?>
<nav class="places" aria-label="Admin"><ul>
<?php foreach ($links as $path => $label) : ?>
<li><a href="<?= $path ?>"<?= $path === $here ? ' aria-current="page"' : '' ?>><?= $label ?></a></li>
<?php endforeach ?>
</ul></nav>
