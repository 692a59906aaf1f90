"""What every role keeps to: its argument specification is all that there is to know about its variables."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
TYPES = {"str", "path", "int", "bool", "list", "dict"}

_spec = importlib.util.spec_from_file_location("role_readme", ROOT / "tools" / "role_readme.py")
assert _spec
assert _spec.loader
role_readme = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(role_readme)

each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
Options = dict[str, dict[str, Any]]


def entries(role: Path) -> dict[str, dict[str, Any]]:
    specs: dict[str, dict[str, Any]] = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
    return specs["argument_specs"]


def options(role: Path) -> Options:
    return {name: option for spec in entries(role).values() for name, option in spec.get("options", {}).items()}


def public_defaults(role: Path) -> dict[str, Any]:
    return {name: value for name, value in role_readme.defaults(role).items() if not name.startswith("_")}


def incomplete(described: Options, where: str = "") -> Iterator[str]:
    """Options of which the type, the type of their elements or the description is left to guess."""
    for name, option in described.items():
        place = f"{where}{name}"
        if option.get("type") not in TYPES:
            yield f"{place}: type"
        if (option.get("type") == "list") != ("elements" in option):
            yield f"{place}: elements"
        if not option.get("description"):
            yield f"{place}: description"
        if option.get("required") and "default" in option:
            yield f"{place}: required, and has a default"
        default = option.get("default")
        if "choices" in option and default is not None and default not in option["choices"] and "{{" not in default:
            yield f"{place}: default is none of its choices"
        yield from incomplete(option.get("options", {}), f"{place}.")


def drifted(described: Options, defaults: dict[str, Any], role: str) -> Iterator[str]:
    """Options whose default is another, or is not said although it is a plain value."""
    for name, option in described.items():
        if not name.startswith(f"{role}_"):
            continue
        if name not in defaults:
            yield f"{name}: has no default"
        elif "default" in option:
            if option["default"] != defaults[name]:
                yield f"{name}: {option['default']!r} is said to be the default, which is {defaults[name]!r}"
        elif "{{" not in str(defaults[name]):
            yield f"{name}: the default is not said"


@each_role
def test_every_option_is_described_with_type_and_elements(role: Path) -> None:
    assert list(incomplete(options(role))) == []


def test_an_option_that_leaves_something_to_guess_is_found() -> None:
    vague: Options = {
        "a": {"description": "Something."},
        "b": {"type": "list", "description": "Some things."},
        "c": {"type": "dict", "description": "A thing.", "options": {"d": {"type": "int"}}},
        "e": {"type": "str", "description": "One.", "choices": ["x", "y"], "default": "z"},
        "f": {"type": "str", "description": "One.", "required": True, "default": "z"},
    }
    assert list(incomplete(vague)) == [
        "a: type",
        "b: elements",
        "c.d: description",
        "e: default is none of its choices",
        "f: required, and has a default",
    ]


@each_role
def test_the_default_that_is_described_is_the_default(role: Path) -> None:
    assert list(drifted(options(role), public_defaults(role), role.name)) == []


def test_a_default_that_drifted_is_found() -> None:
    described: Options = {"r_a": {"default": 1}, "r_b": {}, "r_c": {"default": 3}, "r_d": {}, "state": {}}
    assert list(drifted(described, {"r_a": 2, "r_b": 2, "r_d": "{{ r_a }}"}, "r")) == [
        "r_a: 1 is said to be the default, which is 2",
        "r_b: the default is not said",
        "r_c: has no default",
    ]


@each_role
def test_every_default_is_an_option_or_said_to_be_derived(role: Path) -> None:
    said = set(re.findall(r"I\((\w+)\)", (role / "meta" / "argument_specs.yml").read_text()))
    assert public_defaults(role).keys() - options(role).keys() - said == set()


@each_role
def test_the_readme_is_made_from_the_specification(role: Path) -> None:
    assert (role / "README.md").read_text() == role_readme.readme(role)


@each_role
def test_every_entry_point_is_a_task_file_and_every_file_that_others_call_is_an_entry_point(role: Path) -> None:
    files = {file.stem for file in (role / "tasks").glob("*.yml")}
    # the catalogue is settings; Ansible would look at them anew with each role that depends on it
    assert entries(role).keys() - files <= {"settings"}
    sources = [*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "roles").rglob("*.yml")]
    calls = re.compile(rf"name: {role.name}\n +tasks_from: (\w+)\.yml")
    called = {entry for source in sources for entry in calls.findall(source.read_text())}
    assert called <= entries(role).keys()


def dependencies(role: Path) -> set[str]:
    return {entry["role"] for entry in yaml.safe_load((role / "meta" / "main.yml").read_text())["dependencies"]}


@each_role
def test_every_role_has_a_scenario_or_is_part_of_others(role: Path) -> None:
    shared = ROOT / "molecule" / role.name.split("_")[0] / "converge.yml"
    assert (
        (ROOT / "molecule" / role.name / "molecule.yml").is_file()
        or (shared.is_file() and f"- role: {role.name}\n" in shared.read_text())
        or any(role.name in dependencies(other) for other in ROLES)
    )


@each_role
def test_task_files_are_short(role: Path) -> None:
    long = {file.name for file in (role / "tasks").glob("*.yml") if len(file.read_text().splitlines()) > 80}
    assert long == set()


SCENARIOS = sorted(file.parent for file in (ROOT / "molecule").glob("*/molecule.yml"))
# The second look at the promises belongs to the side effect.
PHASES = ["syntax", "check", "converge", "idempotence", "verify", "side_effect", "verify"]
# What a scenario leaves out, and where it is proven instead.
LEFT_OUT = {
    "base_images": {"check", "side_effect"},  # has no hosts: what it makes is images, which are kept
    "firewall": {"side_effect"},  # its tests restart and meddle themselves, each with a proof
    "precheck": {"side_effect"},  # each of its tests makes a state by hand, and takes it back
    "verify": {"check"},  # tests/e2e compares a check of the whole with what then happens
}
# Scenarios of one release only; the other one is in the scenario of role verify, which deploys all on Debian 13.
ONE_RELEASE = {"database": {12}, "verify": {13}, "base_images": set()}

each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@each_scenario
def test_a_scenario_goes_through_all_phases(scenario: Path) -> None:
    shared = yaml.safe_load((ROOT / "molecule" / "shared" / "base.yml").read_text())
    own = yaml.safe_load((scenario / "molecule.yml").read_text())
    sequence = {**shared["scenario"], **own.get("scenario", {})}["test_sequence"]
    phases = [step.split()[0] for step in sequence if step.split()[0] not in ("create", "destroy")]
    left_out = LEFT_OUT.get(scenario.name, set())
    before = [phase for phase in PHASES[:5] if phase not in left_out]
    assert phases == before + ([] if "side_effect" in left_out else PHASES[5:])
    assert (scenario / "side_effect.yml").is_file() == ("side_effect" not in left_out)


@each_scenario
def test_a_scenario_has_hosts_of_both_releases(scenario: Path) -> None:
    platforms = yaml.safe_load((scenario / "molecule.yml").read_text()).get("platforms", [])
    releases = {13 if any(group.startswith("debian_13") for group in host["groups"]) else 12 for host in platforms}
    assert releases == ONE_RELEASE.get(scenario.name, {12, 13})
