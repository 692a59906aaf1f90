"""Runs the checks of tests/lanes.yml: those that are named, those that changed files ask for, or all.

Usage: ./fleet test [--jobs N] [LANE | LANE/PART | changed] ...

What can run side by side does. Logs of all jobs, and screenshots of pages that a test has failed on, are kept in
.fleet/test-logs.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import plan
from engine import Engine, clock, failures, slowest, summary

STATE = plan.ROOT / ".fleet"
LOGS = STATE / "test-logs"
# More would want more memory than a laptop has, and labs that there are no networks for.
MOST_PLACES = 4
# How many tests are named for taking long, and the seconds from which they do.
SLOWEST = 15
LONG = 3
# How many failed tests of one job are named.
FAILURES = 12
# Columns of a log that nobody watches: wide enough for a test's name and reason to stay in one line.
COLUMNS = 200


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Keep others from running the same checks in this checkout.

    Args:
        lock: The file that tells them.

    Yields:
        When nobody else does.

    Raises:
        PlanError: Somebody does.
    """
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise plan.PlanError(
                f"process {file.read().strip()} runs tests in this checkout: wait for it, or end it with Ctrl-C."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def wanted(names: list[str]) -> list[plan.Job] | None:
    """Choose what to run.

    Args:
        names: What was asked for.

    Returns:
        Jobs, or None when nothing changed.

    Raises:
        PlanError: There is no such lane, or it cannot be told what changed.
    """
    lanes = plan.read()
    if "changed" in names:
        if os.environ.get("CI") == "true":
            raise plan.PlanError("CI runs everything: leave 'changed' away.")
        files = plan.changed_files()
        if not files and names == ["changed"]:
            return None
        chosen = plan.lanes_for(files, lanes["changed"])
        names = [*(name for name in names if name != "changed"), *chosen] if chosen or not files else []
        print(f"{len(files)} changed files ask for: {' '.join(names) or 'everything'}", flush=True)
    return plan.choose(plan.jobs(lanes["lanes"]), names)


def environment(slot: int) -> dict[str, str]:
    """Make the variables of a job.

    Args:
        slot: Number of its place among those that run at a time.

    Returns:
        The variables.
    """
    timed = f"--durations={SLOWEST} --durations-min={LONG}"
    return {
        **plan.molecule_lab(slot, os.environ),
        "SHOP_TEST_SLOT": str(slot),
        "PYTHONUNBUFFERED": "1",
        # A log is no terminal, whatever TERM says of the one that this was started from.
        "NO_COLOR": "1",
        "COLUMNS": str(shutil.get_terminal_size((COLUMNS, 50)).columns),
        "PYTEST_ADDOPTS": f"{timed} {os.environ.get('PYTEST_ADDOPTS', '')}".strip(),
    }


def processor_times() -> tuple[int, int]:
    """Read what this machine's processors have done since it was started.

    Returns:
        Their time in all, and the part of it in which they had nothing to do.
    """
    user, nice, system, idle, waiting, *other = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return user + nice + system + idle + waiting + sum(other[:3]), idle + waiting


def run(jobs: list[plan.Job], places: int) -> int:
    """Run jobs and say how they fared.

    Args:
        jobs: The jobs.
        places: How many run at a time.

    Returns:
        Exit code.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    for old in LOGS.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    engine = Engine(LOGS, places, environment)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, engine.interrupt)
    begun, (total, idle) = monotonic(), processor_times()
    results = engine.run(jobs, plan.ROOT)
    took = clock(monotonic() - begun)
    total_after, idle_after = processor_times()
    busy = 100 - 100 * (idle_after - idle) // max(1, total_after - total)
    written = [log.read_text(encoding="utf-8", errors="replace") for log in sorted(LOGS.glob("*.log"))]
    if tests := slowest(written, SLOWEST):
        print("\n=== the slowest tests ===", *tests, sep="\n")
    print("\n=== lanes ===", *summary(results), sep="\n")
    print(f"{'all':<20} {took:>5}  {places} at a time, processors busy for {busy} %")
    for result in results:
        if result.verdict == "FAILED":
            log = LOGS / f"{result.job.name.replace('/', '-')}.log"
            print(f"\nFailed: {result.job.name}. Log: {log.relative_to(plan.ROOT)}")
            named = failures(log.read_text(encoding="utf-8", errors="replace"))
            for test in named[:FAILURES]:
                print(f"  {test}")
            if len(named) > FAILURES:
                print(f"  and {len(named) - FAILURES} more")
    if any(result.verdict == "interrupted" for result in results):
        return 128 + signal.SIGINT
    return 0 if all(result.verdict == "passed" for result in results) else 1


def main() -> int:
    """Read the command line and run what it asks for.

    Returns:
        Exit code.
    """
    places = min(max(2, os.cpu_count() or 2), MOST_PLACES)
    parser = argparse.ArgumentParser(prog="./fleet test", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("lanes", nargs="*", metavar="LANE", help="a lane, LANE/PART, or 'changed'; all when absent")
    parser.add_argument(
        "--jobs",
        type=int,
        choices=range(1, MOST_PLACES + 1),
        default=places,
        help="how many run at a time (%(default)s)",
    )
    options = parser.parse_args()
    STATE.mkdir(exist_ok=True)
    try:
        jobs = wanted(options.lanes)
        if jobs is None:
            print("Nothing changed.")
            return 0
        with alone(STATE / "test.lock"):
            return run(jobs, options.jobs)
    except plan.PlanError as error:
        print(f"fleet test: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
