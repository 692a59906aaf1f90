"""How long each task of a run took, as JSON."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: timings
type: aggregate
short_description: Writes down how long each task took
description:
  - Writes a JSON object with the C(plays) (play, seconds) and the C(tasks) (play, task, hosts, seconds, host_seconds).
  - C(seconds) pass from when the first host begins with a task until the last has ended it, and C(host_seconds) are
    those of all hosts together. Under a strategy that lets hosts go ahead, tasks overlap.
  - Does nothing where no file is named.
requirements:
  - enabled by C(ANSIBLE_CALLBACKS_ENABLED=timings)
options:
  file:
    description: Where to.
    type: path
    env:
      - name: SHOPFLEET_TIMINGS
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Ansible's entry point."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "timings"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self._plays: list[dict[str, Any]] = []
        self._tasks: dict[str, dict[str, Any]] = {}
        self._begun: dict[tuple[str, str], float] = {}

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Begin a play, and end the one before.

        Args:
            play: The play.
        """
        now = time.monotonic()
        self._end_play(now)
        self._plays.append({"play": play.get_name(), "begun": now})

    def _end_play(self, now: float) -> None:
        if self._plays and "begun" in self._plays[-1]:
            self._plays[-1]["seconds"] = round(now - self._plays[-1].pop("begun"), 3)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Begin a task on a host.

        Args:
            host: The host.
            task: The task.
        """
        now = time.monotonic()
        entry = self._tasks.setdefault(
            task._uuid,
            {
                "play": self._plays[-1]["play"] if self._plays else "",
                "task": task.get_name().strip(),
                "hosts": 0,
                "begun": now,
                "ended": now,
                "host_seconds": 0.0,
            },
        )
        entry["hosts"] += 1
        self._begun[task._uuid, host.name] = now

    def _end(self, result: Any) -> None:
        now = time.monotonic()
        uuid = result.task._uuid
        begun = self._begun.pop((uuid, result.host.name), None)
        if begun is not None:
            self._tasks[uuid]["ended"] = now
            self._tasks[uuid]["host_seconds"] += now - begun

    def v2_runner_on_ok(self, result: Any) -> None:
        """End a task on a host.

        Args:
            result: What came of it.
        """
        self._end(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """End a task on a host.

        Args:
            result: What came of it.
        """
        self._end(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """End a task on a host.

        Args:
            result: What came of it.
            ignore_errors: Of no interest here.
        """
        self._end(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """End a task on a host.

        Args:
            result: What came of it.
        """
        self._end(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write the file.

        Args:
            stats: Of no interest here.
        """
        self._end_play(time.monotonic())
        file = self.get_option("file")
        if not file:
            return
        tasks = [
            {
                **{key: entry[key] for key in ("play", "task", "hosts")},
                "seconds": round(entry["ended"] - entry["begun"], 3),
                "host_seconds": round(entry["host_seconds"], 3),
            }
            for entry in self._tasks.values()
        ]
        Path(file).write_text(json.dumps({"plays": self._plays, "tasks": tasks}, indent=1) + "\n", encoding="utf-8")
