<?php

declare(strict_types=1);

namespace Shopfleet;

/** Brings a deleted item back. Notices and the log send their forms here; asked for by a link it asks first. */
final readonly class UndoPage
{
    public const string PATH = '/admin/undo';

    public function __construct(private AdminContext $context)
    {
    }

    public function answer(Request $request): Response
    {
        $given = $request->form('change') ?: $request->query('change');
        if (preg_match('/^[1-9]\d{0,17}$/D', $given) !== 1) {
            return Response::redirect(ChangesPage::PATH);
        }
        $id = (int) $given;
        if ($request->method !== 'POST') {
            return $this->ask($request, $id);
        }
        if (!$this->context->accepts($request)) {
            return $this->ask($request, $id, AdminContext::STALE_FORM, 403);
        }
        try {
            $item = $this->context->catalogue->undo($id, FormKey::orNew($request->form('key')));
        } catch (ApiUnavailable $failure) {
            $this->context->logFailure('deletion not undone', $failure);

            return $this->ask($request, $id, AdminContext::API_DOWN . ' Try again in a moment.', 503);
        } catch (ApiRejected $refusal) {
            return $this->ask($request, $id, $refusal->getMessage(), $refusal->status);
        }
        $this->context->log('deletion undone', ['item' => $item->name]);
        $money = $this->context->view->money();

        return $this->context->done(
            $this->back($request),
            "“{$item->name}” is back: quantity {$money->count($item->quantity)}, price {$money->amount($item->price)}.",
        );
    }

    private function ask(Request $request, int $id, string $problem = '', int $status = 200): Response
    {
        try {
            $change = $this->context->catalogue->changes($id + 1, 1)->changes[0] ?? null;
        } catch (ApiUnavailable $failure) {
            $this->context->logFailure('change not read', $failure);
            [$problem, $status] = $problem === '' ? [AdminContext::API_DOWN, 503] : [$problem, $status];
            $change = null;
        } catch (ApiRejected) {
            $change = null;
        }
        $isThere = $change?->id === $id;
        if ($problem === '' && !$isThere) {
            [$problem, $status] = ['There is no such change.', 404];
        } elseif ($problem === '' && !$change->isUndoable) {
            [$problem, $status] = ['This cannot be undone any more. The log of changes tells what happened since.', 409];
        }
        $isPossible = $status !== 404 && $status !== 409;

        return $this->context->page('confirm', $isThere ? "Bring back “{$change->name}”?" : 'Bring back a deleted item?', [
            'here' => ChangesPage::PATH,
            'text' => $isPossible ? 'It will be in the shop again as it was when it was deleted.' : '',
            'action' => $this->url($request, self::PATH, ['from']),
            'hidden' => ['change' => $id, 'key' => FormKey::orNew($request->form('key'))],
            'button' => $isPossible ? 'Bring it back' : '',
            'isDangerous' => false,
            'back' => $this->back($request),
            'backText' => $isPossible ? 'Leave it deleted' : 'Go back',
            'problem' => $problem,
        ], $status);
    }

    private function back(Request $request): string
    {
        return $request->query('from') === 'changes'
            ? $this->url($request, ChangesPage::PATH)
            : ListQuery::from($request)->url(AdminPage::PATH);
    }

    /** @param list<string> $more what is kept beside the place in the log */
    private function url(Request $request, string $path, array $more = []): string
    {
        if ($request->query('from') !== 'changes') {
            return ListQuery::from($request)->url($path);
        }
        $query = http_build_query(array_intersect_key($request->query, array_flip(['before', ...$more])));

        return $query === '' ? $path : "{$path}?{$query}";
    }
}
