<?php

declare(strict_types=1);

namespace Shopfleet;

/**
 * Decides who may be served a kept page, and who renders a new one.
 *
 * In the second half of a page's life one request renders it anew while the others are served the old one; past its
 * life the others wait for that one. A page is as old as the question that the API was asked for it.
 */
final readonly class PageCache
{
    private const int DEFAULT_MILLISECONDS = 1000;
    /** Longer than an answer of the API is waited for. */
    private const int PATIENCE = 4_000_000_000;
    private const int POLL_MICROSECONDS = 2_000;
    /** How long a page that nobody needs to be fresh is left as it is. */
    private const int REWRITE_AFTER = 1_000_000_000;

    private function __construct(private int $life)
    {
    }

    public static function fromEnvironment(): self
    {
        $milliseconds = getenv('SHOP_FRESHNESS_MS');

        return new self((is_numeric($milliseconds) ? (int) $milliseconds : self::DEFAULT_MILLISECONDS) * 1_000_000);
    }

    /**
     * The page for a query.
     *
     * @param \Closure(?StoredPage): StoredPage $render asks the API; is given the last page
     * @param \Closure(?StoredPage): StoredPage $makeDo does without the API
     */
    public function page(string $query, \Closure $render, \Closure $makeDo): StoredPage
    {
        if ($this->life <= 0) {
            return $this->always($query, $render);
        }
        $lock = StoredPage::lockFile($query);
        if ($lock === null) {
            return $render(null);
        }
        $came = hrtime(true);
        do {
            $isMine = flock($lock, LOCK_EX | LOCK_NB);
            $page = StoredPage::read($query);
            if ($page !== null && (hrtime(true) < $this->youngUntil($page) || $page->asked >= $came)) {
                return $page;
            }
            if ($isMine) {
                $page = $render($page);
                $page->keep($this->youngUntil($page));

                return $page;
            }
            if ($page !== null && $this->isGoodEnough($page)) {
                return $page;
            }
            usleep(self::POLL_MICROSECONDS);
        } while (hrtime(true) - $came < self::PATIENCE);

        return $makeDo($page);
    }

    private function youngUntil(StoredPage $page): int
    {
        return $page->asked + intdiv($this->life, 2);
    }

    private function isGoodEnough(StoredPage $page): bool
    {
        // A page that says how old it is deceives nobody: none waits for an API that has just failed to answer.
        $isHonest = $page->hasNotice() || !$page->isAnswer();

        return hrtime(true) - $page->asked < ($isHonest ? max($this->life, self::PATIENCE) : $this->life);
    }

    /** @param \Closure(?StoredPage): StoredPage $render */
    private function always(string $query, \Closure $render): StoredPage
    {
        $known = StoredPage::read($query);
        $page = $render($known);
        $isWorthIt = $known === null || $known->tag !== $page->tag || $page->asked - $known->asked > self::REWRITE_AFTER;
        if ($isWorthIt && $page->isAnswer()) {
            $lock = StoredPage::lockFile($query);
            if ($lock !== null && flock($lock, LOCK_EX | LOCK_NB)) {
                $page->keep(0);
            }
        }

        return $page;
    }
}
