"""What there is to run, what somebody asked for, and what may start when."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
LANES = ROOT / "tests" / "lanes.yml"
# A lab needs a network of this size; role lab says why.
LAB_PREFIX = 19


class PlanError(Exception):
    """Somebody asked for what there is not; the message names the remedy."""


@dataclass(frozen=True)
class Job:
    """One process to run: a lane, or a part of one.

    Attributes:
        lane: Name of the lane.
        part: What of it, or nothing.
        needs: Lanes that are run first in any case.
        after: Lanes that are waited for when they run, too.
        alone: Whether nothing else runs beside it.
    """

    lane: str
    part: str = ""
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    alone: bool = False

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.lane}/{self.part}" if self.part else self.lane

    @property
    def command(self) -> list[str]:
        """What is run."""
        return [f"tests/lanes/{self.lane}", *([self.part] if self.part else [])]


def read(path: Path = LANES) -> Any:  # noqa: ANN401
    """Read the lanes and the rules for changed files.

    Args:
        path: Where they are written down.

    Returns:
        The file's content.
    """
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def jobs(lanes: Mapping[str, Mapping[str, Any]], root: Path = ROOT) -> list[Job]:
    """List all there is to run, in the order in which it is started.

    Args:
        lanes: As in tests/lanes.yml.
        root: Where patterns of parts are looked for.

    Returns:
        The jobs.
    """
    found = []
    for lane, entry in lanes.items():
        parts = entry.get("parts", [""])
        if isinstance(parts, str):
            parts = sorted(path.parent.name for path in root.glob(parts))
            parts.sort(key=lambda part: part not in entry.get("longest", []))
        conditions = {key: tuple(entry.get(key, [])) for key in ("needs", "after")}
        found += [Job(lane, part, **conditions, alone=entry.get("alone", False)) for part in parts]
    return found


def choose(every: Sequence[Job], names: Iterable[str]) -> list[Job]:
    """Choose what was asked for, and what it needs.

    Args:
        every: All jobs.
        names: Lanes, or parts of them; all when there is none.

    Returns:
        The jobs, in the order of all.

    Raises:
        PlanError: There is no lane or part of such a name.
    """
    wanted = set()
    for name in names:
        matching = {job.name for job in every if name in (job.lane, job.name)}
        if not matching:
            lane = name.partition("/")[0]
            parts = [job.name for job in every if job.lane == lane and job.part]
            known = parts or dict.fromkeys(job.lane for job in every)
            raise PlanError(f"there is no lane '{name}'. These there are: {' '.join(known)}")
        wanted |= matching
    if not wanted:
        return list(every)
    while (
        needed := {job.name for job in every if any(job.lane in other.needs for other in every if other.name in wanted)}
        - wanted
    ):
        wanted |= needed
    return [job for job in every if job.name in wanted]


def obstacles(job: Job, chosen: Sequence[Job], verdicts: Mapping[str, bool]) -> tuple[list[str], list[str]]:
    """Tell what a job waits for, and what keeps it from being started at all.

    Args:
        job: The job.
        chosen: All that is run.
        verdicts: Whether those passed that have ended, by name.

    Returns:
        Names of the jobs that it waits for, and of those it stands on that failed.
    """
    before = [other for other in chosen if other.lane in (*job.needs, *job.after)]
    waits = [other.name for other in before if other.name not in verdicts]
    failed = [other.name for other in before if verdicts.get(other.name) is False]
    return waits, failed


def lanes_for(files: Iterable[str], rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Choose lanes by the files that changed.

    Args:
        files: Their paths.
        rules: As in tests/lanes.yml.

    Returns:
        Names of lanes and parts; of none when every lane is asked for, as by a file that no rule knows.
    """
    names: dict[str, None] = {}
    for file in files:
        matches = [(match, rule) for rule in rules if (match := re.fullmatch(rule["files"], file))]
        if not matches:
            return []
        names |= {match.expand(lane): None for match, rule in matches for lane in rule["lanes"]}
    return list(names)


def _git(root: Path, *arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PlanError(f"git cannot tell what changed: {done.stderr.strip()} Name the lanes instead.")
    return [line for line in done.stdout.split("\0") if line]


def changed_files(root: Path = ROOT) -> list[str]:
    """List what differs from where this branch left main: committed, not committed, and not yet known to git.

    Args:
        root: The checkout.

    Returns:
        Paths; both of them where a file was renamed.

    Raises:
        PlanError: There is no git, no main, or nothing in common with it.
    """
    known = "".join(_git(root, "for-each-ref", "--format=%(refname)", "refs/heads/main", "refs/remotes/origin/main"))
    names = known.split()
    if not names:
        raise PlanError("there is no branch main to compare with. Name the lanes instead.")
    # Who works on main itself is ahead of what he has fetched.
    base = "".join(_git(root, "merge-base", "HEAD", names[-1])).strip()
    differing = _git(root, "diff", "--name-only", "--no-renames", "-z", base)
    return sorted({*differing, *_git(root, "ls-files", "--others", "--exclude-standard", "-z")})


def molecule_lab(slot: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Give each of the scenarios that run at a time a lab of its own.

    Args:
        slot: Number of the place that a job runs in, from 0.
        environment: May hold another name and network than the usual ones.

    Returns:
        Variables for molecule.
    """
    name = environment.get("MOLECULE_LAB", "shopfleet-molecule")
    network = IPv4Network(environment.get("MOLECULE_SUBNET", "10.61.0.0/16"))
    part = list(network.subnets(new_prefix=LAB_PREFIX))[slot]
    return {"MOLECULE_LAB": f"{name}{slot or ''}", "MOLECULE_SUBNET": str(part)}
