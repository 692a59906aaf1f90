"""The short way for cached lists: when it is taken, and when not."""

from collections.abc import Iterable
from typing import Any, cast

import pytest
from keyed import KEY, SERVICE_KEY
from shop_api.cache import Cache, Entry, Lookup
from shop_api.cached_reads import FOUND, KEYS_MAX, CachedReads, tag_of
from shop_api.service_key import HEADER
from werkzeug.test import create_environ, run_wsgi_app

BODY = b'{"items": []}'
HIT = Lookup(reached=True, current=True, entry=Entry(1, 1, 200, BODY))


class _FakeCache:
    """Finds what it is told to, and counts how often it is asked."""

    def __init__(self) -> None:
        self.found = HIT
        self.asked = 0

    def lookup(self, key: str, check: object) -> Lookup:  # noqa: ARG002
        self.asked += 1
        return self.found


@pytest.fixture
def cache() -> _FakeCache:
    return _FakeCache()


@pytest.fixture
def reads(cache: _FakeCache) -> CachedReads:
    def long_way(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
        start_response("200 OK", [])
        return [b"long way", b", told" if FOUND in environ else b""]

    reads = CachedReads(long_way, cast(Cache, cache), "reads.list_items", lambda _: True, SERVICE_KEY)
    reads.learn("q=tea", "list:tea")
    return reads


def ask(reads: CachedReads, path: str = "/items?q=tea", method: str = "GET", **headers: str) -> tuple[str, bytes]:
    body, status, _ = run_wsgi_app(reads, create_environ(path, method=method, headers={HEADER: KEY, **headers}))
    return status, b"".join(body)


def test_a_known_question_that_is_a_hit_is_answered_at_once(reads: CachedReads) -> None:
    assert ask(reads) == ("200 OK", BODY)
    assert ask(reads, **{"If-None-Match": f'"{tag_of(BODY)}"'}) == ("304 NOT MODIFIED", b"")


def test_all_else_goes_the_long_way(reads: CachedReads, cache: _FakeCache) -> None:
    for path, method in (
        ("/items", "GET"),
        ("/items?q=tea&", "GET"),
        ("/items/x?q=tea", "GET"),
        ("/items?q=tea", "PUT"),
    ):
        assert ask(reads, path, method) == ("200 OK", b"long way")
    assert ask(reads, method="HEAD") == ("200 OK", b"long way")
    assert cache.asked == 0


@pytest.mark.parametrize("given", ["", KEY[:-1], KEY + "x"])
def test_without_the_key_nothing_is_looked_up(reads: CachedReads, cache: _FakeCache, given: str) -> None:
    assert ask(reads, **{HEADER: given}) == ("200 OK", b"long way")
    assert cache.asked == 0


@pytest.mark.parametrize(
    "found", [Lookup(), Lookup(True, True), Lookup(True, False, HIT.entry), Lookup(True, wait=True)]
)
def test_what_was_found_goes_along(reads: CachedReads, cache: _FakeCache, found: Lookup) -> None:
    cache.found = found
    assert ask(reads) == ("200 OK", b"long way, told")
    assert cache.asked == 1


def test_other_tags_are_left_to_the_long_way(reads: CachedReads) -> None:
    for tags in ('"other"', "*", f'W/"{tag_of(BODY)}"', f'"other", "{tag_of(BODY)}"'):
        assert ask(reads, **{"If-None-Match": tags}) == ("200 OK", b"long way, told")


def test_only_so_many_questions_are_remembered(reads: CachedReads) -> None:
    for number in range(KEYS_MAX):
        reads.learn(f"q={number}", "key")
    assert ask(reads) == ("200 OK", b"long way")
    assert ask(reads, "/items?q=0") == ("200 OK", BODY)
