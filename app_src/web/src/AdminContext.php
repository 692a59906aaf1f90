<?php

declare(strict_types=1);

namespace Shopfleet;

/** What all pages of a logged-in admin have in common. */
final readonly class AdminContext
{
    public const string STALE_FORM = 'This form was out of date, so nothing was changed. Please check it and send it again.';
    public const string API_DOWN = 'Nothing can be saved right now: the database does not answer.';

    public function __construct(
        public View $view,
        public Session $session,
        public AdminCatalogue $catalogue,
        private Log $log,
    ) {
    }

    /** Whether a form was made for this session. */
    public function accepts(Request $request): bool
    {
        if (hash_equals($this->session->csrf(), $request->form('csrf'))) {
            return true;
        }
        $this->log->refused($request, 'token', $this->session->user());

        return false;
    }

    /** @param array<string, mixed> $values */
    public function page(string $template, string $title, array $values, int $status = 200): Response
    {
        $values += ['user' => $this->session->user(), 'csrf' => $this->session->csrf(), 'key' => FormKey::orNew()];
        $headers = ['Cache-Control' => 'no-store'] + ($status === 503 ? ['Retry-After' => '10'] : []);

        return Response::html($this->view->page($template, $title, $values), $status, $headers);
    }

    /**
     * Leads on to a page that tells what was done.
     *
     * @param int|null $undo the change that the notice offers to undo
     */
    public function done(string $url, string $notice, ?int $undo = null): Response
    {
        $this->session->put('notice', ['text' => $notice, 'undo' => $undo]);

        return Response::redirect($url);
    }

    /** @return array{text: string, undo: int|null}|null what the page before wanted to be told */
    public function notice(): ?array
    {
        return $this->session->take('notice');
    }

    /** @param array<string, scalar|null> $details */
    public function log(string $message, array $details = []): void
    {
        $this->log->info($message, ['user' => $this->session->user(), ...$details]);
    }

    public function logFailure(string $message, \Throwable $failure): void
    {
        $this->log->error($message, ['reason' => $failure->getMessage()]);
    }
}
