<?php

declare(strict_types=1);

namespace Shopfleet;

/** Items from a CSV file, and into one. A file is first shown as a plan; only applying that changes anything. */
final readonly class ImportPage
{
    public const string PATH = '/admin/import';
    public const string EXPORT_PATH = '/admin/export';

    private const string DOWN = 'The database does not answer right now. Nothing was changed; try again in a moment.';
    private const string CHOOSE_AGAIN = ' Please choose the file again.';

    public function __construct(private AdminContext $context)
    {
    }

    public function answer(Request $request): Response
    {
        $isPost = $request->method === 'POST';
        if ($isPost && $request->isTooLarge) {
            $file = Upload::tooLarge();

            return $this->choose($file->problem, $file->status);
        }
        $id = $request->query('id');
        if ($id === '') {
            return $isPost ? $this->upload($request) : $this->choose();
        }
        if (preg_match('/^[1-9]\d{0,17}$/D', $id) !== 1) {
            return $this->choose(problem: 'There is no such import.', status: 404);
        }

        return $isPost ? $this->apply($request, (int) $id) : $this->plan((int) $id);
    }

    public function export(): Response
    {
        try {
            $file = $this->context->catalogue->export();
        } catch (ApiUnavailable $failure) {
            $this->context->logFailure('no export', $failure);

            return $this->choose(problem: 'The items cannot be exported right now: the database does not answer.', status: 503);
        }
        $this->context->log('items exported');

        return Response::download($file, 'items-' . gmdate('Y-m-d') . '.csv', 'text/csv; charset=utf-8');
    }

    private function upload(Request $request): Response
    {
        if (!$this->context->accepts($request)) {
            return $this->choose(problem: AdminContext::STALE_FORM . self::CHOOSE_AGAIN, status: 403);
        }
        if ($request->upload === null || $request->upload->problem !== '') {
            return $this->choose($request->upload->problem ?? 'Choose a CSV file.', $request->upload->status ?? 422);
        }
        try {
            $plan = $this->context->catalogue->upload($request->upload->content, FormKey::orNew($request->form('key')));
        } catch (ApiUnavailable $failure) {
            $this->context->logFailure('file not taken', $failure);

            return $this->choose(problem: self::DOWN . self::CHOOSE_AGAIN, status: 503);
        } catch (ApiRejected $refusal) {
            return $this->choose($refusal->getMessage(), $refusal->status);
        }

        return Response::redirect(self::url($plan->id));
    }

    private function apply(Request $request, int $id): Response
    {
        if (!$this->context->accepts($request)) {
            return $this->plan($id, AdminContext::STALE_FORM, 403, $request);
        }
        try {
            $this->context->catalogue->apply($id, $request->form('digest'), FormKey::orNew($request->form('key')));
        } catch (ApiUnavailable $failure) {
            $this->context->logFailure('import not applied', $failure);

            return $this->plan($id, self::DOWN, 503, $request);
        } catch (ApiRejected $refusal) {
            return $this->plan($id, match ($refusal->status) {
                409 => 'Nothing was imported: the stock has changed since you saw the plan. This is how it is now; please check it again.',
                default => $refusal->getMessage(),
            }, $refusal->status, $request);
        }
        $this->context->log('import applied', ['import' => $id]);

        return $this->context->done(self::url($id), 'The import is done.');
    }

    /** @param Request|null $request the form that could not be taken: what it says is offered once more */
    private function plan(int $id, string $problem = '', int $status = 200, ?Request $request = null): Response
    {
        $plan = null;
        try {
            $plan = $this->context->catalogue->plan($id);
        } catch (ApiUnavailable $failure) {
            $this->context->logFailure('no plan of an import', $failure);
            [$problem, $status] = [$problem === '' ? self::DOWN : $problem, 503];
        } catch (ApiRejected $refusal) {
            return $refusal->status === 404
                ? $this->choose(problem: 'There is no such import.', status: 404)
                : $this->choose(problem: $refusal->getMessage(), status: $refusal->status);
        }

        return $this->context->page('plan', $plan?->isApplied() ? 'Import, done' : 'Import: check before it is done', [
            'here' => self::PATH,
            'plan' => $plan,
            'digest' => $plan->digest ?? $request?->form('digest') ?? '',
            'key' => FormKey::orNew($status === 503 && $request !== null ? $request->form('key') : ''),
            'again' => self::url($id),
            'problem' => $problem,
            'notice' => $this->context->notice(),
        ], $status);
    }

    /** @param string $error what is wrong with the file that was chosen */
    private function choose(string $error = '', int $status = 200, string $problem = ''): Response
    {
        return $this->context->page('import', ($error === '' ? '' : 'Error: ') . 'Import and export', [
            'here' => self::PATH,
            'error' => $error,
            'problem' => $problem,
            'notice' => $this->context->notice(),
        ], $status);
    }

    private static function url(int $id): string
    {
        return self::PATH . "?id={$id}";
    }
}
