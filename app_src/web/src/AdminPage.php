<?php

declare(strict_types=1);

namespace Shopfleet;

/** The page for people who sell: the items, and a form that adds, updates or edits one. */
final readonly class AdminPage
{
    public const string PATH = '/admin/';

    public function __construct(
        private AdminContext $context,
        private Catalogue $catalogue,
        private Catalogue $fallback,
    ) {
    }

    public function answer(Request $request): Response
    {
        return $request->method === 'POST' ? $this->save($request) : $this->show($request);
    }

    public function logOut(Request $request): Response
    {
        if ($request->method !== 'POST') {
            return Response::redirect(self::PATH);
        }
        if (!$this->context->accepts($request)) {
            return $this->render($request, ItemForm::blank(), problem: AdminContext::STALE_FORM, status: 403);
        }
        $this->context->log('log-out');
        $this->context->session->end();

        return Response::redirect(LoginPage::PATH, headers: ['Clear-Site-Data' => '"cache", "storage"']);
    }

    private function show(Request $request): Response
    {
        $edit = $request->query('edit');
        $draft = $this->context->session->take('draft');
        $notice = $this->context->notice();
        if (is_array($draft)) {
            $notice = ['text' => 'You are logged in again. Check what you typed, then save it.', 'undo' => null];

            return $this->render($request, ItemForm::fromArray($draft), edit: $edit, notice: $notice);
        }
        if ($edit === '') {
            return $this->render($request, ItemForm::blank(), notice: $notice);
        }
        try {
            $form = ItemForm::of($this->context->catalogue->find($edit));

            return $this->render($request, $form, edit: $edit, autofocus: 'quantity');
        } catch (ApiUnavailable $failure) {
            $this->context->logFailure('item not read', $failure);

            return $this->render($request, ItemForm::fromArray(['name' => $edit]), problem: AdminContext::API_DOWN, status: 503);
        } catch (ApiRejected) {
            return $this->render($request, ItemForm::fromArray(['name' => $edit]), problem: self::gone($edit), status: 404);
        }
    }

    private function save(Request $request): Response
    {
        $form = ItemForm::fromArray($request->form);
        $edit = $request->query('edit');
        if (!$this->context->accepts($request)) {
            return $this->render($request, $form, edit: $edit, problem: AdminContext::STALE_FORM, status: 403);
        }
        try {
            $notice = $edit === '' ? $this->addOrUpdate($form) : $this->change($edit, $form);
        } catch (ApiUnavailable $failure) {
            $this->context->logFailure('item not saved', $failure);
            $problem = AdminContext::API_DOWN . ' What you typed is still in the form; try again in a moment.';

            return $this->render($request, $form, edit: $edit, problem: $problem, status: 503);
        } catch (ApiRejected $refusal) {
            if ($edit !== '' && $refusal->status === 404) {
                return $this->render($request, $form, problem: self::gone($edit), status: 404);
            }
            $errors = array_intersect_key($refusal->errors, array_flip(ItemForm::FIELDS));
            $problem = $errors === [] ? $refusal->getMessage() : '';

            return $this->render($request, $form, edit: $edit, errors: $errors, problem: $problem, status: $refusal->status);
        }

        return $this->context->done(ListQuery::from($request)->url(self::PATH), $notice);
    }

    private function addOrUpdate(ItemForm $form): string
    {
        ['item' => $item, 'created' => $created] = $this->context->catalogue->save($form);
        $this->context->log($created ? 'item added' : 'item updated', ['item' => $item->name]);

        return sprintf('“%s” was %s: %s.', $item->name, $created ? 'added' : 'updated', $this->values($item));
    }

    private function change(string $name, ItemForm $form): string
    {
        $changes = $form->changesTo($name);
        if ($changes === []) {
            return "Nothing was changed, so “{$name}” stays as it is.";
        }
        $item = $this->context->catalogue->change($name, $changes, $form->key);
        $this->context->log('item updated', ['item' => $name, 'name' => $item->name]);
        $what = $item->name === $name ? 'was updated' : "is now called “{$item->name}”";

        return "“{$name}” {$what}: {$this->values($item)}.";
    }

    private function values(Item $item): string
    {
        $money = $this->context->view->money();

        return "quantity {$money->count($item->quantity)}, price {$money->amount($item->price)}";
    }

    private static function gone(string $name): string
    {
        return "There is no item “{$name}” any more: somebody deleted or renamed it. Saving this form would add it anew.";
    }

    /**
     * @param string $edit the item that the form is about, or nothing when it is for any
     * @param array<string, string> $errors by field
     * @param array{text: string, undo: int|null}|null $notice
     */
    private function render(
        Request $request,
        ItemForm $form,
        string $edit = '',
        array $errors = [],
        string $problem = '',
        ?array $notice = null,
        string $autofocus = '',
        int $status = 200,
    ): Response {
        $query = ListQuery::from($request);
        [$page, $canWrite] = $this->items($query);
        if (!$canWrite && $problem === '') {
            $problem = AdminContext::API_DOWN;
        }
        $title = $edit === '' ? 'Stock' : "Edit “{$edit}”";

        return $this->context->page('admin', ($errors === [] ? '' : 'Error: ') . $title, [
            'here' => self::PATH,
            'form' => $form,
            'action' => $query->url(self::PATH, $edit === '' ? [] : ['edit' => $edit]),
            'cancel' => $query->url(self::PATH),
            'edit' => $edit,
            'errors' => $errors,
            'problem' => $problem,
            'notice' => $notice,
            'undo' => $query->url(UndoPage::PATH),
            'autofocus' => array_key_first($errors) ?? $autofocus,
            'query' => $query,
            'page' => $page,
        ], $canWrite || $status >= 400 ? $status : 503);
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
            $this->context->logFailure('no list of items from the admin API', $failure);
        }
        try {
            return [$this->fallback->list($query), false];
        } catch (ApiUnavailable | ApiRejected $failure) {
            $this->context->logFailure('no list of items', $failure);

            return [null, false];
        }
    }
}
