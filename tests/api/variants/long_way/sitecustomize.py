"""Makes every read go through Flask."""

from shop_api.cached_reads import CachedReads


def _learn_nothing(self: CachedReads, query_string: str, key: str) -> None:
    pass


CachedReads.learn = _learn_nothing  # type: ignore[method-assign]
