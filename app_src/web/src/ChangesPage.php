<?php

declare(strict_types=1);

namespace Shopfleet;

/** The log of every change. */
final readonly class ChangesPage
{
    public const string PATH = '/admin/changes';

    public function __construct(private AdminContext $context)
    {
    }

    public function answer(Request $request): Response
    {
        $before = $request->query('before');
        $before = preg_match('/^[1-9]\d{0,8}$/D', $before) === 1 ? (int) $before : null;
        try {
            $page = $this->context->catalogue->changes($before);
        } catch (ApiUnavailable $failure) {
            $this->context->logFailure('no list of changes', $failure);
            $page = null;
        } catch (ApiRejected) {
            return Response::redirect(self::PATH);
        }
        $place = $before === null ? '' : "before={$before}";

        return $this->context->page('changes', 'Changes', [
            'here' => self::PATH,
            'page' => $page,
            'notice' => $this->context->notice(),
            'again' => self::PATH . ($place === '' ? '' : "?{$place}"),
            'undo' => UndoPage::PATH . '?from=changes' . ($place === '' ? '' : "&{$place}"),
            'isNewest' => $before === null,
        ], $page === null ? 503 : 200);
    }
}
