"""Output of a run as a person wants to follow it: how far it is, what changed, what failed."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.utils.color import stringc

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: Which play of how many, what changed, what failed
description:
  - Prints each play with its number and the time since the start, and below it only what changed or failed.
  - On a terminal the task at hand is shown in a line that is written over.
  - Messages of the debug module are printed as they are.
  - With C(-v) it is Ansible's own output. C(ANSIBLE_STDOUT_CALLBACK=default) chooses that for good.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  plain:
    description: Print messages and failures only; for verbs whose output is read by a program.
    type: bool
    default: false
    env:
      - name: SHOPFLEET_PLAIN
"""


def _object_of(data: dict[str, Any]) -> str:
    """Name what a module worked on, where its result says so."""
    for key in ("container", "network"):
        if isinstance(data.get(key), dict):
            return str(data[key].get("Name") or "").removeprefix("/")
    return str(data.get("dest") or data.get("path") or "")


# What Ansible says of a module that failed by its exit code alone.
_NO_REASON = "Task failed: Action failed: Unknown error."
_CLEAR_LINE = "\r\033[K"


class CallbackModule(DefaultCallback):  # type: ignore[misc]
    """Ansible's entry point to the output."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "progress"

    def __init__(self) -> None:
        """Start the clock."""
        super().__init__()
        self._started = time.monotonic()
        self._plays_total = 0
        self._plays_begun = 0
        self._play_counted = ""
        self._live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._failures: list[str] = []

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        """Read the options; part of the plugin interface.

        Args:
            task_keys: Passed on.
            var_options: Passed on.
            direct: Passed on.
        """
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        self._plain = bool(self.get_option("plain"))

    @property
    def _verbose(self) -> bool:
        return bool(self._display.verbosity)

    def _status(self, text: str) -> None:
        if self._live and not self._plain:
            width = max(20, os.get_terminal_size().columns - 1)
            sys.stdout.write(_CLEAR_LINE + stringc(text[:width], "dark gray") if text else _CLEAR_LINE)
            sys.stdout.flush()

    def _line(self, text: str, color: str | None = None) -> None:
        self._status("")
        self._display.display(text, color=color)

    def _clock(self) -> str:
        seconds = int(time.monotonic() - self._started)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Count the plays."""
        self._plays_total = len(playbook.get_plays())
        super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Print the play, its number and the clock."""
        self._play = play
        # A play that runs in batches is announced for each, and counts once.
        if play._uuid != self._play_counted:
            self._plays_begun += 1
            self._play_counted = play._uuid
        if self._verbose:
            super().v2_playbook_on_play_start(play)
        elif not self._plain:
            self._line(f"[{self._plays_begun}/{self._plays_total} {self._clock():>5}] {play.get_name()}", "bright blue")

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Say nothing: a play whose group has no hosts has nothing to do."""
        if self._verbose:
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        """Say nothing: the failures before say it all."""
        if self._verbose:
            super().v2_playbook_on_no_hosts_remaining()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Show the task at hand."""
        if self._verbose:
            super().v2_playbook_on_task_start(task, is_conditional)
            return
        self._status(f"  {task.get_name().strip()} …")

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Show the handler at hand."""
        self.v2_playbook_on_task_start(task, False)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Say nothing: which file a task comes from is of no interest to who follows a run."""
        if self._verbose:
            super().v2_playbook_on_include(included_file)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Print what changed, and messages."""
        if self._verbose:
            super().v2_runner_on_ok(result)
            return
        task, data = result.task, result.result
        if task.action in ("debug", "ansible.builtin.debug") and "msg" in data:
            message = data["msg"]
            self._line("\n".join(map(str, message)) if isinstance(message, list) else str(message))
        elif data.get("changed") and not task.loop and not self._plain:
            detail = _object_of(data)
            self._changed(result, task.get_name().strip() + (f": {detail}" if detail else ""))

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Print the item that changed."""
        if self._verbose:
            super().v2_runner_item_on_ok(result)
        elif result.result.get("changed") and not self._plain:
            label = self._get_item_label(result.result)
            self._changed(result, f"{result.task.get_name().strip()}: {label}")

    def _changed(self, result: Any, what: str) -> None:
        self._line(f"  {self.host_label(result)}  {what}", "yellow")

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Say nothing: what a host need not do is no news."""
        if self._verbose:
            super().v2_runner_on_skipped(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        """Say nothing: what a host need not do is no news."""
        if self._verbose:
            super().v2_runner_item_on_skipped(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Print what failed, where and why, unless the play reckons with it."""
        if self._verbose:
            super().v2_runner_on_failed(result, ignore_errors)
        elif "results" not in result.result and not ignore_errors:
            self._failed(result, result.task.get_name().strip())

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """Print which item failed, where and why."""
        if self._verbose:
            super().v2_runner_item_on_failed(result)
        else:
            self._failed(result, f"{result.task.get_name().strip()}: {self._get_item_label(result.result)}")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Print which host does not answer, unless the play reckons with it."""
        if self._verbose:
            super().v2_runner_on_unreachable(result)
        elif not result.task.ignore_unreachable:
            self._failed(result, "unreachable")

    def v2_runner_retry(self, result: Any) -> None:
        """Say nothing: a task that waits is shown as the task at hand."""
        if self._verbose:
            super().v2_runner_retry(result)

    def _failed(self, result: Any, what: str) -> None:
        data = result.result
        parts = [str(data.get(key) or "").strip() for key in ("msg", "stderr", "stdout")]
        if any(parts[1:]):
            parts = [part for part in parts if part != _NO_REASON]
        message = "\n".join(dict.fromkeys(part for part in parts if part)) or "no reason was given"
        self._line(f"  {self.host_label(result)}  FAILED  {what}", "red")
        for line in message.splitlines():
            self._line(f"    {line}", "red")
        self._failures.append(f"{what} on {self.host_label(result)}")

    def v2_on_file_diff(self, result: Any) -> None:
        """Print differences, which only `--diff` asks for."""
        self._status("")
        super().v2_on_file_diff(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the recap and the time."""
        self._status("")
        if not self._plain:
            super().v2_playbook_on_stats(stats)
            self._display.display(f"Took {self._clock()}.")
        if (
            self._failures
            and not self._verbose
            and any(
                stats.summarize(host)["failures"] + stats.summarize(host)["unreachable"] for host in stats.processed
            )
        ):
            self._line(
                f"Stopped at: {self._failures[-1]}. The reason stands above; put it right and type the same command "
                "again: what is done is kept.",
                "red",
            )
