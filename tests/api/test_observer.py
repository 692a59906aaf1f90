"""An observer counts the reads that are older than a write that was acknowledged before they began.

Over HTTP it is slow; in processes of its own, which use the catalogue as the routes do, it counts a million.
"""

import json
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shop_stack import VARIANTS, Client, Stack, docker, wait_until

KEYS, READERS, WRITERS = 4, 8, 4


def stale_reads(readers: list[Client], writer: Client, seconds: float) -> tuple[int, int, int]:
    """Read and write at once for a while; return how many reads were stale, how many there were, and the writes."""
    names = [f"Observed {secrets.token_hex(6)}" for _ in range(KEYS)]
    acknowledged = dict.fromkeys(names, 0)
    for name in names:
        assert writer.put(name, quantity=0, price="1").status == 201
    end = time.monotonic() + seconds
    counts = {"stale": 0, "reads": 0, "writes": 0}
    lock = threading.Lock()
    failures: list[BaseException] = []

    def count(stale: int, reads: int, writes: int) -> None:
        with lock:
            counts["stale"] += stale
            counts["reads"] += reads
            counts["writes"] += writes

    def observe(client: Client) -> None:
        stale = reads = 0
        while time.monotonic() < end:
            name = names[reads % KEYS]
            floor = acknowledged[name]
            stale += client.item(name).json["quantity"] < floor
            reads += 1
        count(stale, reads, 0)

    def write(name: str) -> None:
        quantity = 0
        while time.monotonic() < end:
            quantity += 1
            assert writer.put(name, quantity=quantity).status == 200
            acknowledged[name] = quantity
            time.sleep(0.01)
        count(0, 0, quantity)

    def guarded(work: threading.Thread) -> threading.Thread:
        run = work.run

        def safely() -> None:
            try:
                run()
            except BaseException as error:
                failures.append(error)

        work.run = safely  # type: ignore[method-assign]
        return work

    threads = [guarded(threading.Thread(target=observe, args=(readers[n % len(readers)],))) for n in range(READERS)]
    threads += [guarded(threading.Thread(target=write, args=(name,))) for name in names[:WRITERS]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return counts["stale"], counts["reads"], counts["writes"]


def test_no_read_is_stale_after_an_acknowledged_write(read: Client, admin: Client) -> None:
    stale, reads, writes = stale_reads([read, admin], admin, 6)
    print(f"{stale} of {reads} reads stale, {writes} writes")
    assert reads > 1000
    assert writes > 50
    assert stale == 0


@contextmanager
def restarts(stack: Stack) -> Iterator[list[str]]:
    """Kill Redis, or freeze it for a moment, again and again; yields what was done."""
    done: list[str] = []
    over = threading.Event()
    name = stack.container("redis")

    def disturb() -> None:
        while not over.wait(6):
            if len(done) % 2:
                docker("pause", name)
                over.wait(0.5)
                docker("unpause", name)
                done.append("frozen")
            else:
                docker("kill", name)
                docker("start", name)
                done.append("killed")

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


def observe(stack: Stack, reads: int, *options: str, variant: str | None = None) -> dict[str, Any]:
    """Run the observer in the API's image and return what it counted."""
    script = Path(__file__).with_name("observer.py")
    mounts = ["--volume", f"{script}:/observer.py:ro"]
    if variant:
        mounts += ["--volume", f"{VARIANTS / variant}:/variant:ro", "--env", "PYTHONPATH=/variant"]
    command = ["python3", "/observer.py", str(reads), *options]
    settings = stack.environment("admin_api")
    done = subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            "--init",
            "--network",
            stack.prefix,
            *mounts,
            *settings,
            stack.images["api"],
            *command,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(counts)
    return counts


def test_no_read_in_a_million_is_stale_whatever_fails(stack: Stack, read: Client, admin: Client) -> None:
    with restarts(stack) as disturbances:
        counts = observe(stack, 1_000_000, "--faults")
    print(f"Redis was killed {disturbances.count('killed')} times and frozen {disturbances.count('frozen')} times")
    assert counts["reads"] >= 1_000_000
    assert counts["stale"] == 0
    assert not [key for key in counts if key.startswith("error")]
    # It was the cache that was observed, and it was disturbed.
    assert counts["hit"] > 0.3 * counts["reads"]
    assert counts["writes"] > 200
    assert counts["kills"] > 50
    assert {"killed", "frozen"} <= set(disturbances)
    for client in (read, admin):
        wait_until(lambda: client.get("/items?q=settled").cache == "hit", "cache in use again")  # noqa: B023


def test_the_observer_of_a_million_catches_a_plain_cache(stack: Stack) -> None:
    for _ in range(4):
        if observe(stack, 30_000, variant="naive")["stale"]:
            return
    raise AssertionError("the observer sees nothing")


def test_the_observer_catches_a_plain_cache(stack: Stack) -> None:
    clients = [stack.api(f"naive-{mode}", mode, variant="naive") for mode in ("read", "admin")]
    try:
        for _ in range(4):
            stale, reads, writes = stale_reads(clients, clients[1], 3)
            print(f"{stale} of {reads} reads stale, {writes} writes")
            if stale:
                return
        raise AssertionError("the observer sees nothing")
    finally:
        for mode in ("read", "admin"):
            stack.remove(f"naive-{mode}")
