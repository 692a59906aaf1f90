"""Filter that compares files with what the look has found."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.common.text.converters import to_bytes


def unlike(files: Iterable[Mapping[str, Any]], seen: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Find the files that are not as they should be.

    Args:
        files: What should be, as the module host_files takes it.
        seen: What is, by path, as the module host_look returns it.

    Returns:
        Their paths.
    """
    return [str(file["path"]) for file in files if seen.get(file["path"]) != _wanted(file)]


def _wanted(file: Mapping[str, Any]) -> dict[str, Any]:
    owner = int(file.get("owner", 0))
    text = base64.b64decode(file["secret"]) if "secret" in file else file.get("content")
    digest = "d" if text is None else hashlib.sha256(to_bytes(text)).hexdigest()
    return {"digest": digest, "mode": file["mode"], "uid": owner, "gid": owner}


class FilterModule:
    """Ansible's entry point to the filters."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"unlike": unlike}
