"""The protocol's single steps in random order: its scripts on a real Redis against a model of the database's history.

Only Redis' clock is the test's own. The same exploration must find each fault that is planted in the scripts.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis
from shop_api import cache as protocol
from shop_api.cache import ENTRY, INTENT_MS, INTENTS, LEASE, Cache, Entry, Lookup

KEY = "k"
CLOCK = "clock"
STEPS = 50


@dataclass
class Writer:
    """A write on its way; `covered` as long as Redis is sure to know its intent."""

    intent: str
    covered: bool = True
    version: int = 0
    committed_at: int = 0


@dataclass
class Reader:
    """A load on its way."""

    process: Cache
    lookup: Lookup
    version: int = 0


class StaleError(Exception):
    """A hit was older than it may be."""


class World:
    """Two processes that read, one that writes, and what may happen to them and to Redis."""

    def __init__(self, client: "redis.Redis", chance: random.Random) -> None:
        """Begin with an empty Redis.

        Args:
            client: of a Redis that may be emptied.
            chance: makes all choices.
        """
        self.client = client
        self.chance = chance
        self.processes = [Cache(client), Cache(client)]
        self.writer_process = Cache(client)
        self.newest = self.acknowledged = 1
        self.promised: list[tuple[int, int]] = []
        self.readers: list[Reader] = []
        self.writers: list[Writer] = []
        self.unheard: list[Writer] = []
        self.unpublished: list[int] = []
        self.now = time.time_ns() // 1_000_000
        self._empty_redis()
        always = [self.look_up, self.take_snapshot, self.fill, self.announce, self.commit]
        sometimes = [
            self.publish_and_acknowledge,
            self.roll_back,
            self.lose_publication,
            self.acknowledge_after_the_deadline,
            self.publish_at_last,
            self.crash_writer,
            self.write_while_nobody_reaches_redis,
            self.pass_time,
            self.lose_entry_or_lease,
            self.restart_redis,
        ]
        # Some runs never restart Redis, others hardly ever publish: what one step undoes, others can bring to light.
        weights = {step: chance.choice([0, 1, 4]) for step in sometimes} | dict.fromkeys(always, 4)
        self.steps, self.weights = list(weights), list(weights.values())

    def run(self) -> None:
        """Do a number of steps. Each tells whether it was possible at the moment.

        Raises:
            StaleError: with the steps that led to a stale hit.
        """
        trace: list[str] = []
        while len(trace) < STEPS:
            [step] = self.chance.choices(self.steps, self.weights)
            try:
                if step():
                    trace.append(step.__name__)
            except StaleError as error:
                raise StaleError(f"{error}: {', '.join([*trace, step.__name__])}") from None

    def look_up(self) -> bool:
        """Begin a read."""
        process = self.chance.choice(self.processes)
        floor = max([self.acknowledged, *(version for at, version in self.promised if at <= self.now)])
        lookup = process.lookup(KEY, lambda _: True)
        assert lookup.reached
        if not lookup.current:
            self.readers = [*self.readers[-2:], Reader(process, lookup)]
        elif lookup.entry and lookup.entry.version < floor:
            raise StaleError(f"{lookup.entry.version} hit after {floor}")
        return True

    def take_snapshot(self) -> bool:
        """Read the database."""
        waiting = [reader for reader in self.readers if not reader.version]
        if not waiting:
            return False
        self.chance.choice(waiting).version = self.newest
        return True

    def fill(self) -> bool:
        """End a read that missed."""
        loaded = [reader for reader in self.readers if reader.version]
        if not loaded:
            return False
        reader = self.chance.choice(loaded)
        self.readers.remove(reader)
        entry = Entry(reader.version, reader.lookup.now_ms, 200, b"%d" % reader.version)
        reader.process.fill(KEY, reader.lookup, entry)
        return True

    def announce(self) -> bool:
        """Begin a write."""
        if len(self.writers) >= 2:
            return False
        intent = self.writer_process.announce()
        assert self.client.zscore(INTENTS, intent)
        self.writers.append(Writer(intent))
        return True

    def commit(self) -> bool:
        """Commit a write."""
        begun = [writer for writer in self.writers if not writer.version]
        if not begun:
            return False
        self.newest += 1
        writer = self.chance.choice(begun)
        writer.version, writer.committed_at = self.newest, self.now
        return True

    def roll_back(self) -> bool:
        """Give a write up."""
        begun = [writer for writer in self.writers if not writer.version]
        if not begun:
            return False
        writer = self.chance.choice(begun)
        self.writers.remove(writer)
        self.writer_process.withdraw(writer.intent)
        return True

    def publish_and_acknowledge(self) -> bool:
        """End a write."""
        committed = [writer for writer in self.writers if writer.version]
        if not committed:
            return False
        writer = self.chance.choice(committed)
        self.writers.remove(writer)
        assert self.writer_process.publish(writer.version, [writer.intent])
        self.acknowledged = max(self.acknowledged, writer.version)
        return True

    def lose_publication(self) -> bool:
        """Let a publication not get through to Redis."""
        covered = [writer for writer in self.writers if writer.version and writer.covered]
        if not covered:
            return False
        writer = self.chance.choice(covered)
        self.writers.remove(writer)
        self.unheard.append(writer)
        return True

    def acknowledge_after_the_deadline(self) -> bool:
        """End a write whose publication was lost, as long after its commit as the code waits."""
        if not self.unheard:
            return False
        writer = self.unheard.pop()
        self._set_clock(max(self.now, writer.committed_at + INTENT_MS))
        self.acknowledged = max(self.acknowledged, writer.version)
        self.unpublished.append(writer.version)
        return True

    def publish_at_last(self) -> bool:
        """Publish what was acknowledged unpublished."""
        if not self.unpublished:
            return False
        assert self.writer_process.publish(self.unpublished.pop(), [])
        return True

    def crash_writer(self) -> bool:
        """Let a writer die; what it committed is to be seen in time."""
        if not self.writers:
            return False
        writer = self.chance.choice(self.writers)
        self.writers.remove(writer)
        if writer.version and writer.covered:
            self.promised.append((writer.committed_at + INTENT_MS, writer.version))
        return True

    def write_while_nobody_reaches_redis(self) -> bool:
        """Acknowledge a write of which Redis knows nothing, while all readers notice that they cannot reach it."""
        for process in self.processes:
            process._failure = object()
        self.newest += 1
        self.acknowledged = self.newest
        self.unpublished.append(self.newest)
        return True

    def pass_time(self) -> bool:
        """Let up to a deadline and more pass."""
        self._set_clock(self.now + self.chance.choice([1, INTENT_MS // 2, INTENT_MS, INTENT_MS + 1]))
        return True

    def lose_entry_or_lease(self) -> bool:
        """Evict an entry, or let a lease lapse."""
        self.client.delete(self.chance.choice([ENTRY, LEASE]) + KEY)
        return True

    def restart_redis(self) -> bool:
        """Empty Redis."""
        self._empty_redis()
        for writer in self.writers:
            # What is committed already cannot be missed by any load after this.
            writer.covered = writer.covered and bool(writer.version)
        return True

    def _empty_redis(self) -> None:
        self.client.flushall()
        self._set_clock(self.now)

    def _set_clock(self, now: int) -> None:
        self.now = now
        self.client.delete(CLOCK)
        self.client.rpush(CLOCK, now // 1000, now % 1000 * 1000)


def explore(client: "redis.Redis", runs: int) -> None:
    for seed in range(runs):
        World(client, random.Random(seed)).run()  # noqa: S311


@pytest.fixture
def client(redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch) -> Iterator["redis.Redis"]:
    for script in ("_LOOKUP", "_ANNOUNCE"):
        source = getattr(protocol, script)
        assert source.count("redis.call('TIME')") == 1
        clocked = source.replace("redis.call('TIME')", f"redis.call('LRANGE', '{CLOCK}', 0, 1)")
        monkeypatch.setattr(protocol, script, clocked)
    yield redis_client
    redis_client.flushall()


def test_no_order_of_steps_gives_a_stale_hit(client: "redis.Redis") -> None:
    explore(client, runs=400)


FENCE = "if epoch == ARGV[1] and version >= known and not"


@pytest.mark.parametrize(
    ("script", "right", "wrong"),
    [
        pytest.param("_FILL", "epoch == ARGV[1] and", "epoch and", id="fill without epoch"),
        pytest.param(
            "_FILL", "version >= known and", "(function() known = -1 return true end)() and", id="fill without version"
        ),
        pytest.param(
            "_FILL",
            FENCE,
            "known = -1 if redis.pcall('GET', KEYS[3]) == ARGV[5] and not",
            id="fill by a lease without fence",
        ),
        pytest.param("_LOOKUP", "#overdue > 0 or ", "", id="no deadline"),
        pytest.param("_LOOKUP", "if now - born > tonumber(ARGV[4]) then", "if true then", id="deadline not renewed"),
        pytest.param("_LOOKUP", "ARGV[2] == '1' or ", "", id="doubt ignored"),
        pytest.param("_LOOKUP", "tonumber(version) == known and", "", id="hit without version"),
        pytest.param(
            "_PUBLISH",
            "redis.call('HSET', KEYS[1], 'epoch', ARGV[2])",
            "redis.call('HSET', KEYS[1], 'epoch', epoch or ARGV[2])",
            id="no new epoch",
        ),
        pytest.param("_PUBLISH", "elseif tonumber(ARGV[1]) > known then", "else", id="publications out of order"),
    ],
)
def test_the_exploration_finds_a_planted_fault(
    client: "redis.Redis", monkeypatch: pytest.MonkeyPatch, script: str, right: str, wrong: str
) -> None:
    source = getattr(protocol, script)
    assert source.count(right) == 1
    monkeypatch.setattr(protocol, script, source.replace(right, wrong))
    with pytest.raises(StaleError) as found:
        explore(client, runs=5000)
    print(found.value)
