"""Runs jobs side by side and tells how they fare. Knows nothing of what they do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import IO

from plan import Job, obstacles

# Seconds between two looks at the processes, and between two lines of what is going on where nobody watches.
PAUSE = 0.2
REMINDER = 60.0
# Seconds that one job may take at most, and that it has for clearing up when it is told to end.
LIMIT = 45 * 60.0
GRACE = 180.0
# Lines of a log that are shown when its job fails.
TAIL = 120
_CLEAR_LINE = "\r\033[K"
_DECORATION = re.compile(r"\x1b\[[\d;]*m|│")
# Widest line of a failure in the summary.
_WIDTH = 200
_FAILURE = re.compile(r"(?:FAILED|ERROR) \S+::.+")
_DURATION = re.compile(r"([\d.]+)s (?:call|setup|teardown) +(\S.*)")
_PYTEST = re.compile(r"=*\s*((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s.*")


def clock(seconds: float) -> str:
    """Write a duration as people do.

    Args:
        seconds: The duration.

    Returns:
        Minutes and seconds.
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _lines(log: str) -> list[str]:
    """Split a log into lines without what only a terminal shows: colours, and the frame that molecule draws."""
    return [_DECORATION.sub("", line).strip() for line in log.splitlines()]


def outcome(log: str) -> str:
    """Read what pytest counted.

    Args:
        log: What a job printed.

    Returns:
        Such as `450 passed`; nothing where pytest was not run.
    """
    counted = [match[1] for line in _lines(log) if (match := _PYTEST.fullmatch(line))]
    return counted[-1] if counted else ""


def failures(log: str) -> list[str]:
    """Find the tests that pytest says have failed.

    Args:
        log: What a job printed.

    Returns:
        A line for each, with the first line of its reason.
    """
    return list(dict.fromkeys(line[:_WIDTH] for line in _lines(log) if _FAILURE.fullmatch(line)))


def slowest(logs: Iterable[str], number: int) -> list[str]:
    """Find what pytest has waited for longest.

    Args:
        logs: What jobs printed.
        number: How many to find.

    Returns:
        A line for each test, or preparation of one, that pytest has timed.
    """
    found = [match for log in logs for line in _lines(log) if (match := _DURATION.fullmatch(line))]
    timed = sorted(((float(match[1]), match[2]) for match in found), reverse=True)
    return [f"{seconds:7.1f} s  {name}" for seconds, name in timed[:number]]


@dataclass
class Running:
    """A process that runs.

    Attributes:
        job: What it is.
        process: Leads a process group of its own.
        log: Where its output goes.
        slot: Its place among those that run at a time.
        begun: When it was started.
        told: When it was told to end.
        shown: Bytes of the log that were shown already.
    """

    job: Job
    process: subprocess.Popen[bytes]
    log: Path
    slot: int
    begun: float
    told: float = 0.0
    shown: int = 0

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process and all of its own."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


@dataclass(frozen=True)
class Result:
    """How a job ended.

    Attributes:
        job: The job.
        verdict: `passed`, `FAILED`, `interrupted` or `not run`.
        seconds: How long it took.
        note: What was counted, or why it was not run.
    """

    job: Job
    verdict: str
    seconds: float = 0.0
    note: str = ""


class Engine:
    """Runs jobs.

    Args:
        logs: Folder for their output.
        places: How many run at a time.
        environment: Makes the variables of a job from the number of its place.
        screen: Where to tell what goes on.
    """

    def __init__(
        self,
        logs: Path,
        places: int,
        environment: Callable[[int], Mapping[str, str]],
        screen: IO[str] = sys.stdout,
    ) -> None:
        """Prepare; nothing is started yet."""
        self._logs = logs
        self._places = places
        self._environment = environment
        self._screen = screen
        self._live = screen.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._begun = monotonic()
        self._reminded = self._begun
        self._running: list[Running] = []
        self._interrupts = 0

    def interrupt(self, *_: object) -> None:
        """Take a signal: the first ends the jobs so that they can clear up, the second kills them."""
        self._interrupts += 1

    def run(self, jobs: Sequence[Job], cwd: Path) -> list[Result]:
        """Run jobs, as many at a time as there are places.

        Args:
            jobs: What to run; of those that may start, the first does.
            cwd: Where to.

        Returns:
            How each of them ended, in the order of the jobs.
        """
        follow = len(jobs) == 1
        results: dict[str, Result] = {}
        interrupted = 0
        while len(results) < len(jobs):
            if self._interrupts > interrupted:
                interrupted = self._interrupts
                self._end(kill=interrupted > 1)
            self._start(jobs, results, cwd)
            for running in [entry for entry in self._running if entry.process.poll() is not None]:
                self._running.remove(running)
                self._follow(running, follow)
                # What it left behind in the background has nothing more to do.
                running.send(signal.SIGKILL)
                self._tell(results, self._result(running), running.log, shown=follow)
            for running in self._running:
                self._follow(running, follow)
                self._limit(running)
            if not follow:
                self._remind()
            sleep(PAUSE)
        return [results[job.name] for job in jobs]

    def _start(self, jobs: Sequence[Job], results: dict[str, Result], cwd: Path) -> None:
        verdicts = {name: result.verdict == "passed" for name, result in results.items()}
        under_way = {entry.job.name for entry in self._running}
        for job in jobs:
            if job.name in results or job.name in under_way:
                continue
            waits, failed = obstacles(job, jobs, verdicts)
            if self._interrupts:
                self._tell(results, Result(job, "not run", note="interrupted"))
            elif failed:
                self._tell(results, Result(job, "not run", note=f"{', '.join(failed)} did not pass"))
            elif not waits and len(self._running) < self._places:
                beside = [entry.job for entry in self._running]
                if beside and any(other.alone for other in (job, *beside)):
                    # What comes later would keep it waiting for ever.
                    return
                self._running.append(self._launch(job, cwd))

    def _launch(self, job: Job, cwd: Path) -> Running:
        taken = {entry.slot for entry in self._running}
        slot = next(number for number in range(self._places) if number not in taken)
        log = self._logs / f"{job.name.replace('/', '-')}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                job.command,
                cwd=cwd,
                env={**os.environ, **self._environment(slot)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own: a signal from the keyboard reaches it through here alone.
                start_new_session=True,
            )
        return Running(job, process, log, slot, monotonic())

    def _result(self, running: Running) -> Result:
        seconds = monotonic() - running.begun
        counted = outcome(running.log.read_text(encoding="utf-8", errors="replace"))
        if self._interrupts:
            return Result(running.job, "interrupted", seconds)
        if running.told:
            return Result(running.job, "FAILED", seconds, f"ended after {clock(LIMIT)}")
        return Result(running.job, "passed" if running.process.returncode == 0 else "FAILED", seconds, counted)

    def _end(self, *, kill: bool) -> None:
        names = ", ".join(entry.job.name for entry in self._running)
        if not names:
            return
        if kill:
            self._line(f"Killing {names}: what they have made is still there.")
        else:
            self._line(f"Ending {names}, and waiting until they have cleared up. Once more kills them.")
        for running in self._running:
            running.told = running.told or monotonic()
            running.send(signal.SIGKILL if kill else signal.SIGINT)

    @staticmethod
    def _limit(running: Running) -> None:
        now = monotonic()
        if running.told and now - running.told > GRACE:
            running.send(signal.SIGKILL)
        elif not running.told and now - running.begun > LIMIT:
            running.told = now
            running.send(signal.SIGINT)

    def _tell(
        self, results: dict[str, Result], result: Result, log: Path | None = None, *, shown: bool = False
    ) -> None:
        results[result.job.name] = result
        took = clock(result.seconds) if log else ""
        self._line(f"{result.verdict:>8}  {result.job.name:<20} {took:>5}  {result.note}".rstrip())
        if result.verdict == "FAILED" and log and not shown:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            if len(lines) > TAIL:
                self._write(f"    | … {len(lines) - TAIL} lines before\n")
            self._write("".join(f"    | {line}\n" for line in lines[-TAIL:]))

    def _follow(self, running: Running, follow: bool) -> None:
        if not follow:
            return
        with running.log.open("rb") as log:
            log.seek(running.shown)
            new = log.read()
        running.shown += len(new)
        if new:
            self._write(new.decode(errors="replace"))

    def _remind(self) -> None:
        now = monotonic()
        parts = [f"{entry.job.name} {clock(now - entry.begun)}" for entry in self._running]
        text = f"[{clock(now - self._begun):>5}]  running  {', '.join(parts)}"
        if self._live:
            self._write(_CLEAR_LINE + text[: max(20, os.get_terminal_size(self._screen.fileno()).columns - 1)])
        elif now - self._reminded >= REMINDER:
            self._reminded = now
            self._write(text + "\n")

    def _line(self, text: str) -> None:
        clear = _CLEAR_LINE if self._live else ""
        self._write(f"{clear}[{clock(monotonic() - self._begun):>5}]  {text}\n")

    def _write(self, text: str) -> None:
        # Somebody may have gone who has read so far; what runs is brought to its end nevertheless.
        with suppress(BrokenPipeError):
            self._screen.write(text)
            self._screen.flush()


def summary(results: Sequence[Result]) -> list[str]:
    """Write down how the lanes fared.

    Args:
        results: How each job ended.

    Returns:
        A line for each lane: its verdict and its jobs' time; below it what failed.
    """
    lines = []
    for lane in dict.fromkeys(result.job.lane for result in results):
        own = [result for result in results if result.job.lane == lane]
        verdicts = {result.verdict for result in own}
        worst = next(name for name in ("FAILED", "interrupted", "not run", "passed") if name in verdicts)
        parts = f"  in {len(own)} parts" if len(own) > 1 else ""
        lines.append(f"{lane:<8} {worst:<11} {clock(sum(result.seconds for result in own)):>5}{parts}")
    return lines
