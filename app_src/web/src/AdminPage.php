<?php

declare(strict_types=1);

namespace Shopfleet;

/** The page for people who sell: the items, and a form that adds or updates one. */
final readonly class AdminPage
{
    public const string PATH = '/admin/';
    public const string DELETE_PATH = '/admin/delete';
    private const array NO_STORE = ['Cache-Control' => 'no-store'];
    private const string STALE_FORM = 'This form was out of date, so nothing was changed. Please check it and send it again.';
    private const string API_DOWN = 'Nothing can be saved right now: the database does not answer.';

    public function __construct(
        private View $view,
        private Session $session,
        private Catalogue $catalogue,
        private Catalogue $fallback,
        private Log $log,
    ) {
    }

    public function show(Request $request): Response
    {
        $draft = $this->session->take('draft');
        $notice = $this->session->take('notice');
        if (is_array($draft)) {
            return $this->render($request, ItemForm::fromArray($draft), notice: 'You are logged in again. Check what you typed, then save it.');
        }
        $edit = $request->query('edit');
        if ($edit === '') {
            return $this->render($request, ItemForm::blank(), notice: is_string($notice) ? $notice : '');
        }
        try {
            return $this->render($request, ItemForm::of($this->catalogue->find($edit)), autofocus: 'quantity');
        } catch (ApiUnavailable $failure) {
            $this->log->error('item not read', ['reason' => $failure->getMessage()]);

            return $this->render($request, ItemForm::fromArray(['name' => $edit]), problem: self::API_DOWN, status: 503);
        } catch (ApiRejected) {
            return $this->render(
                $request,
                ItemForm::fromArray(['name' => $edit]),
                problem: "There is no item “{$edit}” any more. Saving this form would add it anew.",
                status: 404,
            );
        }
    }

    public function save(Request $request): Response
    {
        $form = ItemForm::fromArray($request->form);
        if (!$this->hasToken($request)) {
            return $this->render($request, $form, problem: self::STALE_FORM, status: 403);
        }
        try {
            ['item' => $item, 'created' => $created] = $this->catalogue->save($form);
        } catch (ApiUnavailable $failure) {
            $this->log->error('item not saved', ['reason' => $failure->getMessage()]);

            return $this->render(
                $request,
                $form,
                problem: self::API_DOWN . ' What you typed is still in the form; try again in a moment.',
                status: 503,
            );
        } catch (ApiRejected $refusal) {
            $errors = array_intersect_key($refusal->errors, array_flip(ItemForm::FIELDS));

            return $this->render(
                $request,
                $form,
                errors: $errors,
                problem: $errors === [] ? $refusal->getMessage() : '',
                status: $refusal->status,
            );
        }
        $this->log->info($created ? 'item added' : 'item updated', ['user' => $this->session->user(), 'item' => $item->name]);
        $this->session->put('notice', sprintf(
            '“%s” was %s: quantity %s, price %s.',
            $item->name,
            $created ? 'added' : 'updated',
            $item->quantityText(),
            $item->priceIn($this->view->currency()),
        ));

        return Response::redirect(ListQuery::from($request)->url(self::PATH));
    }

    public function confirmDelete(Request $request, string $problem = '', int $status = 200): Response
    {
        $query = ListQuery::from($request);

        return Response::html(
            $this->view->page('delete', 'Delete an item', [
                'user' => $this->session->user(),
                'csrf' => $this->session->csrf(),
                'name' => $request->query('name'),
                'action' => $query->url(self::DELETE_PATH, ['name' => $request->query('name')]),
                'back' => $query->url(self::PATH),
                'problem' => $problem,
            ]),
            $status,
            self::NO_STORE,
        );
    }

    public function delete(Request $request): Response
    {
        $name = $request->query('name');
        if (!$this->hasToken($request)) {
            return $this->confirmDelete($request, self::STALE_FORM, 403);
        }
        try {
            $this->catalogue->delete($name);
            $notice = "“{$name}” was deleted.";
            $this->log->info('item deleted', ['user' => $this->session->user(), 'item' => $name]);
        } catch (ApiUnavailable $failure) {
            $this->log->error('item not deleted', ['reason' => $failure->getMessage()]);

            return $this->confirmDelete($request, self::API_DOWN, 503);
        } catch (ApiRejected $refusal) {
            if ($refusal->status !== 404) {
                return $this->confirmDelete($request, $refusal->getMessage(), $refusal->status);
            }
            $notice = "There was no item “{$name}” any more.";
        }
        $this->session->put('notice', $notice);

        return Response::redirect(ListQuery::from($request)->url(self::PATH));
    }

    public function logOut(Request $request): Response
    {
        if (!$this->hasToken($request)) {
            return $this->render($request, ItemForm::blank(), problem: self::STALE_FORM, status: 403);
        }
        $this->session->end();

        return Response::redirect(LoginPage::PATH);
    }

    private function hasToken(Request $request): bool
    {
        return hash_equals($this->session->csrf(), $request->form('csrf'));
    }

    /** @param array<string, string> $errors by field */
    private function render(
        Request $request,
        ItemForm $form,
        array $errors = [],
        string $problem = '',
        string $notice = '',
        string $autofocus = '',
        int $status = 200,
    ): Response {
        $query = ListQuery::from($request);
        [$page, $canWrite] = $this->items($query);
        if (!$canWrite && $problem === '') {
            $problem = self::API_DOWN;
        }
        $edit = $request->query('edit');
        $html = $this->view->page('admin', ($errors === [] ? '' : 'Error: ') . 'Stock', [
            'user' => $this->session->user(),
            'csrf' => $this->session->csrf(),
            'form' => $form,
            'action' => $query->url(self::PATH, $edit === '' ? [] : ['edit' => $edit]),
            'cancel' => $query->url(self::PATH),
            'edit' => $edit,
            'errors' => $errors,
            'problem' => $problem,
            'notice' => $notice,
            'autofocus' => array_key_first($errors) ?? $autofocus,
            'query' => $query,
            'page' => $page,
        ]);
        $status = $canWrite || $status >= 400 ? $status : 503;

        return Response::html($html, $status, self::NO_STORE + ($status === 503 ? ['Retry-After' => '10'] : []));
    }

    /**
     * The items, from the API that also writes: only that one never tells an admin older data.
     *
     * @return array{ItemPage|null, bool} and whether writing can be expected to work
     */
    private function items(ListQuery $query): array
    {
        try {
            $page = $this->catalogue->list($query);

            return [$page, $page->staleFor === null];
        } catch (ApiRejected) {
            return [null, true];
        } catch (ApiUnavailable $failure) {
            $this->log->error('no list of items from the admin API', ['reason' => $failure->getMessage()]);
        }
        try {
            return [$this->fallback->list($query), false];
        } catch (ApiUnavailable | ApiRejected $failure) {
            $this->log->error('no list of items', ['reason' => $failure->getMessage()]);

            return [null, false];
        }
    }
}
