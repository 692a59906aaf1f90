<?php

declare(strict_types=1);

namespace Shopfleet;

require __DIR__ . '/../src/Response.php';
require __DIR__ . '/../src/ServiceKey.php';
require __DIR__ . '/../src/StoredPage.php';

$id = getenv('REQUEST_ID');
// A probe of the container itself tells nothing.
if (getenv('REQUEST_URI') !== '/healthz' && !ServiceKey::isShown()) {
    ServiceKey::refusal()->send((string) $id);

    return;
}

// Most requests end here, before anything else is loaded.
if ($id !== false && in_array(getenv('REQUEST_METHOD'), ['GET', 'HEAD'], true)) {
    $response = StoredPage::youngResponse();
    if ($response !== null) {
        $response->send($id);

        return;
    }
}

require __DIR__ . '/../src/autoload.php';

set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
    if ((error_reporting() & $level) === 0) {
        return false;
    }
    throw new \ErrorException($message, 0, $level, $file, $line);
});

$request = Request::fromGlobals();
// Apache's own log line then names the same id, also when it was made up here.
apache_setenv('REQUEST_ID', $request->id);
$log = new Log($request->id);
$app = new App(Config::fromEnvironment(), $request, $log);
try {
    $response = $app->answer();
} catch (\Throwable $fault) {
    $log->error('fault', [
        'type' => $fault::class,
        'reason' => $fault->getMessage(),
        'at' => $fault->getFile() . ':' . $fault->getLine(),
    ]);
    while (ob_get_level() > 0) {
        ob_end_clean();
    }
    $response = $app->failure();
}
$response->send($request->id);
