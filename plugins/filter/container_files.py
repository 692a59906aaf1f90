"""What a container finds in its configuration folder, as the host's files."""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any


def container_files(contents: dict[str, str], folder: str, owner: int, shown: Collection[str]) -> list[dict[str, Any]]:
    """Return files in the form that the module host_files takes.

    Args:
        contents: Text by file name.
        folder: Where they belong.
        owner: Number of the user that the container runs as.
        shown: Names of the files that hold no secret.

    Returns:
        One entry for each file, readable for its owner only.
    """
    return [
        {
            "path": f"{folder}/{name}",
            **({"content": text} if name in shown else {"secret": base64.b64encode(text.encode()).decode()}),
            "mode": "0400",
            "owner": owner,
        }
        for name, text in contents.items()
    ]


class FilterModule:
    """Ansible's entry point to the filter."""

    def filters(self) -> dict[str, Any]:
        """Return the filter by its name."""
        return {"container_files": container_files}
