<?php

declare(strict_types=1);

namespace Shopfleet;

/** Leads each request to what answers it. */
final readonly class App
{
    private const string LOGOUT_PATH = '/admin/logout';
    private const array ADMIN_PATHS = [
        AdminPage::PATH => 'GET, HEAD, POST',
        DeletePage::PATH => 'GET, HEAD, POST',
        UndoPage::PATH => 'GET, HEAD, POST',
        ChangesPage::PATH => 'GET, HEAD',
        ImportPage::PATH => 'GET, HEAD, POST',
        ImportPage::EXPORT_PATH => 'GET, HEAD',
        LoginPage::PATH => 'GET, HEAD, POST',
        self::LOGOUT_PATH => 'GET, HEAD, POST',
    ];

    private View $view;
    private Stylesheet $stylesheet;
    private ApiClient $api;
    private ApiClient $adminApi;

    public function __construct(
        private Config $config,
        private Request $request,
        private Log $log,
    ) {
        $this->stylesheet = new Stylesheet($config->isAdmin ? '/admin/' : '/');
        $this->view = new View($config, $this->stylesheet, $request->id);
        $this->api = new ApiClient($config->apiUrl, $config->serviceKey, $request->id);
        $this->adminApi = new ApiClient($config->adminApiUrl, $config->serviceKey, $request->id);
    }

    public function answer(): Response
    {
        $path = $this->request->path;

        return match ($path) {
            '/healthz' => $this->health()->alive(),
            '/readyz' => $this->health()->ready(),
            '/metrics' => $this->health()->metrics(),
            default => $this->stylesheet->answer($path) ?? ($this->config->isAdmin ? $this->admin($path) : $this->shop($path)),
        };
    }

    /** The page for the case that something in here went wrong. */
    public function failure(): Response
    {
        return $this->message('Something went wrong', 'The page could not be made. The fault has been recorded.', 500);
    }

    private function health(): Health
    {
        return new Health(['api' => $this->api] + ($this->config->isAdmin ? ['admin_api' => $this->adminApi] : []));
    }

    private function shop(string $path): Response
    {
        if ($path !== '/') {
            return $this->notFound();
        }

        return $this->request->method === 'GET'
            ? (new ShopPage(
                $this->view,
                new Catalogue($this->api, $this->log),
                PageCache::fromEnvironment(),
                $this->log,
            ))->answer($this->request)
            : $this->notAllowed('GET, HEAD');
    }

    private function admin(string $path): Response
    {
        if ($path === '/admin') {
            return Response::redirect(AdminPage::PATH, 308);
        }
        $allowed = self::ADMIN_PATHS[$path] ?? null;
        if ($allowed === null) {
            return $this->notFound();
        }
        if (!in_array($this->request->method, explode(', ', $allowed), true)) {
            return $this->notAllowed($allowed);
        }
        $isPost = $this->request->method === 'POST';
        if ($isPost && $this->request->isTooLarge && $path !== ImportPage::PATH) {
            return $this->message('Too much text', 'The form was too large to be read. Nothing was changed.', 413);
        }
        if ($isPost && $this->request->isForeign) {
            $this->log->refused($this->request, 'another site');

            return $this->message('Not accepted', 'This form was sent from another site.', 403);
        }
        $admins = Admins::fromFile(Config::ADMINS_FILE);
        $session = new Session($admins, $this->request->isHttps);
        if ($path === LoginPage::PATH || $session->user() === null) {
            return $this->logIn($path, $admins, $session);
        }
        $context = new AdminContext(
            $this->view,
            $session,
            new AdminCatalogue($this->adminApi, $session->user()),
            $this->log,
        );

        return match ($path) {
            AdminPage::PATH => $this->stock($context)->answer($this->request),
            self::LOGOUT_PATH => $this->stock($context)->logOut($this->request),
            DeletePage::PATH => (new DeletePage($context))->answer($this->request),
            UndoPage::PATH => (new UndoPage($context))->answer($this->request),
            ChangesPage::PATH => (new ChangesPage($context))->answer($this->request),
            ImportPage::PATH => (new ImportPage($context))->answer($this->request),
            ImportPage::EXPORT_PATH => (new ImportPage($context))->export(),
        };
    }

    private function stock(AdminContext $context): AdminPage
    {
        return new AdminPage($context, new Catalogue($this->adminApi, $this->log), new Catalogue($this->api, $this->log));
    }

    private function logIn(string $path, Admins $admins, Session $session): Response
    {
        $isHttps = $this->request->isHttps;
        $login = new LoginPage(
            $this->view,
            $admins,
            $session,
            new LoginToken($isHttps),
            new KnownBrowser($admins, $isHttps),
            $this->log,
        );
        if ($path === LoginPage::PATH) {
            return $session->user() !== null && $this->request->method === 'GET'
                ? Response::redirect(AdminPage::PATH)
                : $login->answer($this->request);
        }
        if ($path === self::LOGOUT_PATH) {
            return Response::redirect(LoginPage::PATH);
        }
        // What a form in a notice or in the log is about is not in its address.
        $about = array_intersect_key($this->request->form, ['change' => '']);
        $query = http_build_query($this->request->query + $about, '', '&', PHP_QUERY_RFC3986);
        // A download would leave the log-in page standing there.
        $next = $path === ImportPage::EXPORT_PATH ? ImportPage::PATH : $path . ($query === '' ? '' : '?' . $query);
        if ($this->request->method === 'POST') {
            return $login->interrupted($this->request, $next);
        }

        return Response::redirect(LoginPage::PATH . ($next === AdminPage::PATH ? '' : '?next=' . rawurlencode($next)));
    }

    private function notFound(): Response
    {
        return $this->message('Page not found', 'There is nothing at this address.', 404);
    }

    private function notAllowed(string $allowed): Response
    {
        return $this->message('Not possible', 'This address cannot be used in this way.', 405, ['Allow' => $allowed]);
    }

    /** @param array<string, string> $headers */
    private function message(string $title, string $text, int $status, array $headers = []): Response
    {
        return Response::html(
            $this->view->page('message', $title, ['text' => $text]),
            $status,
            $headers + ['Cache-Control' => 'no-store'],
        );
    }
}
