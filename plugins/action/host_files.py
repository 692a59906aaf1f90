"""Leaves a host alone whose files the look has found as they should be."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import filter_loader


class ActionModule(ActionBase):  # type: ignore[misc]
    """Ansible's entry point."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the files, if need be."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        look = (task_vars or {}).get("ansible_facts", {}).get("look", {})
        unlike = filter_loader.get("unlike").j2_function
        if not unlike(self._task.args.get("files", []), look.get("files", {})):
            return result | {"changed": False, "paths": []}
        return {**result, **self._execute_module(task_vars=task_vars)}
