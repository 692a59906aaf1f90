<?php

declare(strict_types=1);

namespace Shopfleet;

/** The page for people who buy. */
final readonly class ShopPage
{
    private const int SECOND = 1_000_000_000;

    public function __construct(
        private View $view,
        private Catalogue $catalogue,
        private PageCache $cache,
        private Log $log,
    ) {
    }

    public function answer(Request $request): Response
    {
        $query = ListQuery::from($request);
        $page = $this->cache->page(
            $query->canonical(),
            fn (?StoredPage $known): StoredPage => $this->render($query, $known),
            fn (?StoredPage $known): StoredPage => $this->makeDo($query, $known),
        );

        return $page->isAnswer() ? $page->response() : Response::html(
            $this->view->page('unavailable', 'Not available right now', ['retry' => $query->url('/')]),
            503,
            ['Retry-After' => '10', 'Cache-Control' => 'no-store'],
        );
    }

    private function render(ListQuery $query, ?StoredPage $known): StoredPage
    {
        $asked = hrtime(true);
        try {
            $answer = $this->catalogue->ask($query, $known?->tag ?? '');
            $page = $answer->status === 304 && $known !== null
                ? $known
                : StoredPage::rendered($query->canonical(), 200, $asked, $answer->headers['etag'] ?? '', $this->view->page(
                    'shop',
                    $this->title($query),
                    ['query' => $query, 'page' => $this->catalogue->page($answer)],
                ));
        } catch (ApiUnavailable $failure) {
            $this->log->error('no list of items', ['reason' => $failure->getMessage()]);

            return $this->makeDo($query, $known);
        } catch (ApiRejected $refusal) {
            $html = $this->view->page('refused', 'Search not possible', ['query' => $query, 'reason' => $refusal->getMessage()]);

            return StoredPage::rendered($query->canonical(), 400, $asked, '', $html);
        }
        $age = $answer->staleFor();

        return $page->again($asked, $asked - ($age ?? 0) * self::SECOND, $age === null ? '' : $this->notice($age));
    }

    /** What is known, with its age; or nothing. */
    private function makeDo(ListQuery $query, ?StoredPage $known): StoredPage
    {
        $now = hrtime(true);

        return $known?->status === 200
            ? $known->again($now, $known->current, $this->notice(intdiv($now - $known->current, self::SECOND)))
            : StoredPage::nothing($query->canonical(), $now);
    }

    private function notice(int $seconds): string
    {
        return $this->view->part('stale', ['seconds' => $seconds]);
    }

    private function title(ListQuery $query): string
    {
        return ($query->q === '' ? 'Items for sale' : "Search: {$query->q}") . ($query->page > 1 ? ", page {$query->page}" : '');
    }
}
