"""Every variable that is set is read somewhere, and every variable that is read is set or described."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from ansible_source import Task, Variables, in_template, in_values, load, of_task, tasks
from plugin import ROOT

# What Ansible and Jinja set themselves.
MAGIC = re.compile(
    "ansible_.*|inventory_(hostname|dir)|groups|hostvars|item|omit|role_path|playbook_dir|lookup|query|range|dict|loop|now"
)


def of_inventory(content: object) -> set[str]:
    """Variables that stand beside hosts and groups in an inventory."""
    if not isinstance(content, Mapping):
        return set()
    own = {name for host in (content.get("hosts") or {}).values() for name in host or {}}
    own |= (content.get("vars") or {}).keys()
    return own.union(*(of_inventory(child) for child in content.values()))


def of_file(file: Path) -> Variables:
    """Variables of a file that is no list of tasks."""
    content = load(file)
    found = in_values(content)
    if file.name == "argument_specs.yml":
        found.mentioned.clear()
        specs = content["argument_specs"].values()
        found.defined |= {name for spec in specs for name in spec.get("options", {})}
    elif {"defaults", "vars", "group_vars"} & set(file.parts):
        found.defined |= content.keys()
    elif file.name == "hosts.yml":
        found.defined |= of_inventory(content)
    return found


def everything(*folders: str) -> dict[str, Variables]:
    """Variables of the Ansible code in some folders, by file."""
    found: dict[str, Variables] = {}
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.yml")):
            # a verb's own arguments stand in the one line that it says of itself
            verbs = set(re.findall(r"-e (\w+)=", file.read_text())) if folder == "playbooks" else set()
            found[name_of(file)] = Variables(verbs, set(), set())
            if not isinstance(load(file), list):
                found[name_of(file)].add(of_file(file))
        for task in tasks(folder):
            found[task.file].add(of_task(task))
        for template in sorted((ROOT / folder).rglob("*.j2")):
            found[name_of(template)] = in_template(template.read_text())
    return found


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def undefined(code: Mapping[str, Variables]) -> dict[str, set[str]]:
    """Names that are read and set nowhere, by file."""
    known = {name for variables in code.values() for name in variables.defined}
    return {
        file: unknown
        for file, variables in code.items()
        if (unknown := {name for name in variables.read - known if not MAGIC.fullmatch(name)})
    }


def unused(code: Mapping[str, Variables]) -> dict[str, set[str]]:
    """Names that are set and read nowhere, by file."""
    used = {name for variables in code.values() for name in variables.read | variables.mentioned}
    return {
        file: idle
        for file, variables in code.items()
        if (idle := {name for name in variables.defined - used if not MAGIC.fullmatch(name)})
    }


PRODUCT = everything("roles", "playbooks", "inventory")


def test_no_variable_is_read_that_nothing_sets() -> None:
    assert undefined(PRODUCT | everything("molecule")) == {}


def test_no_variable_is_set_that_nothing_reads() -> None:
    """What only a test reads is of no use to anybody."""
    assert unused(PRODUCT) == {}


def test_both_are_found_wherever_they_hide() -> None:
    task = Task(
        "roles/r/tasks/main.yml",
        "Do",
        yaml.safe_load("""
            ansible.builtin.set_fact: {r_set: "{{ r_text | map('extract', hostvars, 'r_by_name') }}"}
            vars: {r_local: 1}
            when: r_condition is defined
            register: __r_done
            loop: [1]
            loop_control: {loop_var: r_turn}
            """),
    )
    code = {
        "main.yml": of_task(task),
        "file.j2": in_template("{% set own = r_filled %}{{ own }}{% if r_if %}{% endif %}"),
    }
    assert undefined(code) == {"main.yml": {"r_text", "r_condition"}, "file.j2": {"r_filled", "r_if"}}
    assert unused(code) == {"main.yml": {"r_set", "r_local", "__r_done", "r_turn"}}
    code["defaults"] = Variables({"r_by_name", "r_idle"}, set(), set())
    assert unused(code)["defaults"] == {"r_idle"}


@pytest.mark.parametrize("role", sorted(path.name for path in (ROOT / "roles").iterdir()))
def test_names_say_whose_a_variable_is_and_who_may_set_it(role: str) -> None:
    """role_x is public, _role_x private, __role_x registered; others only as arguments of a verb or of a whole host."""
    for task in tasks(f"roles/{role}"):
        registered = task.content.get("register", f"__{role}_")
        assert registered.startswith(f"__{role}_"), task.place
    files = (ROOT / "roles" / role).rglob("*.yml")
    names = {name for file in files if {"defaults", "vars"} & set(file.parts) for name in load(file)}
    assert {name for name in names if not name.removeprefix("_").startswith(f"{role}_")} == set()
