<?php

declare(strict_types=1);

require __DIR__ . '/escape.php';

spl_autoload_register(static function (string $class): void {
    $prefix = 'Shopfleet\\';
    if (str_starts_with($class, $prefix)) {
        require __DIR__ . '/' . substr($class, strlen($prefix)) . '.php';
    }
});
