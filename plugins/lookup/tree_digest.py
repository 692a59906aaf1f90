"""Digest of what an image is built from."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

DOCUMENTATION = r"""
name: tree_digest
short_description: Digest of directory trees, files and plain strings
description:
  - Returns 12 hexadecimal digits that change when a file's name, content or executable bit below a directory changes.
  - An image tagged with it is built once for each state of its sources.
  - Byte code and caches that a test run leaves behind do not count.
options:
  _terms:
    description: Absolute paths of directories or files. Anything else counts as a plain string.
    required: true
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ lookup('tree_digest', playbook_dir ~ '/../app_src/api', 'python:3.13-slim') }}"
"""

RETURN = r"""
_raw:
  description: One string of 12 hexadecimal digits.
  type: list
  elements: str
"""

_IGNORED = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}


def _update_from_file(digest: hashlib._Hash, name: str, path: Path) -> None:
    executable = os.access(path, os.X_OK)
    content = path.read_bytes()
    digest.update(f"{name}\0{executable:d}\0{len(content)}\0".encode())
    digest.update(content)


@lru_cache(maxsize=256)
def tree_digest(*terms: str) -> str:
    """Digest paths and strings.

    The result is kept for the life of the process: sources do not change while a playbook runs.

    Args:
        *terms: Absolute paths (a directory counts with everything below it) or plain strings.

    Returns:
        12 hexadecimal digits.

    Raises:
        FileNotFoundError: A term that looks like an absolute path does not exist.
    """
    digest = hashlib.sha256()
    for term in terms:
        path = Path(term)
        if not path.is_absolute():
            digest.update(f"string\0{term}\0".encode())
        elif path.is_dir():
            for child in sorted(path.rglob("*")):
                relative = child.relative_to(path)
                if child.is_file() and not _IGNORED.intersection(relative.parts) and child.suffix != ".pyc":
                    _update_from_file(digest, relative.as_posix(), child)
        else:
            _update_from_file(digest, path.name, path)
    return digest.hexdigest()[:12]


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible's entry point to `tree_digest`."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        """Return the digest of all terms together.

        Args:
            terms: Paths and strings, as in `tree_digest`.
            variables: Unused; part of the plugin interface.
            **kwargs: Unused; part of the plugin interface.

        Returns:
            A list with the one digest.

        Raises:
            AnsibleLookupError: A path does not exist.
        """
        try:
            return [tree_digest(*(str(term) for term in terms))]
        except FileNotFoundError as error:
            raise AnsibleLookupError(f"tree_digest: {error.filename} does not exist") from error
