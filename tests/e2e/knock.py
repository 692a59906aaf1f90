"""Runs in a stranger's network: dials ports over and over until its input ends, and prints which ones answered.

Its argument is a JSON list of [address, port], as is what it prints; "begun" comes once each was dialled.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress

# Often enough for a port that is open for a moment; who answers late counts, too.
PAUSE, PATIENCE = 0.05, 1.0


async def dial(port: tuple[str, int], answered: set[tuple[str, int]]) -> None:
    """Take note when somebody takes a connection."""
    with suppress(OSError, TimeoutError, asyncio.TimeoutError):
        _, writer = await asyncio.wait_for(asyncio.open_connection(*port), PATIENCE)
        answered.add(port)
        writer.close()


async def main() -> None:
    """Dial all ports, again and again, without waiting for one another."""
    ports = [(address, number) for address, number in json.loads(sys.argv[1])]
    answered: set[tuple[str, int]] = set()
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    under_way: set[asyncio.Task[None]] = set()
    announced = False
    while not over.done():
        under_way = {task for task in under_way if not task.done()}
        under_way |= {asyncio.create_task(dial(port, answered)) for port in ports if port not in answered}
        await asyncio.sleep(PAUSE)
        if not announced:
            print("begun", flush=True)
            announced = True
    await asyncio.gather(*under_way, *(dial(port, answered) for port in ports))
    print(json.dumps(sorted(answered)))


asyncio.run(main())
