"""The page about the firewall says what the catalogue says."""

from __future__ import annotations

import importlib.util

import pytest
from plugin import ROOT

spec = importlib.util.spec_from_file_location("reachability_docs", ROOT / "tools" / "reachability_docs.py")
assert spec
assert spec.loader
docs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(docs)


def test_the_page_is_up_to_date() -> None:
    text = docs.PAGE.read_text()
    assert docs.page(text, docs.read_catalogue()) == text, "run tools/reachability_docs.py"


@pytest.mark.parametrize(
    ("port", "line"), [("stats", "  mysql -->|8404| haproxy"), ("http", "  mysql -->|80| haproxy")]
)
def test_a_client_that_is_added_to_the_catalogue_makes_the_page_out_of_date(port: str, line: str) -> None:
    services = docs.read_catalogue()
    services["haproxy"]["ports"][port]["clients"].append("mysql")
    text = docs.PAGE.read_text()
    changed = docs.page(text, services)
    assert line in changed.splitlines()
    assert line not in text.splitlines()


def test_what_is_written_by_hand_stays() -> None:
    text = docs.PAGE.read_text()
    changed = docs.page(text.replace("80", "81"), docs.read_catalogue())
    assert changed.partition(docs._BEGIN)[0] == text.replace("80", "81").partition(docs._BEGIN)[0]
    assert changed.endswith(text.replace("80", "81").partition(docs._END)[2])


def test_neighbouring_ports_are_written_as_a_range() -> None:
    assert docs._ports([8083, 80, 8081, 8082, 443, 444]) == "80, 443, 444, 8081–8083"
