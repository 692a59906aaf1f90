"""Runs whose changes are written down, and runs that are killed in the midst of a task."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from lab import ROOT

# Seconds after which a run is taken to hang.
_PATIENCE = 900

# What puts into force what another task has written is no news after that, and check mode does not name it.
CAUSES = {
    "firewall : Load the rules on trial": "firewall : Write the rules and what loads them",
    "firewall : Confirm the rules over a new connection": "firewall : Write the rules and what loads them",
    "firewall : Load the rules at boot, too": "firewall : Write the rules and what loads them",
    "harden_ssh : Put them in force": "harden_ssh : Write the settings",
    "harden_kernel : Set the kernel parameters": "harden_kernel : Write the parameters",
}


@dataclass(frozen=True)
class Change:
    """Something that a run changed, or says it would change.

    Attributes:
        host: Where.
        task: By which task.
        thing: What, as the task's result names it; nothing where results are hidden.
    """

    host: str
    task: str
    thing: str


class Run:
    """A run of a verb that is under way or has ended."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        """Start it.

        Args:
            folder: Where to keep its record and its output.
            *arguments: The verb and its arguments.
        """
        number = len(list(folder.glob("*.record")))
        self._record = folder / f"{number}.record"
        self._record.touch()
        self._output = folder / f"{number}.log"
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                ["./fleet", *arguments],
                cwd=ROOT,
                env=os.environ
                | {
                    "ANSIBLE_CALLBACK_PLUGINS": "plugins/callback:tests/e2e/callbacks",
                    "ANSIBLE_CALLBACKS_ENABLED": "run_record",
                    "RUN_RECORD": str(self._record),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """What it has printed until now."""
        return self._output.read_text()

    def completed(self) -> Run:
        """Wait until it has succeeded."""
        assert self.process.wait(timeout=_PATIENCE) == 0, self.output
        return self

    def refused(self) -> str:
        """Wait until it has failed, and return what it printed."""
        assert self.process.wait(timeout=_PATIENCE) != 0, self.output
        return self.output

    @property
    def changes(self) -> set[Change]:
        """What it has changed until now."""
        return {Change(line["host"], line["changed"], line["object"]) for line in self._lines() if "changed" in line}

    def await_task(self, task: str) -> None:
        """Wait until a task has begun on a host.

        Args:
            task: End of its name.
        """
        deadline = monotonic() + _PATIENCE
        while not any(line.get("began", "").endswith(task) for line in self._lines()):
            assert self.process.poll() is None, f"it ended before '{task}':\n{self.output}"
            assert monotonic() < deadline, f"'{task}' did not begin:\n{self.output}"
            sleep(0.02)

    def kill(self) -> None:
        """Kill it as a power cut would: nothing that it meant to do at its end is done."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _lines(self) -> Iterator[dict[str, str]]:
        yield from map(json.loads, self._record.read_text().rpartition("\n")[0].splitlines())


def differences(foretold: set[Change], done: set[Change]) -> set[Change]:
    """Compare what check mode said with what was done then.

    Args:
        foretold: What check mode said.
        done: What was done.

    Returns:
        What was said and not done, or done and neither said nor just the effect of something that was.
    """
    causes = {(change.host, change.task) for change in foretold}
    return {
        change
        for change in foretold ^ done
        if change in foretold or (change.host, CAUSES.get(change.task)) not in causes
    }
