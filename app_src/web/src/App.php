<?php

declare(strict_types=1);

namespace Shopfleet;

/** Leads each request to what answers it. */
final readonly class App
{
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
        $this->api = new ApiClient($config->apiUrl, $request->id);
        $this->adminApi = new ApiClient($config->adminApiUrl, $request->id);
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
            ? (new ShopPage($this->view, new Catalogue($this->api, $this->log), $this->log))->answer($this->request)
            : $this->notAllowed('GET, HEAD');
    }

    private function admin(string $path): Response
    {
        if ($path === '/admin') {
            return Response::redirect(AdminPage::PATH, 308);
        }
        if (!in_array($path, [AdminPage::PATH, AdminPage::DELETE_PATH, LoginPage::PATH, '/admin/logout'], true)) {
            return $this->notFound();
        }
        $isPost = $this->request->method === 'POST';
        if (!$isPost && $this->request->method !== 'GET') {
            return $this->notAllowed('GET, HEAD, POST');
        }
        if ($isPost && $this->request->isTooLarge) {
            return $this->message('Too much text', 'The form was too large to be read. Nothing was changed.', 413);
        }
        if ($isPost && $this->request->isForeign) {
            return $this->message('Not accepted', 'This form was sent from another site.', 403);
        }
        $admins = Admins::fromFile(Config::ADMINS_FILE);
        $session = new Session($admins, $this->request->isHttps);
        if ($path === LoginPage::PATH || $session->user() === null) {
            return $this->logIn($path, $admins, $session);
        }
        $page = new AdminPage(
            $this->view,
            $session,
            new Catalogue($this->adminApi, $this->log),
            new Catalogue($this->api, $this->log),
            $this->log,
        );

        return match (true) {
            $path === '/admin/logout' => $isPost ? $page->logOut($this->request) : Response::redirect(AdminPage::PATH),
            $path === AdminPage::DELETE_PATH => $isPost ? $page->delete($this->request) : $page->confirmDelete($this->request),
            default => $isPost ? $page->save($this->request) : $page->show($this->request),
        };
    }

    private function logIn(string $path, Admins $admins, Session $session): Response
    {
        $login = new LoginPage($this->view, $admins, $session, new LoginToken($this->request->isHttps), $this->log);
        if ($path === LoginPage::PATH) {
            return $session->user() !== null && $this->request->method === 'GET'
                ? Response::redirect(AdminPage::PATH)
                : $login->answer($this->request);
        }
        if ($path === '/admin/logout') {
            return Response::redirect(LoginPage::PATH);
        }
        $query = http_build_query($this->request->query, '', '&', PHP_QUERY_RFC3986);
        $next = $path . ($query === '' ? '' : '?' . $query);
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
