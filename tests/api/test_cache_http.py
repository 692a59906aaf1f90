"""What the cache promises, over HTTP, on good days and bad ones."""

import http.client
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import redis
from shop_stack import Client, Stack, docker, item_path, wait_until


@contextmanager
def stopped(stack: Stack, name: str) -> Iterator[None]:
    """Stop a container and start it again."""
    docker("stop", "--time", "5", stack.container(name))
    try:
        yield
    finally:
        docker("start", stack.container(name))
        if name == "mysql":
            wait_until(lambda: stack.sql("SELECT 1", check=False) == "1", "MySQL is back", 30)


@contextmanager
def frozen(stack: Stack, name: str) -> Iterator[None]:
    """Freeze a container and thaw it again."""
    docker("pause", stack.container(name))
    try:
        yield
    finally:
        docker("unpause", stack.container(name))


def settled(client: Client, path: str = "/items?q=settled") -> None:
    """Wait until the worker behind this client uses the cache."""
    wait_until(lambda: client.get(path).cache == "hit", "cache in use again")


def timed_get(client: Client, path: str) -> tuple[str | None, float]:
    start = time.monotonic()
    return client.get(path).cache, time.monotonic() - start


def test_a_hit_asks_mysql_nothing(stack: Stack, read: Client, admin: Client, name: str) -> None:
    admin.put(name, quantity=3, price="2.99")
    paths = [item_path(name), item_path(f"{name} absent"), "/items?sort=price", f"/items?q={name[5:]}"]
    first = [read.get(path) for path in paths]
    assert [reply.cache for reply in first] == ["miss"] * 4
    first_count, second_count = stack.selects(), stack.selects()
    for _ in range(5):
        for client in (read, admin, read.fresh()):
            again = [client.get(path) for path in paths]
            assert [reply.cache for reply in again] == ["hit"] * 4
            assert [(reply.status, reply.body) for reply in again] == [(reply.status, reply.body) for reply in first]
    # To ask costs what it cost before, and nothing was added.
    assert stack.selects() - second_count == second_count - first_count


def test_a_write_is_seen_by_the_very_next_read(read: Client, admin: Client, name: str) -> None:
    admin.put(name, quantity=0, price="1")
    for quantity in range(1, 40):
        admin.put(name, quantity=quantity)
        for client in (read.fresh(), admin.fresh(), read):
            assert client.item(name).json["quantity"] == quantity
            assert client.get(f"/items?q={name[5:]}").json["items"][0]["quantity"] == quantity
    admin.request("DELETE", item_path(name))
    assert read.fresh().item(name).status == admin.fresh().item(name).status == 404
    admin.put(name, quantity=7, price="1")
    assert read.fresh().item(name).json["quantity"] == admin.fresh().item(name).json["quantity"] == 7


def test_poisoned_entries_count_as_a_miss(read: Client, admin: Client, redis_client: "redis.Redis", name: str) -> None:
    admin.put(name, quantity=3, price="2.99")
    redis_client.flushall()
    good = read.item(name).body
    keys = list(redis_client.scan_iter("shop:entry:item:*"))
    for key in keys:
        kept = redis_client.get(key)
        assert isinstance(kept, bytes)
        for poison in (b"", b"junk", b"1 9999 1 200 1\n{}", kept + b" "):
            redis_client.set(key, poison)
            reply = read.item(name)
            assert (reply.cache, reply.body) in {("miss", good), ("hit", good)}
        redis_client.delete(key)
        redis_client.rpush(key, "a list")
        assert read.item(name).body == good
    assert read.item(name).cache == "hit"


def test_what_expires_and_what_does_not(read: Client, admin: Client, redis_client: "redis.Redis", name: str) -> None:
    admin.put(name, quantity=3, price="2.99")
    read.item(name)
    assert redis_client.ttl("shop:version") == -1
    assert all(0 < redis_client.ttl(key) <= 24 * 3600 for key in redis_client.scan_iter("shop:entry:*"))
    assert redis_client.zcard("shop:intents") == 0


def test_a_crash_between_commit_and_publication_heals(
    stack: Stack, read: Client, admin: Client, redis_client: "redis.Redis", name: str
) -> None:
    crashing = stack.api("crashing", "admin", variant="crash")
    try:
        admin.put(name, quantity=1, price="1")
        read.item(name)
        before = now_ms(redis_client)
        with pytest.raises((http.client.HTTPException, OSError)):
            crashing.put(name, quantity=2)
        command = ("ZRANGE", "shop:intents", 0, -1, "WITHSCORES")
        [(_, score)] = redis_client.execute_command(*command)  # type: ignore[no-untyped-call]
        deadline = float(score)
        assert before < deadline <= now_ms(redis_client) + 1000
        wait_until(lambda: now_ms(redis_client) >= deadline, "the deadline")
        assert read.fresh().item(name).json["quantity"] == 2
    finally:
        stack.remove("crashing")


def now_ms(client: "redis.Redis") -> float:
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds / 1000


def test_redis_stopped(stack: Stack, read: Client, admin: Client, name: str) -> None:
    admin.put(name, quantity=1, price="1")
    read.item(name)
    with stopped(stack, "redis"):
        for quantity in range(2, 6):
            assert admin.put(name, quantity=quantity).status == 200
            for client in (read, admin, read.fresh()):
                reply = client.item(name)
                assert (reply.json["quantity"], reply.cache) == (quantity, "bypass")
        assert read.get("/readyz").json["dependencies"] == {"mysql": "ok", "redis": "unavailable"}
        assert max(timed_get(read, "/items")[1] for _ in range(5)) < 5
    admin.put(name, quantity=9)
    assert read.item(name).json["quantity"] == read.fresh().item(name).json["quantity"] == 9
    settled(read)
    settled(admin)
    assert read.item(name).json["quantity"] == 9


def test_redis_frozen(stack: Stack, read: Client, admin: Client, name: str) -> None:
    admin.put(name, quantity=1, price="1")
    read.item(name)
    with frozen(stack, "redis"):
        for quantity in range(2, 5):
            assert admin.put(name, quantity=quantity).status == 200
            for client in (read, admin):
                reply = client.item(name)
                assert (reply.json["quantity"], reply.cache) == (quantity, "bypass")
        times = [timed_get(read, "/items") for _ in range(20)]
        assert {cache for cache, _ in times} == {"bypass"}
        assert max(seconds for _, seconds in times) < 5
    for _ in range(10):
        assert [client.item(name).json["quantity"] for client in (read, admin)] == [4, 4]
    settled(read)
    settled(admin)


@pytest.fixture
def lone(stack: Stack) -> Iterator[tuple[Client, Client]]:
    """Two read APIs of one worker each."""
    yield stack.api("lone-1", "read", SHOP_WORKERS="1"), stack.api("lone-2", "read", SHOP_WORKERS="1")
    for name in ("lone-1", "lone-2"):
        stack.remove(name)


@pytest.fixture
def unpublished(stack: Stack, lone: tuple[Client, Client], admin: Client, name: str) -> Iterator[None]:
    """A write by an API that cannot reach Redis; the first of the two readers missed Redis at that time."""
    # Where nobody listens: a frozen Redis would run what was sent to it as soon as it thaws.
    cut_off = stack.api("cut-off", "admin", SHOP_REDIS_HOST=f"{stack.subnet}.1", SHOP_REDIS_PORT="9")
    admin.put(name, quantity=1, price="1")
    for client in lone:
        wait_until(lambda: client.item(name).cache == "hit", "the item is cached")  # noqa: B023
    with frozen(stack, "redis"):
        assert cut_off.put(name, quantity=2).status == 200
        assert lone[0].item(name).json["quantity"] == 2
    yield
    stack.remove("cut-off")
    settled(admin)


@pytest.mark.usefixtures("unpublished")
def test_a_worker_that_missed_redis_is_right_at_once_and_all_are_once_it_uses_redis_again(
    lone: tuple[Client, Client], name: str
) -> None:
    missed, unaware = lone
    assert missed.item(name).json["quantity"] == 2
    settled(missed)
    assert [client.item(name).json["quantity"] for client in (unaware, missed)] == [2, 2]


@pytest.mark.usefixtures("unpublished")
def test_a_worker_that_did_not_miss_redis_is_right_with_the_next_publication(
    lone: tuple[Client, Client], admin: Client, name: str
) -> None:
    """The only one that may be behind, see "What remains" in docs/cache.md."""
    unaware = lone[1]
    print("before the publication:", unaware.item(name).json["quantity"])
    assert admin.put(f"{name} beside it", quantity=1, price="1").status == 201
    assert unaware.item(name).json["quantity"] == 2


def test_redis_freezes_before_publication(
    stack: Stack, read: Client, admin: Client, redis_client: "redis.Redis", name: str
) -> None:
    """The write is acknowledged only when no reader can be misled any more."""
    admin.put(name, quantity=1, price="1")
    read.item(name)
    assert read.item(name).cache == "hit"
    # A lock that somebody else holds keeps the writer between its announcement and its commit.
    holder = threading.Thread(
        target=stack.sql,
        args=("BEGIN; SELECT version FROM shop.catalogue_version FOR UPDATE; DO SLEEP(0.7); COMMIT",),
    )
    holder.start()
    time.sleep(0.3)
    replies = []
    writer = threading.Thread(target=lambda: replies.append(admin.fresh().put(name, quantity=2)))
    writer.start()
    wait_until(lambda: redis_client.zcard("shop:intents") == 1, "the write is announced")
    with frozen(stack, "redis"):
        holder.join()
        writer.join()
    assert replies[0].status == 200
    assert read.fresh().item(name).json["quantity"] == 2
    wait_until(lambda: redis_client.zcard("shop:intents") == 0, "the write is published")
    settled(read)
    settled(admin)


@pytest.fixture(scope="module")
def impatient(stack: Stack) -> Iterator[tuple[Client, Client]]:
    """Both APIs, giving MySQL the second that a deployment gives it."""
    read, admin = (stack.api(f"impatient-{mode}", mode, SHOP_MYSQL_TIMEOUT="1") for mode in ("read", "admin"))
    yield read, admin
    for mode in ("read", "admin"):
        stack.remove(f"impatient-{mode}")


def test_mysql_stopped(
    stack: Stack,
    read: Client,
    admin: Client,
    impatient: tuple[Client, Client],
    redis_client: "redis.Redis",
    name: str,
) -> None:
    reader, writer = impatient
    admin.put(name, quantity=1, price="1")
    read.item(name)
    settled(reader, item_path(name))
    with stopped(stack, "mysql"):
        assert reader.item(name).cache == "hit"
        # As after a restart of Redis that kept its entries: nothing tells whether they are current.
        redis_client.delete("shop:version")
        assert reader.item(name).cache == "stale"
        reply = reader.item(name)
        assert (reply.status, reply.json["quantity"]) == (200, 1)
        assert 0 <= int(reply.headers["age"]) < 60
        for failed in (
            reader.item(f"{name} unknown"),
            writer.put(name, quantity=2),
            writer.request("DELETE", item_path(name)),
        ):
            assert (failed.status, failed.headers["content-type"]) == (503, "application/problem+json")
            assert int(failed.headers["retry-after"]) > 0
        ready = reader.get("/readyz")
        assert (ready.status, ready.json["dependencies"]) == (503, {"mysql": "unavailable", "redis": "ok"})
        assert reader.get("/healthz").status == 200
    assert admin.put(name, quantity=3).status == 200
    for client in (read, admin, read.fresh()):
        assert client.item(name).json["quantity"] == 3


def test_a_restart_of_mysql_fails_no_later_request(stack: Stack, read: Client, admin: Client, name: str) -> None:
    def ask(turn: int) -> tuple[int, int]:
        written = admin.fresh().put(f"{name} {turn}", quantity=turn, price="1").status
        return written, read.fresh().get(f"/items?q={secrets.token_hex(6)}").status

    with ThreadPoolExecutor(16) as pool:
        # Every connection that the APIs keep is used, and broken by the restart.
        assert set(pool.map(ask, range(64))) == {(201, 200)}
        with stopped(stack, "mysql"):
            pass
        assert set(pool.map(ask, range(64))) == {(200, 200)}


def test_mysql_frozen(stack: Stack, read: Client, admin: Client, impatient: tuple[Client, Client], name: str) -> None:
    reader, writer = impatient
    admin.put(name, quantity=1, price="1")
    read.item(name)
    settled(reader, item_path(name))
    with frozen(stack, "mysql"):
        assert reader.item(name).cache == "hit"
        for _ in range(3):
            start = time.monotonic()
            assert reader.item(f"{name} unknown").status == 503
            assert time.monotonic() - start < 5
        assert writer.put(name, quantity=2).status == 503
    assert admin.put(name, quantity=3).status == 200
    assert read.item(name).json["quantity"] == 3


def test_both_down(stack: Stack, impatient: tuple[Client, Client], name: str) -> None:
    reader, _ = impatient
    with frozen(stack, "redis"), frozen(stack, "mysql"):
        assert reader.item(name).status == 503
        assert reader.get("/healthz").status == 200
    settled(reader)
