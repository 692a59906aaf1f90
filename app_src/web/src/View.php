<?php

declare(strict_types=1);

namespace Shopfleet;

/** Renders the templates; every page shares one layout. */
final readonly class View
{
    public function __construct(
        private Config $config,
        private Stylesheet $stylesheet,
        private string $requestId,
    ) {
    }

    public function money(): Money
    {
        return $this->config->money;
    }

    /**
     * A whole page.
     *
     * @param array<string, mixed> $values
     */
    public function page(string $template, string $title, array $values = []): string
    {
        return $this->part('layout', [
            'title' => $title,
            'hostname' => $this->config->hostname,
            'isAdmin' => $this->config->isAdmin,
            'stylesheet' => $this->stylesheet->url(),
            'user' => $values['user'] ?? null,
            'csrf' => $values['csrf'] ?? '',
            'here' => $values['here'] ?? '',
            'content' => $this->part($template, $values + ['title' => $title]),
        ]);
    }

    /**
     * A piece of a page.
     *
     * @param array<string, mixed> $values
     */
    public function part(string $template, array $values): string
    {
        $values += [
            'view' => $this,
            'home' => $this->config->isAdmin ? AdminPage::PATH : '/',
            'money' => $this->config->money,
            'lowStock' => $this->config->lowStock,
            'importRows' => $this->config->importRows,
            'requestId' => $this->requestId,
        ];

        return (static function (string $__file, array $__values): string {
            extract($__values, EXTR_SKIP);
            ob_start();
            require $__file;

            return (string) ob_get_clean();
        })(dirname(__DIR__) . '/templates/' . $template . '.php', $values);
    }
}
