"""Times ./fleet up and ./fleet deploy on labs of several sizes, per play and per task, and weighs them at rest.

Usage: ./fleet bench deploy [--hosts 4 8 16] [--runs 5] [--cold]

The labs are made beside the one of ./fleet up and removed again, data and all. With --cold every image on this machine
is removed first, those of other labs too, and what a machine costs on which nothing was built yet is timed once.
Figures are medians; they go to a table and, whole, to .fleet/bench-deploy.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "shared"))

from generated_lab import write  # noqa: E402

# A lab beside the usual one; what the environment says of it wins.
OWN = {"LAB_NAME": "bench", "LAB_SUBNET": "10.64.0.0/16", "SHOP_HTTP_PORT": "8064", "SHOP_HTTPS_PORT": "8464"}
WORK = ROOT / ".fleet" / "bench"
RESULT = ROOT / ".fleet" / "bench-deploy.json"
SLOWEST = 12
# Seconds until what has just been started has come to rest.
REST = 30


@dataclass(frozen=True)
class Run:
    """One run of a verb.

    Attributes:
        seconds: How long it took.
        cpu_seconds: What it took of the controller's processors, the hosts not counted.
        changed: How many tasks changed something, summed over the hosts.
        plays: `play` and `seconds` of each, in order.
        tasks: `play`, `task`, `hosts`, `seconds` and `host_seconds` of each, in order.
    """

    seconds: float
    cpu_seconds: float
    changed: int
    plays: list[dict[str, Any]]
    tasks: list[dict[str, Any]]


@dataclass(frozen=True)
class Phase:
    """What was run several times.

    Attributes:
        hosts: Size of the lab.
        name: What was done.
        runs: Each time that it was.
    """

    hosts: int
    name: str
    runs: list[Run] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median of the seconds."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def typical(self) -> Run:
        """The run that took the median, or the next longer one."""
        return sorted(self.runs, key=lambda run: run.seconds)[len(self.runs) // 2]


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def fleet(verb: str, *arguments: str) -> Run:
    """Run a verb and time it.

    Args:
        verb: The verb.
        *arguments: Its arguments.

    Returns:
        The figures.

    Raises:
        SystemExit: It failed.
    """
    print(f"./fleet {verb} {' '.join(arguments)} …", file=sys.stderr, flush=True)
    timings = WORK / "timings.json"
    timings.unlink(missing_ok=True)
    environment = {"ANSIBLE_CALLBACKS_ENABLED": "timings", "SHOPFLEET_TIMINGS": str(timings)}
    begun, used = monotonic(), _cpu_seconds()
    done = subprocess.run(
        ["./fleet", verb, *arguments],
        cwd=ROOT,
        env={**OWN, **os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, used = monotonic() - begun, _cpu_seconds() - used
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    changed = sum(int(count) for count in re.findall(r"changed=(\d+)", done.stdout))
    return Run(round(seconds, 2), round(used, 2), changed, **json.loads(timings.read_text()))


def memory_mib(lab: str) -> int:
    """Add up what a lab's hosts hold in memory, with all that runs in them.

    Args:
        lab: Its name.

    Returns:
        MiB, page cache not counted.
    """
    names = subprocess.check_output(["docker", "ps", "--filter", f"label=shopfleet.lab={lab}", "--quiet"], text=True)
    usage = subprocess.check_output(
        ["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", *names.split()], text=True
    )
    units = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
    found = re.findall(r"^([\d.]+)(KiB|MiB|GiB) /", usage, re.MULTILINE)
    return round(sum(float(value) * units[unit] for value, unit in found))


def measure(hosts: int, runs: int, *, cold: bool) -> tuple[list[Phase], int]:
    """Measure a lab of one size, and remove it.

    Args:
        hosts: How many hosts it has.
        runs: How often each phase is run.
        cold: Whether to begin without any image.

    Returns:
        The phases, and the memory of the lab at rest in MiB.
    """
    inventory = ["-i", str(write(WORK / f"lab-{hosts}", hosts))]
    phases = []
    fleet("down", *inventory, "-e", f"purge={'yes' if cold else 'data'}")
    try:
        if cold:
            phases.append(Phase(hosts, "up, cold", [fleet("up", *inventory)]))
        else:
            # What is not measured builds what is absent.
            fleet("up", *inventory)
        ups = Phase(hosts, "up, images built")
        for _ in range(runs):
            fleet("down", *inventory, "-e", "purge=data")
            ups.runs.append(fleet("up", *inventory))
        nothing = [fleet("deploy", *inventory) for _ in range(runs)]
        one = [fleet("deploy", *inventory, "-e", f"catalogue_low_stock={number + 20}") for number in range(runs)]
        phases += [ups, Phase(hosts, "nothing to change", nothing), Phase(hosts, "one setting changed", one)]
        sleep(REST)
        return phases, memory_mib(os.environ.get("LAB_NAME", OWN["LAB_NAME"]))
    finally:
        fleet("down", *inventory, "-e", "purge=data")


def table(phases: Sequence[Phase]) -> list[str]:
    """Write the figures down for people.

    Args:
        phases: What was measured.

    Returns:
        A line for each phase, and for each below it the plays and the slowest tasks of its typical run.
    """
    lines = [f"{'hosts':>5}  {'phase':<20} {'median':>8}  {'CPU':>6}  {'changed':>7}  each"]
    for phase in phases:
        changed = "/".join(str(count) for count in sorted({run.changed for run in phase.runs}))
        each = " ".join(f"{run.seconds:.1f}" for run in phase.runs)
        cpu = statistics.median(run.cpu_seconds for run in phase.runs)
        lines.append(f"{phase.hosts:>5}  {phase.name:<20} {phase.median:>6.1f} s  {cpu:>4.0f} s  {changed:>7}  {each}")
    for phase in phases:
        run = phase.typical
        lines += ["", f"{phase.hosts} hosts, {phase.name}, {run.seconds:.1f} s:"]
        lines += [f"  {play['seconds']:>7.2f} s  {play['play']}" for play in run.plays]
        lines.append(f"  the slowest of {len(run.tasks)} tasks:")
        slowest = sorted(run.tasks, key=lambda task: -float(task["seconds"]))[:SLOWEST]
        lines += [f"  {task['seconds']:>7.2f} s  {task['task']} ({task['hosts']} hosts)" for task in slowest]
    return lines


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(prog="./fleet bench deploy", description="Time labs.")
    parser.add_argument("--hosts", type=int, nargs="+", default=[4, 8, 16], help="sizes of the labs (%(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="how often each phase is run (%(default)s)")
    parser.add_argument("--cold", action="store_true", help="remove all images first, and time that as well")
    options = parser.parse_args()

    WORK.mkdir(parents=True, exist_ok=True)
    commit = subprocess.check_output(["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True).strip()
    phases: list[Phase] = []
    memory = {}
    for hosts in options.hosts:
        measured, memory[hosts] = measure(hosts, options.runs, cold=options.cold and hosts == options.hosts[0])
        phases += measured
        figures = {
            "commit": commit,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "memory at rest, MiB": memory,
            "phases": [{**asdict(phase), "median": phase.median} for phase in phases],
        }
        # After each size: the figures of one are not lost with the next.
        RESULT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(phases)))
    print("\nmemory at rest: " + ", ".join(f"{size} hosts {held} MiB" for size, held in memory.items()))


if __name__ == "__main__":
    main()
