<?php

declare(strict_types=1);

namespace Shopfleet;

/** The page for people who buy. */
final readonly class ShopPage
{
    public function __construct(
        private View $view,
        private Catalogue $catalogue,
        private Log $log,
    ) {
    }

    public function answer(Request $request): Response
    {
        $query = ListQuery::from($request);
        $caching = ['Cache-Control' => 'private, no-cache'];
        try {
            $page = $this->catalogue->list($query);
        } catch (ApiUnavailable $failure) {
            $this->log->error('no list of items', ['reason' => $failure->getMessage()]);

            return Response::html(
                $this->view->page('unavailable', 'Not available right now', ['retry' => $query->url('/')]),
                503,
                ['Retry-After' => '10', 'Cache-Control' => 'no-store'],
            );
        } catch (ApiRejected $refusal) {
            return Response::html(
                $this->view->page('message', 'Search not possible', ['text' => $refusal->getMessage()]),
                400,
                $caching,
            );
        }

        return Response::html(
            $this->view->page('shop', $query->q === '' ? 'Items for sale' : "Search: {$query->q}", [
                'query' => $query,
                'page' => $page,
            ]),
            200,
            $caching,
        );
    }
}
