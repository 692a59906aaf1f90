"""An observer counts the reads that are older than a write that was acknowledged before they began."""

import secrets
import threading
import time

from shop_stack import Client, Stack

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
