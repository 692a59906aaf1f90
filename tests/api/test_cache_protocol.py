"""The cache's protocol on a real Redis, one interleaving at a time."""

import time
from collections.abc import Iterator

import pytest
import redis
from shop_api.cache import INTENT_MS, INTENTS, STATE, Cache, Entry, Lookup


@pytest.fixture
def cache(redis_client: "redis.Redis") -> Iterator[Cache]:
    redis_client.flushall()
    yield Cache(redis_client)
    redis_client.flushall()


def entry(version: int, lookup: Lookup) -> Entry:
    return Entry(version, lookup.now_ms, 200, b"%d" % version)


def fill(cache: Cache, version: int) -> None:
    lookup = cache.lookup("k")
    cache.fill("k", lookup, entry(version, lookup))


def hit(cache: Cache) -> int | None:
    lookup = cache.lookup("k")
    return lookup.entry.version if lookup.current and lookup.entry else None


def test_fill_then_hit(cache: Cache) -> None:
    assert hit(cache) is None
    fill(cache, 5)
    assert hit(cache) == 5


def test_publication_ends_hits_and_old_fills(cache: Cache) -> None:
    fill(cache, 5)
    slow = cache.lookup("k")
    cache.publish(6, [])
    assert hit(cache) is None
    assert cache.lookup("k").entry == entry(5, slow)._replace(filled_ms=cache.lookup("k").entry.filled_ms)  # type: ignore[union-attr]
    cache.fill("k", slow, entry(5, slow))
    assert hit(cache) is None
    fill(cache, 6)
    cache.fill("k", slow, entry(5, slow))
    assert hit(cache) == 6


def test_publications_out_of_order(cache: Cache) -> None:
    fill(cache, 5)
    cache.publish(7, [])
    cache.publish(6, [])
    fill(cache, 6)
    assert hit(cache) is None
    fill(cache, 7)
    assert hit(cache) == 7


def test_a_fill_ahead_of_its_publication(cache: Cache) -> None:
    fill(cache, 5)
    fill(cache, 6)
    assert hit(cache) == 6
    cache.publish(6, [])
    assert hit(cache) == 6


def test_a_fill_from_before_a_restart_is_turned_away(cache: Cache, redis_client: "redis.Redis") -> None:
    slow = cache.lookup("k")
    cache.publish(6, [])
    redis_client.flushall()
    cache.fill("k", slow, entry(5, slow))
    assert hit(cache) is None
    cache.lookup("k")
    cache.fill("k", slow, entry(5, slow))
    assert hit(cache) is None


def test_a_fill_from_before_a_publication_to_an_empty_redis_is_turned_away(cache: Cache) -> None:
    slow = cache.lookup("k")
    cache.publish(6, [])
    cache.fill("k", slow, entry(5, slow))
    assert hit(cache) is None


def test_an_old_publication_to_an_empty_redis_revives_nothing(cache: Cache, redis_client: "redis.Redis") -> None:
    fill(cache, 6)
    cache.publish(7, [])
    redis_client.delete(STATE)
    assert hit(cache) is None
    cache.publish(6, [])
    assert hit(cache) is None


def test_an_announced_write_does_not_end_hits_until_its_deadline(cache: Cache) -> None:
    fill(cache, 5)
    intent = cache.announce()
    assert hit(cache) == 5
    cache.publish(6, [intent.token])
    assert cache.client.zcard(INTENTS) == 0


def test_an_overdue_intent_makes_redis_forget(cache: Cache) -> None:
    fill(cache, 5)
    before = cache.lookup("k")
    intent = cache.announce()
    time.sleep(INTENT_MS / 1000 + 0.05)
    assert time.monotonic() > intent.lapses
    assert hit(cache) is None
    cache.fill("k", before, entry(5, before))
    assert hit(cache) is None
    # What is read now is what was committed: good until the deadline comes again.
    fill(cache, 6)
    assert hit(cache) == 6


def test_a_slow_writer_that_dies_after_a_late_commit_is_found_out_too(cache: Cache) -> None:
    fill(cache, 5)
    cache.announce()
    for version in (5, 6):
        time.sleep(INTENT_MS / 1000 + 0.05)
        assert hit(cache) is None
        fill(cache, version)
        assert hit(cache) == version


def test_a_slow_writer_that_publishes_after_its_deadline(cache: Cache) -> None:
    fill(cache, 5)
    intent = cache.announce()
    time.sleep(INTENT_MS / 1000 + 0.05)
    fill(cache, 5)
    assert hit(cache) == 5
    cache.publish(6, [intent.token])
    assert hit(cache) is None
    assert cache.client.zcard(INTENTS) == 0


def test_an_intent_does_not_live_for_ever(cache: Cache) -> None:
    cache.client.zadd(INTENTS, {"1:long ago": 1, "not a token": 1})
    cache.lookup("k")
    assert cache.client.zcard(INTENTS) == 0


def test_a_withdrawn_intent_changes_nothing(cache: Cache) -> None:
    fill(cache, 5)
    cache.withdraw(cache.announce())
    time.sleep(INTENT_MS / 1000 + 0.05)
    assert hit(cache) == 5


def test_an_hour_later_it_is_only_the_last_known_answer(cache: Cache) -> None:
    lookup = cache.lookup("k")
    cache.fill("k", lookup, Entry(5, lookup.now_ms - 3600 * 1000, 200, b""))
    found = cache.lookup("k")
    assert found.entry
    assert not found.current
    assert found.age_ms >= 3600 * 1000


def test_who_could_not_reach_redis_makes_it_forget(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(cache, 5)
    assert hit(cache) == 5
    monkeypatch.setattr(cache, "_lookup", _failing)
    assert not cache.lookup("k").reached
    monkeypatch.undo()
    assert hit(cache) is None
    fill(cache, 5)
    assert hit(cache) == 5


def _failing(**_: object) -> None:
    raise redis.TimeoutError
