"""The table in docs/hardening.md says of every check what the tests say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# How many checks each section of the benchmark has.
SECTIONS = {2: 18, 3: 24, 4: 12, 5: 32}


def table() -> dict[str, str]:
    rows = re.findall(
        r"^\| (\d\.\d+) \| [^|]+ \| ([^|]+) \|$", (ROOT / "docs" / "hardening.md").read_text(), re.MULTILINE
    )
    return dict(rows)


def checked() -> set[str]:
    spec = importlib.util.spec_from_file_location("cis", ROOT / "tests" / "e2e" / "cis.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return set(module.CHECKS)


def test_every_check_of_the_benchmark_is_in_the_table() -> None:
    assert list(table()) == [f"{section}.{n}" for section, last in SECTIONS.items() for n in range(1, last + 1)]


def test_what_the_table_calls_kept_is_tested() -> None:
    kept = {number for number, result in table().items() if result.startswith("kept")}
    assert kept == checked() - {number for number in table() if number in ("5.8", "5.15")}


def test_section_5_has_at_most_four_exceptions() -> None:
    exceptions = [number for number, result in table().items() if number.startswith("5.") and "exception" in result]
    assert len(exceptions) <= 4


def asks_for_more(source: str) -> list[str]:
    """Places where `docker exec`, or Ansible's module for it, is asked for root or for privileges."""
    commands = re.findall(r"^.*docker exec .*(?:--privileged|--user|-u )\b.*$", source, re.MULTILINE)
    tasks = re.findall(r"docker_container_exec:\n(?: .*\n)*? +(?:user|privileged):.*", source)
    return [*commands, *tasks]


def test_nothing_is_executed_in_a_container_as_root_or_with_privileges() -> None:
    files = [ROOT / "fleet", *(path for folder in ("roles", "playbooks") for path in (ROOT / folder).rglob("*.yml"))]
    assert {str(file): found for file in files if (found := asks_for_more(file.read_text()))} == {}


def test_such_a_place_is_found() -> None:
    assert asks_for_more("\tdocker exec --user root redis sh\n")
    assert asks_for_more("  community.docker.docker_container_exec:\n    container: redis\n    user: root\n")
