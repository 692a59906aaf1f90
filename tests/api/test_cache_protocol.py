"""The cache's protocol on a real Redis, one interleaving at a time."""

import time
from collections.abc import Iterator

import pytest
import redis
from shop_api.cache import ENTRY, INTENT_MS, INTENTS, LEASE, STATE, Cache, Entry, Lookup
from shop_stack import wait_until


@pytest.fixture
def cache(redis_client: "redis.Redis") -> Iterator[Cache]:
    redis_client.flushall()
    yield Cache(redis_client)
    redis_client.flushall()


def entry(version: int, lookup: Lookup) -> Entry:
    return Entry(version, lookup.now_ms, 200, b"%d" % version)


def look(cache: Cache) -> Lookup:
    return cache.lookup("k", lambda _: True)


def fill(cache: Cache, version: int) -> None:
    lookup = look(cache)
    cache.fill("k", lookup, entry(version, lookup))


def hit(cache: Cache) -> int | None:
    lookup = look(cache)
    return lookup.entry.version if lookup.current and lookup.entry else None


def test_fill_then_hit(cache: Cache) -> None:
    assert hit(cache) is None
    fill(cache, 5)
    assert hit(cache) == 5


def test_publication_ends_hits_and_old_fills(cache: Cache) -> None:
    fill(cache, 5)
    slow = look(cache)
    assert cache.publish(6, [])
    assert hit(cache) is None
    assert look(cache).entry == entry(5, slow)._replace(filled_ms=look(cache).entry.filled_ms)  # type: ignore[union-attr]
    cache.fill("k", slow, entry(5, slow))
    assert hit(cache) is None
    fill(cache, 6)
    cache.fill("k", slow, entry(5, slow))
    assert hit(cache) == 6


def test_publications_out_of_order(cache: Cache) -> None:
    fill(cache, 5)
    assert cache.publish(7, [])
    assert cache.publish(6, [])
    fill(cache, 6)
    assert hit(cache) is None
    fill(cache, 7)
    assert hit(cache) == 7


def test_a_fill_ahead_of_its_publication(cache: Cache) -> None:
    fill(cache, 5)
    fill(cache, 6)
    assert hit(cache) == 6
    assert cache.publish(6, [])
    assert hit(cache) == 6


def test_a_fill_from_before_a_restart_is_turned_away(cache: Cache, redis_client: "redis.Redis") -> None:
    slow = look(cache)
    assert cache.publish(6, [])
    redis_client.flushall()
    cache.fill("k", slow, entry(5, slow))
    assert hit(cache) is None
    look(cache)
    cache.fill("k", slow, entry(5, slow))
    assert hit(cache) is None


def test_a_fill_from_before_a_publication_to_an_empty_redis_is_turned_away(cache: Cache) -> None:
    slow = look(cache)
    assert cache.publish(6, [])
    cache.fill("k", slow, entry(5, slow))
    assert hit(cache) is None


def test_an_old_publication_to_an_empty_redis_revives_nothing(cache: Cache, redis_client: "redis.Redis") -> None:
    fill(cache, 6)
    assert cache.publish(7, [])
    redis_client.delete(STATE)
    assert hit(cache) is None
    assert cache.publish(6, [])
    assert hit(cache) is None


def test_an_announced_write_does_not_end_hits_until_its_deadline(cache: Cache) -> None:
    fill(cache, 5)
    intent = cache.announce()
    assert hit(cache) == 5
    assert cache.publish(6, [intent])
    assert cache.client.zcard(INTENTS) == 0


def test_an_overdue_intent_makes_redis_forget(cache: Cache) -> None:
    fill(cache, 5)
    before = look(cache)
    cache.announce()
    time.sleep(INTENT_MS / 1000 + 0.05)
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
    assert cache.publish(6, [intent])
    assert hit(cache) is None
    assert cache.client.zcard(INTENTS) == 0


def test_an_intent_does_not_live_for_ever(cache: Cache) -> None:
    cache.client.zadd(INTENTS, {"1:long ago": 1, "not a token": 1})
    look(cache)
    assert cache.client.zcard(INTENTS) == 0


def test_a_withdrawn_intent_changes_nothing(cache: Cache) -> None:
    fill(cache, 5)
    cache.withdraw(cache.announce())
    time.sleep(INTENT_MS / 1000 + 0.05)
    assert hit(cache) == 5


def test_an_hour_later_it_is_only_the_last_known_answer(cache: Cache) -> None:
    lookup = look(cache)
    cache.fill("k", lookup, Entry(5, lookup.now_ms - 3600 * 1000, 200, b""))
    found = look(cache)
    assert found.entry
    assert not found.current
    assert found.age_ms >= 3600 * 1000


def test_who_could_not_reach_redis_makes_it_forget(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(cache, 5)
    assert hit(cache) == 5
    monkeypatch.setattr(cache, "_lookup", _failing)
    assert not look(cache).reached
    monkeypatch.undo()
    assert hit(cache) is None
    fill(cache, 5)
    assert hit(cache) == 5


def _failing(**_: object) -> None:
    raise redis.TimeoutError


def test_one_reader_gets_the_lease_and_the_others_wait(cache: Cache) -> None:
    first = look(cache)
    assert first.lease
    for _ in range(3):
        other = look(cache)
        assert (other.lease, other.wait) == (None, True)
    cache.fill("k", first, entry(5, first))
    assert hit(cache) == 5
    assert not cache.client.exists(LEASE + "k")


def test_the_lease_is_free_again_when_the_loader_fails(cache: Cache) -> None:
    first = look(cache)
    cache.release("k", look(cache))
    assert look(cache).wait
    cache.release("k", first)
    assert look(cache).lease


def test_the_lease_is_free_again_when_the_loader_has_died(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shop_api.cache.LEASE_MS", 50)
    assert look(cache).lease
    wait_until(lambda: look(cache).lease, "the lease has lapsed")


def test_a_lease_is_no_good_after_a_write(cache: Cache) -> None:
    fill(cache, 5)
    cache.client.delete(ENTRY + "k")
    slow = look(cache)
    assert slow.lease
    assert cache.publish(6, [])
    other = look(cache)
    assert other.lease
    cache.fill("k", slow, entry(5, slow))
    assert look(cache).wait, "the slow loader gave a lease back that is not its own"
    cache.release("k", slow)
    assert look(cache).wait, "the slow loader gave a lease back that is not its own"
    cache.fill("k", other, entry(6, other))
    assert hit(cache) == 6


def test_a_version_ahead_of_mysql_is_forgotten(cache: Cache) -> None:
    cache.client.hset(STATE, mapping={"epoch": "e", "number": 99})
    fill(cache, 5)
    fill(cache, 5)
    assert hit(cache) == 5
