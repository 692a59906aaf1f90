"""docs/security.md says what the code says, and names for each requirement a test that is there."""

from __future__ import annotations

import ast
import json
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from plugin import ROOT, load
from shop_api import tables, validation

PAGE = ROOT / "docs" / "security.md"
# The numbers of the requirements of levels 1 and 2, by section.
REQUIREMENTS = json.loads((Path(__file__).parent / "asvs-5.0.json").read_text())
NUMBERS = [f"{section}.{number}" for section, numbers in REQUIREMENTS.items() for number in numbers]
_LINK = re.compile(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)")
CATALOGUE = ROOT / "roles" / "catalogue" / "defaults" / "main"


@cache
def page() -> str:
    return PAGE.read_text()


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in a text, without their heads."""
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    return [line.split(" | ") for line in lines if line.split(" | ")[0] not in {"no.", ""}]


def table(name: str) -> list[list[str]]:
    """The cells of the table that follows a mark in the page, without its head."""
    lines = page().partition(f"<!-- {name} -->\n")[2].split("\n\n")[0]
    return rows(lines)[1:]


def asvs(text: str) -> tuple[dict[str, str], list[str]]:
    """What the page says of each requirement that applies, and the numbers of the others."""
    kept, _, other = text.partition("## OWASP")[2].partition("#### What does not apply")
    return {number: how for number, _, how in rows(kept)}, [
        number for cells in rows(other) for part in cells[0].split(", ") for number in _expanded(part)
    ]


def _expanded(part: str) -> list[str]:
    first, _, last = part.partition("–")
    return NUMBERS[NUMBERS.index(first) : NUMBERS.index(last or first) + 1]


def faults(text: str) -> list[str]:
    """What is wrong with the table."""
    apply, other = asvs(text)
    named = [*apply, *other]
    wrong = [f"{number}: {named.count(number)} times" for number in NUMBERS if named.count(number) != 1]
    wrong += [f"{number}: no such requirement of these levels" for number in set(named) - set(NUMBERS)]
    wrong += [
        f"{number}: {file} has no {test}"
        for number, how in apply.items()
        for test, file in _LINK.findall(how)
        if test not in _tests(file)
    ]
    wrong += [
        f"{number}: neither a test nor a reason"
        for number, how in apply.items()
        if not _LINK.search(how) and not how.startswith(("argued: ", "**not kept**: "))
    ]
    return wrong


@cache
def _tests(file: str) -> set[str]:
    path = ROOT / file
    tree = ast.parse(path.read_text() if path.exists() else "")
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_requirement_is_there_once_with_a_test_that_is_there_or_a_reason() -> None:
    assert faults(page()) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("| 2.3.3 |", "| 2.3.2 |", "2.3.3: 0 times"),
        ("| 6.4.4, ", "| ", "6.4.4: 0 times"),
        ("| 1.5.1 |", "| 1.5.1, 1.5.2 |", "1.5.2: 2 times"),
        ("`test_all_or_nothing`", "`test_all`", "2.3.3: tests/api/test_imports.py has no test_all"),
        ("argued: nothing keeps", "nothing keeps", "6.2.10: neither a test nor a reason"),
    ],
)
def test_a_fault_of_the_table_would_be_found(old: str, new: str, fault: str) -> None:
    assert old in page()
    assert fault in faults(page().replace(old, new))


def test_nine_of_ten_that_apply_are_kept_and_tested() -> None:
    apply, _ = asvs(page())
    tested = [how for how in apply.values() if not how.startswith(("argued: ", "**not kept**: "))]
    share = len(tested) / len(apply)
    assert share >= 0.9
    said = f"Of {len(NUMBERS)} requirements {len(apply)} apply; {len(tested)} of them ({math.floor(share * 100)} %)"
    assert said in " ".join(page().split())


def settings() -> dict[str, Any]:
    """The catalogue's own variables."""
    found: dict[str, Any] = {}
    for file in CATALOGUE.glob("*.yml"):
        found |= yaml.safe_load(file.read_text())
    return found


def numbers(file: str, *patterns: str) -> list[int]:
    """Numbers in a source, as products where it writes products."""
    text = (ROOT / "app_src" / "web" / "src" / file).read_text()
    found = [re.search(pattern, text) for pattern in patterns]
    return [math.prod(map(int, match[1].split(" * "))) for match in found if match]


def test_the_page_states_the_rules_and_limits_that_are_in_force() -> None:
    assert dict(table("rules")) == validation.MESSAGES
    (form,) = re.findall(r"^post_max_size = (\d+)K$", (ROOT / "app_src/web/php.ini").read_text(), re.MULTILINE)
    imports, given = settings()["_catalogue_import"], settings()
    idle, absolute = numbers("Session.php", r"IDLE_LIMIT = ([\d* ]+);", r"ABSOLUTE_LIMIT = ([\d* ]+);")
    of = ("'{}' => \\['burst' => (\\d+)", "'{}' => \\['burst' => \\d+, 'seconds' => (\\d+)")
    address, address_wait = numbers("LoginThrottle.php", *(pattern.format("address") for pattern in of))
    user, user_wait = numbers("LoginThrottle.php", *(pattern.format("user") for pattern in of))
    assert dict(table("limits")) == {
        "a form": f"{form} KiB",
        "a file": f"{imports['kib']} KiB, {imports['rows']:,} rows",
        "the form around a file": f"{imports['form_kib']} KiB",
        "forms of one address in a minute (`catalogue_writes_per_minute`)": str(given["catalogue_writes_per_minute"]),
        "log-ins of one address in a minute (`catalogue_logins_per_minute`)": str(given["catalogue_logins_per_minute"]),
        "wrong passwords from one address": f"{address}, and one more each {address_wait} seconds",
        "wrong passwords for one user name": f"{user}, and one more each {user_wait} seconds",
        "a session without a page": f"{idle // 60} minutes",
        "a session": f"{absolute // 3600} hours",
        "a password": f"{load('filter/admins.py')._SHORTEST_PASSWORD} characters or more",
    }


def test_the_page_names_the_words_that_no_password_may_be_made_of() -> None:
    said = page().partition("<!-- words --> ")[2].split(".")[0]
    assert tuple(said.split(", ")) == load("filter/admins.py")._CONTEXT


def test_the_page_says_of_each_account_what_it_may() -> None:
    accounts = yaml.safe_load((ROOT / "roles" / "database" / "defaults" / "main.yml").read_text())["database_accounts"]
    mysql = {
        f"MySQL `{account['name']}`": ", ".join(f"`{part}` {rights}" for part, rights in account["rights"].items())
        for account in accounts
    }
    users = (ROOT / "roles" / "service" / "templates" / "redis" / "users.acl.j2").read_text()
    redis = {
        f"Redis `{name}`": ", ".join(f"`{key}`" for key in re.findall(r"~(\S+)", line))
        for name, line in re.findall(r"^user (\w+) on (.*)$", users, re.MULTILINE)
    }
    assert dict(table("accounts")) == mysql | redis


def secrets() -> dict[str, Any]:
    """The variables that hold secrets, with their defaults."""
    is_secret = re.compile(r"catalogue_(?:\w+_(?:password|salt|key)|admins)")
    found = {name: value for name, value in settings().items() if is_secret.fullmatch(name)}
    # What is given here is the path of a file.
    return {name: value for name, value in found.items() if value != ""}


def test_the_page_lists_every_secret() -> None:
    assert {name.strip("`") for name, _, _ in table("secrets")} == secrets().keys()


def test_generated_secrets_have_128_bits() -> None:
    alphabet, length = re.findall(r"chars=(\S+) length=(\d+)", settings()["_catalogue_generate"])[0]
    assert alphabet == "ascii_letters,digits"
    assert int(length) * math.log2(26 + 26 + 10) >= 128
    generated = re.compile(r"lookup\('ansible\.builtin\.password', [^)]*~ _catalogue_generate\)")
    assert [name for name, default in secrets().items() if not generated.search(default)] == []


def test_the_page_says_of_all_data_how_they_are_kept() -> None:
    said = " ".join(cells[0] for cells in table("data"))
    assert set(re.findall(r"`(\w+)`", said)) == set(tables.metadata.tables)
    classes = {cells[1].split(";")[0] for cells in table("data")} - {"as the above"}
    assert classes == {"public", "internal", "secret"}
    assert all(f"**{name.capitalize()}** data" in page() for name in classes)


def test_the_page_says_of_each_service_what_it_logs() -> None:
    assert {name.strip("`") for name, _ in table("logs")} == settings()["catalogue_services"].keys()
