<?php

declare(strict_types=1);

namespace Shopfleet;

/** Log-in: it carries along where the admin wanted to go and what was typed before the session ran out. */
final readonly class LoginPage
{
    public const string PATH = '/admin/login';

    public function __construct(
        private View $view,
        private Admins $admins,
        private Session $session,
        private LoginToken $token,
        private KnownBrowser $browser,
        private Log $log,
    ) {
    }

    public function answer(Request $request): Response
    {
        if ($request->method !== 'POST') {
            return $this->form($request->query('next'));
        }

        return $this->logIn($request);
    }

    /** What is shown instead of the answer to a form that was sent without a session. */
    public function interrupted(Request $request, string $next): Response
    {
        $typed = $request->path === AdminPage::PATH ? array_intersect_key($request->form, array_flip(ItemForm::FIELDS)) : [];
        $text = match (true) {
            $typed !== [] => 'Log in again to go on: what you typed is kept.',
            $request->upload !== null || $request->isTooLarge => 'Log in again, then choose the file once more.',
            default => 'Log in again to go on. Nothing was changed yet.',
        };

        return $this->form($next, $typed, "Your session has run out. {$text}", 401);
    }

    private function logIn(Request $request): Response
    {
        $user = trim($request->form('username'));
        $next = $request->form('next');
        $typed = $this->typedBefore($request);
        if (!hash_equals($this->token->value, $request->form('csrf'))) {
            $this->log->refused($request, 'token', $user);

            return $this->form($next, $typed, 'This form was out of date. Please log in again.', 403, $user);
        }
        if ($this->admins->isEmpty()) {
            $this->log->error('no admin account in ' . Config::ADMINS_FILE);

            return $this->form($next, $typed, 'No admin account has been set up yet.', 503, $user);
        }
        try {
            $isRight = (new LoginThrottle())->attempt(
                $request->client,
                $this->browser->isKnownAs($user) ? null : $user,
                fn (): bool => $this->admins->verify($user, $request->form('password')),
            );
        } catch (LoginBusy) {
            return $this->form($next, $typed, 'Too many log-ins at once. Please try again.', 503, $user);
        } catch (LoginThrottled $wait) {
            $this->log->warning('log-in throttled', ['user' => $user, 'client' => $request->client]);
            $text = "Too many log-ins have failed. Please wait {$wait->waitText()}, then try again.";

            return $this->form($next, $typed, $text, 429, $user, ['Retry-After' => (string) $wait->seconds]);
        }
        if (!$isRight) {
            $this->log->warning('log-in refused', ['user' => $user, 'client' => $request->client]);

            return $this->form($next, $typed, 'User name or password is wrong.', 401, $user);
        }
        $this->session->logIn($user);
        $this->browser->remember($user);
        $this->log->info('log-in', ['user' => $user, 'client' => $request->client]);
        if ($typed !== []) {
            $this->session->put('draft', $typed);
        }

        return Response::redirect($this->safe($next));
    }

    /** @return array<string, string> */
    private function typedBefore(Request $request): array
    {
        $typed = [];
        foreach (ItemForm::FIELDS as $field) {
            if (isset($request->form["typed_{$field}"])) {
                $typed[$field] = $request->form["typed_{$field}"];
            }
        }

        return $typed;
    }

    /**
     * @param array<string, string> $typed
     * @param array<string, string> $headers
     */
    private function form(
        string $next,
        array $typed = [],
        string $error = '',
        int $status = 200,
        string $user = '',
        array $headers = [],
    ): Response {
        return Response::html(
            $this->view->page('login', $error === '' ? 'Log in' : 'Error: Log in', [
                'next' => $this->safe($next),
                'typed' => $typed,
                'error' => $error,
                'username' => $user,
                'token' => $this->token->value,
            ]),
            $status,
            $headers + ['Cache-Control' => 'no-store'],
        );
    }

    /** Only addresses of the admin page itself, never one of another site. */
    private function safe(string $next): string
    {
        return preg_match('{^/admin/(delete|undo|changes|import)?(\?[!-~]*)?$}D', $next) === 1 ? $next : '/admin/';
    }
}
