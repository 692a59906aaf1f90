"""Herds, and a Redis that is frozen, stopped, slow, full or spoilt: no errors, right answers, and MySQL is spared."""

import asyncio
import hashlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest
import redis
from shop_api.cache import ENTRY, INTENTS, LEASE, STATE, Entry
from shop_stack import HAPROXY_KEY, KEY_HEADER, Client, Reply, Stack, docker, item_path, wait_until

HERD = 1000
THREADS, WORKERS = 4, 2
SLOW_SECONDS = 0.5

LOADS = "SELECT COUNT(*) FROM mysql.general_log WHERE argument LIKE 'SELECT catalogue_version.version%'"


@contextmanager
def counted_loads(stack: Stack) -> Iterator[Callable[[], int]]:
    """Yield what counts the loads that MySQL was asked for; each reads the version once."""
    stack.sql("SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log; SET GLOBAL general_log = ON")
    try:
        yield lambda: int(stack.sql(LOADS))
    finally:
        stack.sql("SET GLOBAL general_log = OFF")


async def _ask(port: int, path: str) -> tuple[int, str, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = f"{KEY_HEADER}: {HAPROXY_KEY}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: api\r\n{key}\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers.get("x-cache", ""), body


def herd(clients: list[Client], path: str) -> list[tuple[int, str, bytes]]:
    """Send all requests of a herd at once and return status, X-Cache and body of each answer."""

    async def all_of_them() -> list[tuple[int, str, bytes]]:
        return await asyncio.gather(*(_ask(clients[n % len(clients)].port, path) for n in range(HERD)))

    return asyncio.run(all_of_them())


def unasked(kind: str) -> str:
    """Return a path that nobody has asked for."""
    absent = secrets.token_hex(6)
    return {"list": f"/items?q={absent}", "item": f"/items/{absent}"}[kind]


@pytest.fixture(scope="module")
def patient(stack: Stack) -> Iterator[list[Client]]:
    """Two containers that give Redis more time: how many loads a herd makes is asked here, not how fast."""
    names = ("first", "second")
    yield [stack.api(name, "read", SHOP_REDIS_TIMEOUT_MS="5000") for name in names]
    for name in names:
        stack.remove(name)


@pytest.mark.parametrize("kind", ["list", "item"])
def test_a_herd_makes_at_most_two_loads(stack: Stack, patient: list[Client], kind: str) -> None:
    for clients in (patient[:1], patient):
        path = unasked(kind)
        with counted_loads(stack) as loads:
            replies = herd(clients, path)
            print(f"{len(clients)} containers: {loads()} loads, {Counter(cache for _, cache, _ in replies)}")
            assert loads() <= 2
        assert {status for status, _, _ in replies} == {200 if kind == "list" else 404}
        assert len({body for _, _, body in replies}) == 1


def test_a_herd_after_a_write_makes_at_most_two_loads(
    stack: Stack, patient: list[Client], admin: Client, name: str
) -> None:
    assert admin.put(name, quantity=1, price="1").status == 201
    assert patient[0].item(name).status == 200
    assert admin.put(name, quantity=2).status == 200
    with counted_loads(stack) as loads:
        replies = herd(patient, item_path(name))
        assert loads() <= 2
    assert {(status, b'"quantity": 2' in body) for status, _, body in replies} == {(200, True)}


def test_a_herd_without_redis_shares_loads(stack: Stack, patient: list[Client]) -> None:
    path = unasked("list")
    with stopped(stack), counted_loads(stack) as loads:
        replies = herd(patient[:1], path)
        print(f"without Redis: {loads()} loads, {Counter(cache for _, cache, _ in replies)}")
        assert loads() < HERD
    assert {(status, cache) for status, cache, _ in replies} == {(200, "bypass")}
    wait_until(lambda: patient[0].get(path).cache == "hit", "cache in use again")


class DelayProxy:
    """Passes on to Redis what comes; answers come late."""

    def __init__(self, host: str, target: tuple[str, int]) -> None:
        """Listen.

        Args:
            host: where.
            target: where Redis is.
        """
        self.delay = 0.0
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, host, 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass(reader, upstream[1], late=False), self._pass(upstream[0], writer, late=True))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late: bool) -> None:
        try:
            while data := await reader.read(65536):
                if late:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def close(self) -> None:
        """Stop listening."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@dataclass
class Behind:
    """Both APIs, with a proxy between them and Redis."""

    proxy: DelayProxy
    read: Client
    admin: Client


@pytest.fixture(scope="module")
def behind(stack: Stack) -> Iterator[Behind]:
    host = f"{stack.subnet}.1"
    proxy = DelayProxy(host, (stack.address("redis"), 6379))
    more = {"SHOP_REDIS_HOST": host, "SHOP_REDIS_PORT": str(proxy.port)}
    yield Behind(proxy, stack.api("behind", "read", **more), stack.api("behind-admin", "admin", **more))
    stack.remove("behind")
    stack.remove("behind-admin")
    proxy.close()


@contextmanager
def stopped(stack: Stack) -> Iterator[None]:
    docker("stop", "--time", "5", stack.container("redis"))
    try:
        yield
    finally:
        docker("start", stack.container("redis"))


@contextmanager
def frozen(stack: Stack) -> Iterator[None]:
    docker("pause", stack.container("redis"))
    try:
        yield
    finally:
        docker("unpause", stack.container("redis"))


@contextmanager
def slow(behind: Behind) -> Iterator[None]:
    behind.proxy.delay = SLOW_SECONDS
    try:
        yield
    finally:
        behind.proxy.delay = 0


@contextmanager
def full(client: "redis.Redis", policy: str) -> Iterator[None]:
    client.config_set("maxmemory-policy", policy)
    client.config_set("maxmemory", 1)
    try:
        yield
    finally:
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "volatile-lru")


@dataclass
class Storm:
    """What readers and a writer saw."""

    statuses: Counter[int]
    caches: Counter[str | None]
    stale: int
    reads: list[float]
    writes: list[float]

    def __str__(self) -> str:
        """Say it in a line."""
        median, high = (sorted(self.reads)[int(len(self.reads) * part)] * 1000 for part in (0.5, 0.99))
        writes = f"{len(self.writes)} writes, slowest {max(self.writes) * 1000:.0f} ms"
        return f"{len(self.reads)} reads, median {median:.0f} ms, p99 {high:.0f} ms; {writes}; {dict(self.caches)}"


def storm(read: Client, admin: Client, name: str, trouble: Callable[[], AbstractContextManager[None]]) -> Storm:
    """Read and write all the time while trouble comes, stays for a while, and goes."""
    seen = Storm(Counter(), Counter(), 0, [], [])
    acknowledged, lock, over = [1], threading.Lock(), threading.Event()

    def keep_reading(client: Client) -> None:
        while not over.is_set():
            floor, begun = acknowledged[0], time.monotonic()
            reply = client.item(name)
            seconds = time.monotonic() - begun
            with lock:
                seen.statuses[reply.status] += 1
                seen.caches[reply.cache] += 1
                seen.reads.append(seconds)
                seen.stale += reply.status == 200 and reply.json["quantity"] < floor
            # Room for the machine's other work: this is about what a request pays, not about how many there can be.
            over.wait(0.02)

    def keep_writing() -> None:
        for quantity in range(2, 10_000):
            begun = time.monotonic()
            reply = admin.put(name, quantity=quantity)
            with lock:
                seen.statuses[reply.status] += 1
                seen.writes.append(time.monotonic() - begun)
            acknowledged[0] = quantity
            if over.wait(0.1):
                return

    threads = [threading.Thread(target=keep_reading, args=(client,)) for client in (read, admin) for _ in range(6)]
    threads.append(threading.Thread(target=keep_writing))
    for thread in threads:
        thread.start()
    try:
        over.wait(1)
        with trouble():
            over.wait(4)
        over.wait(1)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return seen


@pytest.mark.parametrize("kind", ["stopped", "frozen", "slow", "full, noeviction", "full, volatile-lru"])
def test_redis_in_trouble(stack: Stack, behind: Behind, redis_client: "redis.Redis", name: str, kind: str) -> None:
    troubles: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "stopped": lambda: stopped(stack),
        "frozen": lambda: frozen(stack),
        "slow": lambda: slow(behind),
        "full, noeviction": lambda: full(redis_client, "noeviction"),
        "full, volatile-lru": lambda: full(redis_client, "volatile-lru"),
    }
    assert behind.admin.put(name, quantity=1, price="1").status == 201
    # What each process needs to begin with is not what this is about.
    for client in (behind.read, behind.admin):
        wait_until(lambda: client.item(name).cache == "hit", "cache in use")  # noqa: B023
    stack.sql("FLUSH STATUS")
    with counted_loads(stack) as loads:
        seen = storm(behind.read, behind.admin, name, troubles[kind])
        print(f"{kind}: {seen}; {loads()} loads")
        assert loads() < len(seen.reads) + len(seen.writes)
    assert set(seen.statuses) == {200}
    assert seen.stale == 0
    assert [seconds for seconds in seen.reads if seconds > 5] == []
    # Readers of two APIs, the writers' background threads, the other APIs of this stack and the one who counts.
    assert int(stack.sql("SHOW GLOBAL STATUS LIKE 'Max_used_connections'").split()[1]) <= 6 * WORKERS * (THREADS + 1)
    for client in (behind.read, behind.admin):
        wait_until(lambda: client.item(name).cache == "hit", "cache in use again")  # noqa: B023


POISONS: dict[str, Callable[["redis.Redis", str], object]] = {
    "text": lambda client, key: client.set(key, b"\xff poison"),
    "nothing": lambda client, key: client.set(key, b""),
    "list": lambda client, key: client.rpush(key, "poison"),
    "set": lambda client, key: client.sadd(key, "poison"),
    "sorted set": lambda client, key: client.zadd(key, {"poison": 1}),
    "hash": lambda client, key: client.hset(key, mapping={"poison": "poison"}),
    "number": lambda client, key: client.hset(key, mapping={"epoch": "poison", "number": "poison"}),
    "infinite number": lambda client, key: client.hset(key, mapping={"epoch": "poison", "number": "inf"}),
    "negative number": lambda client, key: client.hset(key, mapping={"epoch": "poison", "number": "-7"}),
    "huge number": lambda client, key: client.hset(key, mapping={"epoch": "poison", "number": "9" * 40}),
    "number ahead": lambda client, key: client.hset(key, mapping={"epoch": "poison", "number": "9" * 12}),
    "no epoch": lambda client, key: client.hset(key, mapping={"number": "1"}),
}


def answered(client: Client, path: str) -> Reply:
    """Ask until MySQL can be asked; for no other reason may an answer be one that says itself that it is old."""

    def current() -> Reply | None:
        before = total(client, "shop_api_database_errors_total")
        reply = client.get(path)
        if reply.cache != "stale":
            return reply
        assert total(client, "shop_api_database_errors_total") > before, "an old answer, although MySQL can be asked"
        return None

    return wait_until(current, "MySQL can be asked")


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
def test_poisoned_keys(
    read: Client,
    admin: Client,
    redis_client: "redis.Redis",
    name: str,
    poison: Callable[["redis.Redis", str], object],
) -> None:
    path = item_path(name)
    assert admin.put(name, quantity=0, price="1").status == 201
    question = f"item:{hashlib.sha256(name.encode()).hexdigest()}"
    wait_until(lambda: read.get(path).cache == "hit", "the item is cached")
    assert redis_client.exists(ENTRY + question)
    quantity = 0
    for key in (STATE, INTENTS, LEASE + question, ENTRY + question):
        for before_the_write in (True, False):
            quantity += 1
            for write in (False, True):
                if write:
                    assert admin.put(name, quantity=quantity).status == 200
                if write is not before_the_write:
                    redis_client.delete(key)
                    poison(redis_client, key)
            for client in (read, admin, read.fresh()):
                reply = answered(client, path)
                assert (reply.status, reply.json["quantity"]) == (200, quantity), reply.cache
            for client in (read, admin):
                wait_until(lambda: client.get(path).cache == "hit", "cache in use again")  # noqa: B023


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"not JSON",
        b'{"name": "x", "quantity": 1}',
        b'{"name": "x", "quantity": "1", "price": "1.00"}',
        b'{"name": "x", "quantity": 1, "price": 1.00}',
        b'{"name": "x", "quantity": -1, "price": "1.00"}',
        b'{"name": "x", "quantity": 1, "price": "1.00", "more": 1}',
        b'{"items": [], "total": 0, "page": 1, "size": 50, "pages": 0}',
    ],
)
@pytest.mark.parametrize("status", [200, 404])
def test_an_entry_that_is_no_answer_is_reported_and_overwritten(
    stack: Stack, read: Client, admin: Client, redis_client: "redis.Redis", name: str, status: int, body: bytes
) -> None:
    admin.put(name, quantity=3, price="2.99")
    good = read.item(name).body
    key = f"{ENTRY}item:{hashlib.sha256(name.encode()).hexdigest()}"
    kept = Entry.unpack(redis_client.get(key))  # type: ignore[arg-type]
    assert kept
    before = total(read, "shop_api_bad_entries_total")
    redis_client.set(key, kept._replace(status=status, body=body).pack())
    reply = read.item(name)
    assert (reply.status, reply.body, reply.cache) == (200, good, "miss")
    assert total(read, "shop_api_bad_entries_total") == before + 1
    assert any(line["message"].startswith("entry in Redis left out") for line in stack.logs("api"))
    assert read.item(name).cache == "hit"


def total(client: Client, metric: str) -> int:
    lines = client.get("/metrics").body.decode().splitlines()
    return sum(int(float(line.split()[1])) for line in lines if line.startswith(metric))
