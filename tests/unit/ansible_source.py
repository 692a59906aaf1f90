"""Reads the project's Ansible code as data: its tasks, and which variables it sets and reads."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jinja2 import Environment, nodes
from plugin import ROOT

# Keys whose values are expressions without braces.
_CONDITIONS = {"when", "failed_when", "changed_when", "until", "that"}
# Keys under which tasks lie in a play or a block.
_TASK_LISTS = ("pre_tasks", "roles", "tasks", "post_tasks", "handlers", "block", "rescue", "always")
_ENVIRONMENT = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)


class Task(NamedTuple):
    """A task, a block, a role of a play or a play.

    Attributes:
        file: Where it stands, from the project's root.
        name: Its name, or where that is missing an empty text.
        content: Its keys.
    """

    file: str
    name: str
    content: Mapping[str, Any]

    @property
    def place(self) -> str:
        """Where to look for it."""
        return f"{self.file}: {self.name}"


@dataclass
class Variables:
    """What a piece of code sets and reads.

    Attributes:
        defined: Names of variables that it gives a value.
        read: Names of variables that its templates read.
        mentioned: Texts and attributes in its templates, any of which may name a variable for a lookup.
    """

    defined: set[str]
    read: set[str]
    mentioned: set[str]

    def add(self, other: Variables) -> None:
        """Take up what another piece of code sets and reads.

        Args:
            other: Its variables.
        """
        self.defined |= other.defined
        self.read |= other.read
        self.mentioned |= other.mentioned


@cache
def load(file: Path) -> Any:  # noqa: ANN401  any YAML
    """Read a YAML file.

    Args:
        file: The file.

    Returns:
        Its content; None of an empty file.
    """
    return yaml.safe_load(file.read_text())


def tasks(folder: str) -> Iterator[Task]:
    """List all tasks, blocks, plays and handlers of the files in a folder.

    Args:
        folder: The folder, from the project's root.

    Yields:
        Each of them, those within others too.
    """
    for file in sorted((ROOT / folder).rglob("*.yml")):
        content = load(file)
        if isinstance(content, list):
            yield from _tasks_in(content, str(file.relative_to(ROOT)))


def _tasks_in(entries: list[Any], file: str) -> Iterator[Task]:
    for entry in entries:
        if isinstance(entry, Mapping):
            yield Task(file, str(entry.get("name", "")), entry)
            for key in _TASK_LISTS:
                yield from _tasks_in(entry.get(key) or [], file)


def in_template(text: str) -> Variables:
    """Find the variables of a template.

    Args:
        text: The template.

    Returns:
        What it reads from outside and which texts it mentions; what it sets itself is neither.
    """
    with warnings.catch_warnings():
        # of regular expressions, which Ansible takes as they stand
        warnings.filterwarnings("ignore", "invalid escape sequence", DeprecationWarning)
        tree = _ENVIRONMENT.parse(text)
    names = list(tree.find_all(nodes.Name))
    own = {name.name for name in names if name.ctx != "load"} | {macro.name for macro in tree.find_all(nodes.Macro)}
    texts = {str(const.value) for const in tree.find_all(nodes.Const) if isinstance(const.value, str)}
    attributes = {attribute.attr for attribute in tree.find_all(nodes.Getattr)}
    return Variables(set(), {name.name for name in names if name.ctx == "load"} - own, texts | attributes)


def in_values(value: object, key: str = "") -> Variables:
    """Find the variables that are read anywhere in a structure.

    Args:
        value: The structure.
        key: The key that it stands under.

    Returns:
        What the templates in it read and mention. A text that is no template is mentioned as a whole.
    """
    found = Variables(set(), set(), set())
    if isinstance(value, Mapping):
        for name, entry in value.items():
            found.add(in_values(entry, str(name)))
    elif isinstance(value, list):
        for entry in value:
            found.add(in_values(entry, key))
    elif isinstance(value, str):
        if key in _CONDITIONS:
            found.add(in_template("{{ " + value + " }}"))
        elif "{{" in value or "{%" in value:
            found.add(in_template(value))
        else:
            found.mentioned.add(value)
    return found


def of_task(task: Task) -> Variables:
    """Find what a task sets and reads, apart from what lies in the tasks within it.

    Args:
        task: The task.

    Returns:
        Its variables.
    """
    own = {key: value for key, value in task.content.items() if key not in _TASK_LISTS}
    control = dict(own.pop("loop_control", {}))
    named = {own.pop("register", ""), control.pop("loop_var", ""), control.pop("index_var", "")} - {""}
    found = in_values([own, control])
    found.defined |= named | (own.get("vars") or {}).keys() | (own.get("ansible.builtin.set_fact") or {}).keys()
    return found
