"""What every role keeps to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
# Derived from the catalogue and not meant to be set: described in prose.
DERIVED = {
    "base_images_hosts",
    "base_images_offline",
    "base_images_official",
    "base_images_references",
    "catalogue_certificates",
    "catalogue_environment",
    "catalogue_host_instances",
    "catalogue_images",
    "catalogue_instances",
}


def defaults(role: Path) -> set[str]:
    files = [*(role / "defaults").glob("*.yml"), *(role / "defaults").glob("main/*.yml")]
    return {name for file in files for name in yaml.safe_load(file.read_text()) or {} if not name.startswith("_")}


def described(role: Path) -> set[str]:
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    return {name for spec in specs.values() for name in spec.get("options", {})}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_default_is_described(role: Path) -> None:
    assert defaults(role) - described(role) - DERIVED == set()


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_variable_of_the_roles_own_that_is_described_has_a_default(role: Path) -> None:
    own = {name for name in described(role) if name.startswith(f"{role.name}_")}
    assert own - defaults(role) == set()


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_role_has_a_scenario(role: Path) -> None:
    own = ROOT / "molecule" / role.name
    shared = ROOT / "molecule" / role.name.split("_")[0] / "converge.yml"
    assert (own / "molecule.yml").is_file() or f"- role: {role.name}\n" in shared.read_text()


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_task_files_are_short(role: Path) -> None:
    long = {file.name for file in (role / "tasks").glob("*.yml") if len(file.read_text().splitlines()) > 80}
    assert long == set()
