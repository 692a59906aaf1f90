"""Times ./fleet up and ./fleet deploy on the lab of this machine, and weighs the lab at rest.

Usage: ./fleet bench deploy [--cold] [--runs N]

Takes the lab down first. With --cold the images are removed too, so that the first figure is that of a machine on
which nothing was built yet. Figures go to a table and, as JSON, to .fleet/bench-deploy.json.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

ROOT = Path(__file__).resolve().parents[2]


def fleet(*arguments: str) -> tuple[float, str]:
    """Run ./fleet and time it.

    Args:
        *arguments: The verb and its arguments.

    Returns:
        Seconds and output.

    Raises:
        SystemExit: The verb failed.
    """
    print(f"./fleet {' '.join(arguments)} …", file=sys.stderr, flush=True)
    begun = monotonic()
    done = subprocess.run(["./fleet", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return monotonic() - begun, done.stdout


def phases(output: str) -> dict[str, float]:
    """Read how long each play took from the clock beside it.

    Args:
        output: What a run printed.

    Returns:
        Seconds by the play's name, in order.
    """
    marks = [
        (name, int(minutes) * 60 + int(seconds))
        for minutes, seconds, name in re.findall(r"^\[\d+/\d+ +(\d+):(\d\d)\] (.*)$", output, re.MULTILINE)
    ]
    end = re.search(r"^Took (\d+):(\d\d)", output, re.MULTILINE)
    stop = int(end[1]) * 60 + int(end[2]) if end else marks[-1][1]
    following = [begun for _, begun in marks[1:]] + [stop]
    return {name: float(after - begun) for (name, begun), after in zip(marks, following, strict=True)}


def memory_mib() -> float:
    """Add up what the lab's hosts, with all that runs in them, and the registry hold in memory.

    Returns:
        MiB, page cache not counted.
    """
    names = subprocess.check_output(
        ["docker", "ps", "--filter", "name=^shopfleet-", "--format", "{{.Names}}"], text=True
    )
    usage = subprocess.check_output(
        ["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", *names.split()], text=True
    )
    units = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
    return sum(
        float(value) * units[unit] for value, unit in re.findall(r"^([\d.]+)(KiB|MiB|GiB) /", usage, re.MULTILINE)
    )


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(prog="./fleet bench deploy", description="Time the lab.")
    parser.add_argument("--cold", action="store_true", help="remove images and data first, and time that as well")
    parser.add_argument("--runs", type=int, default=3, help="second runs to take the median of")
    options = parser.parse_args()

    figures: dict[str, object] = {}
    if options.cold:
        fleet("down", "-e", "purge=yes")
        seconds, output = fleet("up")
        figures["cold up, s"] = round(seconds)
        figures["cold up by play, s"] = phases(output)
    fleet("down")
    seconds, output = fleet("up")
    figures["up with images built, s"] = round(seconds)
    figures["up with images built by play, s"] = phases(output)
    second = [fleet("deploy") for _ in range(options.runs)]
    figures["second run, s (median)"] = round(statistics.median(seconds for seconds, _ in second), 1)
    figures["second run, s (each)"] = [round(seconds, 1) for seconds, _ in second]
    figures["second run by play, s"] = phases(second[-1][1])
    figures["second run, changed"] = sum(
        int(count) for _, text in second for count in re.findall(r"changed=(\d+)", text)
    )
    sleep(30)
    figures["memory at rest, MiB"] = round(memory_mib())

    (ROOT / ".fleet" / "bench-deploy.json").write_text(json.dumps(figures, indent=2) + "\n")
    for name, value in figures.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for play, seconds in value.items():
                print(f"  {seconds:6.0f}  {play}")
        else:
            print(f"{name}: {value}")


if __name__ == "__main__":
    main()
