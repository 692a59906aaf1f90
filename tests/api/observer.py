"""Counts the reads that are older than a write that was acknowledged before they began; runs in the API's image.

Readers and writers are processes that use the catalogue as the routes do. Unless they are told to go easy, writers
are killed at any moment, publications get lost, and entries are evicted and spoilt. Writes and deaths are paced by the
reads that are done, so that a slow machine observes no less of the cache than a fast one.
"""

import argparse
import json
import multiprocessing
import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, MutableSequence
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from typing import Any

import redis
from shop_api.app import make_catalogue
from shop_api.cache import ENTRY
from shop_api.catalogue import Answer, Catalogue
from shop_api.settings import Mode, Settings
from sqlalchemy import Connection, text

KEYS, PROCESSES, THREADS = 4, 2, 2
BATCH = 200
# A reader rests for half as long as it has read: Redis, MySQL and those that disturb them need the processors, too.
REST = 0.5
# Reads between two writes of one writer, and between two deaths.
WRITE_READS, KILL_READS = 400, 8000
SPOIL_PAUSE, LOOK_PAUSE = 0.3, 0.005
LOSSES = 0.02

_fork = multiprocessing.get_context("fork")
_names = [f"Observed {secrets.token_hex(6)}" for _ in range(KEYS)]

Acknowledged = MutableSequence[int]


def _catalogue() -> Catalogue:
    return make_catalogue(Settings.load(mode=Mode.ADMIN))


def _quantity(connection: Connection, index: int) -> int:
    row = connection.execute(text("SELECT quantity FROM items WHERE name = :name"), {"name": _names[index]})
    return int(row.scalar_one())


def _read(catalogue: Catalogue, index: int) -> Answer:
    return catalogue.read(
        f"observed:{_names[index]}",
        lambda connection: Answer(200, b"%d" % _quantity(connection, index)),
        lambda answer: answer.body.isdigit(),
    )


def _increment(catalogue: Catalogue, index: int) -> int:
    def work(connection: Connection) -> int:
        update = text("UPDATE items SET quantity = quantity + 1 WHERE name = :name")
        connection.execute(update, {"name": _names[index]})
        return _quantity(connection, index)

    return catalogue.write(work)


def read(acknowledged: Acknowledged, left: Any, results: "Queue[Counter[str]]") -> None:  # noqa: ANN401
    """Read until no reads are left to do, and report what was seen."""
    catalogue = _catalogue()
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def observe() -> None:
        own: Counter[str] = Counter()
        while True:
            with left.get_lock():
                if left.value <= 0:
                    break
                left.value -= BATCH
            begun = time.monotonic()
            for number in range(BATCH):
                index = number % KEYS
                floor = acknowledged[index]
                try:
                    answer = _read(catalogue, index)
                except Exception as error:
                    own[f"error {error!r}"] += 1
                    continue
                own[answer.cache] += 1
                own["stale"] += int(answer.body) < floor
            own["reads"] += BATCH
            time.sleep(REST * (time.monotonic() - begun))
        with lock:
            counts.update(own)

    threads = [threading.Thread(target=observe) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(counts)


def _lossy(script: Callable[..., object]) -> Callable[..., object]:
    def call(**arguments: object) -> object:
        if random.random() < LOSSES:  # noqa: S311
            raise redis.TimeoutError
        result = script(**arguments)
        if random.random() < LOSSES:  # noqa: S311
            raise redis.TimeoutError
        return result

    return call


def _pass(left: Any, reads: int) -> None:  # noqa: ANN401
    """Wait until that many more reads are begun, or none is left to do."""
    until = max(0, left.value - reads)
    while left.value > until:
        time.sleep(LOOK_PAUSE)


def write(acknowledged: Acknowledged, left: Any, index: int, faults: bool) -> None:  # noqa: ANN401
    """Write until killed; what is written is acknowledged when `write` has returned."""
    random.seed()
    catalogue = _catalogue()
    if faults:
        catalogue.cache._publish = _lossy(catalogue.cache._publish)  # type: ignore[assignment]
    catalogue.start_publishing()
    while True:
        acknowledged[index] = _increment(catalogue, index)
        _pass(left, WRITE_READS)


def _spoil(client: "redis.Redis") -> None:
    while True:
        time.sleep(SPOIL_PAUSE)
        name = ENTRY + f"observed:{random.choice(_names)}"  # noqa: S311
        try:
            if random.random() < 0.5:  # noqa: S311
                client.delete(name)
            else:
                client.set(name, b"1 1 1 200 1\nspoilt")
        except redis.RedisError:
            continue


def observe(reads: int, faults: bool) -> Counter[str]:
    """Let readers and writers run until that many reads are done; return what was counted."""
    acknowledged: Acknowledged = _fork.Array("q", KEYS, lock=False)
    left = _fork.Value("q", reads)
    results: Queue[Counter[str]] = _fork.Queue()
    counts: Counter[str] = Counter()

    def writer(index: int) -> BaseProcess:
        process = _fork.Process(target=write, args=(acknowledged, left, index, faults), daemon=True)
        process.start()
        return process

    writers = [writer(index) for index in range(KEYS)]
    readers = [_fork.Process(target=read, args=(acknowledged, left, results)) for _ in range(PROCESSES)]
    begun = time.monotonic()
    for reader in readers:
        reader.start()
    if faults:
        threading.Thread(target=_spoil, args=(_catalogue().cache.client,), daemon=True).start()
    while left.value > 0 and all(reader.is_alive() for reader in readers):
        _pass(left, KILL_READS)
        if faults:
            victim = random.randrange(KEYS)  # noqa: S311
            writers[victim].kill()
            writers[victim].join()
            writers[victim] = writer(victim)
            counts["kills"] += 1
    for reader in readers:
        counts.update(results.get(timeout=60))
        reader.join()
    for process in writers:
        process.kill()
    counts["writes"] = sum(acknowledged)
    counts["seconds"] = round(time.monotonic() - begun)
    return counts


def main() -> None:
    """Observe, and print what was counted as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reads", type=int)
    parser.add_argument("--faults", action="store_true")
    arguments = parser.parse_args()
    catalogue = _catalogue()
    with catalogue.database.engine.begin() as connection:
        for name in _names:
            insert = text("INSERT INTO items (name, quantity, price, revision) VALUES (:name, 0, 1, 1)")
            connection.execute(insert, {"name": name})
        connection.execute(text("UPDATE catalogue_version SET items = items + :number"), {"number": KEYS})
    catalogue.database.engine.dispose()
    print(json.dumps(observe(arguments.reads, arguments.faults)), flush=True)
    # The threads that spoil and publish have no end of their own.
    os._exit(0)


if __name__ == "__main__":
    main()
