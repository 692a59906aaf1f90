"""Writes down as lines of JSON what a run begins and what it changes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: run_record
type: notification
short_description: Which task began on which host, and what was changed
requirements: [an environment variable RUN_RECORD with the file to write]
"""

# By which argument of a module the thing is named that it works on.
_NAMES = ("dest", "path", "name", "argv", "cmd")


def _object(data: dict[str, Any]) -> str:
    """Name what was changed; a result that is hidden names nothing."""
    arguments = data.get("invocation", {}).get("module_args") or {}
    named = next((arguments[key] for key in _NAMES if arguments.get(key)), data.get("_ansible_item_label", ""))
    return " ".join(map(str, named)) if isinstance(named, list) else str(named)


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Ansible's entry point to the record."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "run_record"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Open the record."""
        super().__init__()
        self._file = Path(os.environ["RUN_RECORD"]).open("a")  # noqa: SIM115  as long as the run lives

    def _write(self, **line: str) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Write which task began."""
        self._write(host=host.get_name(), began=task.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        """Write what changed."""
        if result.result.get("changed") and "results" not in result.result:
            self._changed(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Write which item changed."""
        if result.result.get("changed"):
            self._changed(result)

    def _changed(self, result: Any) -> None:
        for thing in result.result.get("paths") or [_object(result.result)]:
            self._write(host=result.host.get_name(), changed=result.task.get_name(), object=thing)
