"""Write each role's README from its argument specification, or check that it is up to date.

Usage: role_readme.py [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parent.parent / "roles"
_MARKUP = re.compile(r"\b[CI]\(([^)]*)\)")


def _plain(text: object) -> str:
    joined = " ".join(text) if isinstance(text, list) else str(text)
    return _MARKUP.sub(r"`\1`", joined).strip()


def defaults(role: Path) -> dict[str, Any]:
    """Read the defaults of a role, the private ones that they are made of among them.

    Args:
        role: The role's directory.

    Returns:
        The values as they stand there, by name.
    """
    files = sorted([*(role / "defaults").glob("*.yml"), *(role / "defaults").glob("main/*.yml")])
    return {name: value for file in files for name, value in (yaml.safe_load(file.read_text()) or {}).items()}


def _default(option: dict[str, Any], actual: object) -> str:
    if "default" not in option:
        if actual is None:
            return "required" if option.get("required") else ""
        if isinstance(actual, str):
            return "generated" if "ansible.builtin.password" in actual else "computed"
    value = option.get("default", actual)
    if isinstance(value, (dict, list)) and value:
        return "see `defaults/`"
    return (
        f"`{yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).removesuffix('...' + chr(10)).strip()}`"
    )


def _table(options: dict[str, Any], known: dict[str, Any]) -> list[str]:
    rows = ["| variable | type | default | |", "|---|---|---|---|"]
    for name, option in options.items():
        kind = option.get("type", "str")
        if "elements" in option:
            kind += f" of {option['elements']}"
        if "choices" in option:
            kind += ": " + ", ".join(map(str, option["choices"]))
        description = _plain(option.get("description", "")).replace("|", "\\|")
        rows.append(
            f"| `{name}` | {kind} | {_default(option, known.get(name)).replace('|', chr(92) + '|')} | {description} |"
        )
    return rows


def readme(role: Path) -> str:
    """Compose the README of a role.

    Args:
        role: The role's directory.

    Returns:
        The text of README.md.

    Raises:
        FileNotFoundError: The role has no meta/argument_specs.yml.
    """
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    lines = [f"# {role.name}"]
    for entry, spec in specs.items():
        if entry not in ("main", "settings"):
            lines += ["", f"## tasks_from: {entry}"]
        lines += ["", _plain(spec["short_description"]) + "."]
        lines += ["", *(f"- {_plain(sentence)}" for sentence in spec.get("description", []))]
        if spec.get("options"):
            lines += ["", *_table(spec["options"], defaults(role))]
    lines += ["", "Made from `meta/argument_specs.yml` by `tools/role_readme.py`.", ""]
    return "\n".join(lines)


def main() -> int:
    """Write the READMEs, or with --check report those that are out of date.

    Returns:
        0, or 1 when --check found a README that is out of date.
    """
    check = sys.argv[1:] == ["--check"]
    stale: list[str] = []
    for role in sorted(path for path in ROLES.iterdir() if path.is_dir()):
        target = role / "README.md"
        text = readme(role)
        if not check:
            target.write_text(text)
        elif not target.exists() or target.read_text() != text:
            stale.append(role.name)
    if stale:
        print(f"README out of date: {', '.join(stale)}. Run tools/role_readme.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
