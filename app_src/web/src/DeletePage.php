<?php

declare(strict_types=1);

namespace Shopfleet;

/** Asks before an item is deleted. */
final readonly class DeletePage
{
    public const string PATH = '/admin/delete';

    public function __construct(private AdminContext $context)
    {
    }

    public function answer(Request $request): Response
    {
        $name = $request->query('name');
        $list = ListQuery::from($request)->url(AdminPage::PATH);
        if ($name === '') {
            return Response::redirect($list);
        }
        if ($request->method !== 'POST') {
            return $this->ask($request);
        }
        if (!$this->context->accepts($request)) {
            return $this->ask($request, AdminContext::STALE_FORM, 403);
        }
        try {
            $change = $this->context->catalogue->delete($name, FormKey::orNew($request->form('key')));
        } catch (ApiUnavailable $failure) {
            $this->context->logFailure('item not deleted', $failure);

            return $this->ask($request, AdminContext::API_DOWN . ' Try again in a moment.', 503);
        } catch (ApiRejected $refusal) {
            return $refusal->status === 404
                ? $this->context->done($list, "There was no item “{$name}” any more.")
                : $this->ask($request, $refusal->getMessage(), $refusal->status);
        }
        $this->context->log('item deleted', ['item' => $name]);

        return $this->context->done($list, "“{$name}” was deleted.", $change);
    }

    private function ask(Request $request, string $problem = '', int $status = 200): Response
    {
        $query = ListQuery::from($request);
        $name = $request->query('name');

        return $this->context->page('confirm', "Delete “{$name}”?", [
            'here' => AdminPage::PATH,
            'text' => 'It will be gone from the shop at once. You can bring it back afterwards.',
            'action' => $query->url(self::PATH, ['name' => $name]),
            'hidden' => ['key' => FormKey::orNew($request->form('key'))],
            'button' => 'Delete this item',
            'isDangerous' => true,
            'back' => $query->url(AdminPage::PATH),
            'backText' => 'Keep it',
            'problem' => $problem,
        ], $status);
    }
}
