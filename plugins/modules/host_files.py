"""A set of files and folders, written in one go."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_bytes

DOCUMENTATION = r"""
module: host_files
short_description: A set of files and folders, written in one go
description:
  - Each file is put into its place at once and whole, with mode and owner, so that no reader ever sees half of it.
  - Where P(host_look) has found all of them as they should be, the host is not asked again.
options:
  files:
    description: The files, and folders before what lies in them.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: Where it belongs., type: path, required: true}
      content: {description: Its text; absent for a folder and for a file with a secret., type: str}
      secret:
        description:
          - Its text, in base64, which is shown nowhere. Ansible's censor knows a text only in the form in which it was
            handed over, and one of several lines gets into the host's journal in another.
        type: str
      mode: {description: "Its permissions, octal.", type: str, required: true}
      owner: {description: Number of the user and of the group., type: int, default: 0}
"""

EXAMPLES = r"""
- host_files:
    files:
      - {path: /etc/docker, mode: "0755"}
      - {path: /etc/docker/daemon.json, content: "{}\n", mode: "0644"}
"""

RETURN = r"""
paths:
  description: What was, or would be, written.
  returned: always
  type: list
  elements: str
"""


def text_of(file: dict[str, Any]) -> bytes | None:
    """Return what a file is to hold, None for a folder."""
    if file["secret"] is not None:
        return base64.b64decode(file["secret"])
    return None if file["content"] is None else to_bytes(file["content"])


def current(path: Path) -> tuple[bytes | None, tuple[int, int, int]] | None:
    """Return what is at a path: content, mode and owner; None when nothing is."""
    try:
        state = path.lstat()
    except FileNotFoundError:
        return None
    content = path.read_bytes() if stat.S_ISREG(state.st_mode) else None
    return content, (stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid)


def write(path: Path, content: bytes | None, attributes: tuple[int, int, int]) -> None:
    """Make a file or folder what it should be."""
    mode, uid, gid = attributes
    target = path
    if content is None:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    else:
        target = path.with_name(f"{path.name}.new")
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
    os.chown(target, uid, gid)
    target.chmod(mode)
    if target != path:
        target.replace(path)


def shown(content: bytes | None) -> str:
    """Return how a content looks in a diff."""
    return "" if content is None else content.decode(errors="replace")


def difference(file: dict[str, Any], before: Any, after: Any) -> dict[str, str]:
    """Return what `--diff` shows: the text, unless it is secret, and the attributes."""
    path = file["path"]
    was, becomes = before[0] if before else None, after[0]
    if file["secret"] is not None:
        was, becomes = (None, None) if was == becomes else (b"", b"(a secret)\n")
    attributes = {} if not before or before[1] == after[1] else {"before": before[1], "after": after[1]}
    heads = {when: f"{path} mode %04o owner %d:%d" % values for when, values in attributes.items()}
    return {
        "before": shown(was),
        "after": shown(becomes),
        "before_header": heads.get("before", path if before else "absent"),
        "after_header": heads.get("after", path),
    }


def main() -> None:
    """Write what is not as it should be."""
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str"},
                    "secret": {"type": "str", "no_log": True},
                    "mode": {"type": "str", "required": True},
                    "owner": {"type": "int", "default": 0},
                },
                "mutually_exclusive": [("content", "secret")],
            },
        },
        supports_check_mode=True,
    )
    paths, differences = [], []
    for file in module.params["files"]:
        after = (text_of(file), (int(file["mode"], 8), file["owner"], file["owner"]))
        path = Path(file["path"])
        try:
            before = current(path)
            if before == after:
                continue
            if not module.check_mode:
                write(path, *after)
        except OSError as error:
            module.fail_json(msg=f"{file['path']} cannot be written: {error.strerror}.")
        paths.append(file["path"])
        differences.append(difference(file, before, after))
    module.exit_json(changed=bool(paths), paths=paths, diff=differences)


if __name__ == "__main__":
    main()
