"""Every promise of README and docs that a program can check is kept; what the words promise, the other tests check."""

from __future__ import annotations

import re
from pathlib import Path

import promises
import pytest
from plugin import ROOT, load
from test_reachability_docs import docs

topology = load("filter/topology.py")
README = ROOT / "README.md"
# A word that is no letter, and so no name, of a container, a host or a port's clients.
_WORD = re.compile(r"[a-z][a-z0-9-]*")


@pytest.mark.parametrize("document", promises.pages(), ids=lambda document: str(document.relative_to(ROOT)))
def test_what_a_page_names_is_there(document: Path) -> None:
    assert promises.faults(document, document.read_text()) == []


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("see [x](docs/absent.md)", "the link docs/absent.md leads to no file"),
        ("![x](docs/images/absent.png)", "the link docs/images/absent.png leads to no file"),
        ("see [x](docs/tls.md#absent)", "the link docs/tls.md#absent leads to no heading"),
        ("see [x](#absent)", "the link #absent leads to no heading"),
        ("    ./fleet upp", "there is no verb upp"),
        ("type `./fleet test untit`", "there is no lane untit"),
        ("type `./fleet test unti api/web`", "there is no lane unti"),
        ("`./fleet bench speed`", "there is no bench speed"),
        ("    ./fleet deploy -e catalogue_curency=CHF", "nothing reads -e catalogue_curency"),
        ("    SHOP_PORT=80 ./fleet up", "nothing reads SHOP_PORT of: SHOP_PORT=80 ./fleet up"),
        ("`molecule test -s frewall`", "there is no scenario frewall"),
        ("`tests/e2e/test_absent.py`", "there is no tests/e2e/test_absent.py"),
        ("in roles/catalogue/defaults/absent.yml.", "there is no roles/catalogue/defaults/absent.yml"),
        ("`roles/absent/*.yml`", "there is no roles/absent/*.yml"),
        ("`tests/unit/test_docs.py::test_absent`", "there is no test test_absent in tests/unit/test_docs.py"),
        ("set `catalogue_curency`", "nothing is called catalogue_curency"),
        ("`SHOP_PORT`", "nothing is called SHOP_PORT"),
        ("the header `X-Absent-Header`", "nothing is called X-Absent-Header"),
        ("| `catalogue_locale` | `en_US` | |", "the default of catalogue_locale is en_IE, not en_US"),
    ],
)
def test_what_is_not_there_is_found(written: str, sentence: str) -> None:
    assert sentence in promises.faults(README, f"# Page\n\n{written}\n")


@pytest.mark.parametrize(
    "written",
    [
        "see [x](docs/tls.md#service-keys) and [y](#page) and [z](https://example.org/x#y)",
        "`./fleet VERB`, `./fleet test`, `./fleet test changed`, `./fleet test roles/firewall`",
        "    ./fleet deploy -i inventory/<yours> -e base_images=official   # not absent.md",
        "`molecule converge -s ROLE`, `tests/unit/test_roles.py::test_task_files_are_short`",
        "| `catalogue_locale` | `en_IE` | |",
    ],
)
def test_what_is_there_is_let_through(written: str) -> None:
    assert promises.faults(README, f"# Page\n\n{written}\n") == []


def test_every_verb_and_every_lane_is_explained() -> None:
    told = "\n".join(page.read_text() for page in promises.pages())
    assert [verb for verb in promises.verbs() if not re.search(rf"\./fleet {verb}\b", told)] == []
    lanes = re.findall(r"^\| `(\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert {*lanes, "images", "hosts"} == set(promises.lanes())
    helped = re.search(r"lanes: ([\w ]+) \(all", (ROOT / "fleet").read_text())
    assert helped
    assert helped[1].split() == lanes


def test_the_picture_in_the_readme_is_the_catalogues() -> None:
    picture = re.search(r"^```\n( +outside\n.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert picture
    services = docs.read_catalogue()
    inventory = docs.yaml.safe_load((ROOT / "inventory/lab/hosts.yml").read_text())
    groups = {group: list(entry["hosts"]) for group, entry in inventory.items()}
    placed = topology.instances(services, groups, {host: {"internal_address": "10.0.0.1"} for host in groups["lab"]})
    stay = [entry for entry in placed if services[entry["service"]]["tier"] != "job"]
    boxes = re.sub(r"[^\x00-\x7f]+", "│", picture[1])
    for host in groups["lab"]:
        assert re.search(rf"│ {host}\b", boxes)
    named = set(_WORD.findall(re.sub(r"\([^)]*\)", "", boxes))) - {"outside"}
    assert named == {entry["name"] for entry in stay} | set(groups["lab"])
    drawn = {int(number) for number in re.findall(r"(?<![\w-])\d+(?![\w-])", boxes)} | {
        int(number) for number in re.findall(r"\d{2,}", picture[1])
    }
    reached = {port["port"] for entry in stay for port in entry["ports"].values() if port["clients"]}
    # A range is written by its ends.
    assert reached - {8082} <= drawn <= reached


def test_the_readme_counts_the_seeds_items() -> None:
    told = re.search(r"`catalogue_seed_csv` \| (\d+) items", README.read_text())
    assert told
    assert int(told[1]) == len((ROOT / "app_src/seed/items.csv").read_text().splitlines()) - 1
