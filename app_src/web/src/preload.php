<?php

declare(strict_types=1);

// Run once, when Apache starts: every worker then has all classes at hand, and a page loads none.
foreach (glob(__DIR__ . '/[A-Z]*.php') as $file) {
    require_once $file;
}
