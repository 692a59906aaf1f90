"""What every task keeps to: it says what it changes, has its full name, and its handlers run in a known order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from ansible.playbook.block import Block
from ansible.playbook.handler import Handler
from ansible.playbook.play import Play
from ansible_source import Task, load, tasks
from plugin import ROOT

# What tasks do that may say `changed_when: false`: all of it reads, or writes what only the next run reads.
READS = {
    r"/usr/local/sbin/shopfleet-firewall, check": "compares files and loaded rules with what is wanted",
    r"/usr/sbin/sshd, -T": "prints the settings that would be in force",
    r"docker, logs": "prints a container's last lines",
    r"_service_wait_loop.*\.health": "asks a container for a sign of life",
    r"systemctl is-system-running": "waits for a host to boot",
    r"systemctl, reset-failed": "begins to count anew, and leaves the service as it is",
    r"_database_queries": "asks MySQL for accounts and their rights",
    r"_database_record": "a record of what was reconciled, which was reported when it was done",
}
KEYWORDS = {*Handler.fattributes, *Block.fattributes, *Play.fattributes, "role", "hosts"}
OWN_MODULES = {file.stem for folder in ("modules", "action") for file in (ROOT / "plugins" / folder).glob("*.py")}
OWN_LOOKUPS = {file.stem for file in (ROOT / "plugins" / "lookup").glob("*.py")}
EVERYTHING = [*tasks("roles"), *tasks("playbooks")]


def modules(task: Task) -> list[str]:
    """Keys of a task that are no keyword: the module that it calls."""
    return [key for key in task.content if key not in KEYWORDS and not key.startswith("with_")]


def hides_a_change(task: Task) -> bool:
    if task.content.get("changed_when") is not False or task.content.get("check_mode") is True:
        return False
    arguments = " ".join(words(task.content[module]) for module in modules(task))
    return not any(re.search(read, arguments) for read in READS)


def words(arguments: object) -> str:
    """What a module is told, a command with commas between its words."""
    if isinstance(arguments, Mapping):
        return " ".join(words(value) for value in arguments.values())
    return ", ".join(map(str, arguments)) if isinstance(arguments, list) else str(arguments)


def hides_a_failure(task: Task) -> bool:
    """A failure may be overlooked only where the result is looked at afterwards."""
    overlooked = task.content.get("failed_when") is False or "ignore_errors" in task.content
    return overlooked and "register" not in task.content


def short_names(task: Task) -> Iterator[str]:
    yield from (name for name in modules(task) if name.count(".") < 2 and name not in OWN_MODULES)
    own = {key: value for key, value in task.content.items() if key in KEYWORDS or key in modules(task)}
    yield from short_lookups(yaml.safe_dump(own))


def short_lookups(text: str) -> list[str]:
    names = re.findall(r"\b(?:lookup|query)\(\s*['\"]+([\w.]+)['\"]", text)
    return [name for name in names if name.count(".") < 2 and name not in OWN_LOOKUPS]


def test_no_task_hides_a_change() -> None:
    assert [task.place for task in EVERYTHING if hides_a_change(task)] == []


def test_no_task_hides_a_failure() -> None:
    assert [task.place for task in EVERYTHING if hides_a_failure(task)] == []


def test_modules_and_lookups_are_called_by_their_full_names() -> None:
    assert {task.place: short for task in EVERYTHING if (short := list(short_names(task)))} == {}
    files = [*(ROOT / "roles").rglob("*/defaults/**/*.yml"), *(ROOT / "roles").rglob("*/vars/*.yml")]
    files += [*(ROOT / "roles").rglob("*.j2"), *(ROOT / "inventory").rglob("*.yml")]
    assert {str(file): short for file in files if (short := short_lookups(file.read_text()))} == {}


def test_no_lint_is_silenced() -> None:
    silenced = [file for folder in ("roles", "playbooks") for file in (ROOT / folder).rglob("*.yml")]
    assert [str(file) for file in silenced if "noqa" in file.read_text()] == []
    assert not load(ROOT / ".ansible-lint").keys() & {"skip_list", "warn_list", "mock_modules"}


@pytest.mark.parametrize(
    ("broken", "finder"),
    [
        ("ansible.builtin.command: {argv: [docker, rm, web]}\nchanged_when: false", hides_a_change),
        ("ansible.builtin.apt: {name: nftables}\nchanged_when: false", hides_a_change),
        ("ansible.builtin.command: {argv: [docker, rm, web]}\nfailed_when: false", hides_a_failure),
        ("ansible.builtin.command: {argv: [docker, rm, web]}\nignore_errors: true", hides_a_failure),
        ("copy: {src: a, dest: b}", short_names),
        ("ansible.builtin.copy: {content: \"{{ lookup('file', 'a') }}\", dest: b}", short_names),
    ],
)
def test_each_of_these_is_found(broken: str, finder: Any) -> None:  # noqa: ANN401  what it answers is only looked at
    found = finder(Task("roles/r/tasks/main.yml", "Do", yaml.safe_load(broken)))
    assert found if isinstance(found, bool) else list(found)


def handlers(role: str) -> list[str]:
    file = ROOT / "roles" / role / "handlers" / "main.yml"
    return [handler["name"] for handler in load(file)] if file.exists() else []


def order_of_roles() -> list[str]:
    """Roles in the order in which a deployment runs them, which is the order of their handlers in a play too."""
    named = [
        str(task.content.get("role") or imported(task.content).get("name"))
        for task in tasks("playbooks")
        if task.file == "playbooks/site.yml" and (task.content.get("role") or imported(task.content))
    ]
    return list(dict.fromkeys(named))


def imported(content: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = content.get("ansible.builtin.import_role") or {}
    return found


def notified(role: str) -> set[str]:
    texts = [task.content.get("notify") or [] for task in tasks(f"roles/{role}")]
    return {name for text in texts for name in ([text] if isinstance(text, str) else text)}


def test_every_handler_is_notified_by_its_own_role_and_bears_a_name_of_its_own() -> None:
    roles = sorted(path.name for path in (ROOT / "roles").iterdir())
    assert {role: notified(role) for role in roles} == {role: set(handlers(role)) for role in roles}
    names = [name for role in roles for name in handlers(role)]
    assert sorted(set(names)) == sorted(names)


def test_the_docs_name_the_handlers_in_the_order_in_which_they_run() -> None:
    rows = re.findall(r"^\d+\. \*\*(\w+)\*\*: (.+?)(?:,|;|\.)", (ROOT / "docs" / "roles.md").read_text(), re.MULTILINE)
    assert rows == [(role, name) for role in order_of_roles() for name in handlers(role)]
