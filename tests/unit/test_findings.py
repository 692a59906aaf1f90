"""What ./fleet verify says of hosts and pages, well or not, in one table."""

from __future__ import annotations

from typing import Any

import pytest
from plugin import load

findings = load("filter/findings.py")

WEB = ["web-1", "web-2"]
LOOK = {"probes": {"firewall": True}, "healthy": WEB, "deployed": dict.fromkeys(WEB, "digest")}


def page(server: str, **more: object) -> dict[str, Any]:
    return {"status": 200, "content": f'<span id="hostname" class="a">\n {server} </span><table id="items">', **more}


def states(found: list[dict[str, Any]]) -> dict[str, tuple[bool, str]]:
    return {finding["what"]: (finding["well"], finding["state"]) for finding in found}


def test_a_sound_host_is_well() -> None:
    found = states(findings.host_findings(LOOK, WEB))
    assert found == {"firewall": (True, "in force"), "web-1": (True, "healthy"), "web-2": (True, "healthy")}


def test_what_is_not_well_is_told_with_its_remedy() -> None:
    look = {"probes": {"firewall": False}, "healthy": ["web-2"], "deployed": {}}
    found = states(findings.host_findings(look, WEB))
    assert found == {
        "firewall": (False, "not in force; deploy again"),
        "web-1": (False, 'not healthy; read "docker logs web-1" there, and deploy again'),
        "web-2": (False, "healthy, but not as it was deployed; deploy again"),
    }


@pytest.mark.parametrize("look", [None, {}])
def test_a_host_that_cannot_be_looked_at_is_a_finding(look: dict[str, Any] | None) -> None:
    (found,) = findings.host_findings(look, WEB)
    assert (found["what"], found["well"]) == ("host", False)


@pytest.mark.parametrize(
    ("answers", "well", "state"),
    [
        ([page("web-1"), page("web-2")], True, "served by web-1, web-2"),
        ([page("web-1"), page("web-1")], False, "never served by web-2"),
        ([page("web-1"), page("web-2", status=503, msg="503")], False, "1 of 2 requests went wrong: 503"),
        ([page("web-1"), {"status": -1, "msg": "refused"}], False, "1 of 2 requests went wrong: refused"),
        (
            [page("web-1"), {"status": 200, "content": ""}],
            False,
            "1 of 2 requests went wrong: it lacks what it should show",
        ),
    ],
)
def test_a_page_is_well_when_every_server_has_served_it(answers: list[dict[str, Any]], well: bool, state: str) -> None:
    found = findings.page_findings(answers, "shop page", WEB, 'id="items"')
    assert states(found) == {"shop page": (well, state)}


def test_the_table_has_a_line_for_each_finding() -> None:
    found = {"lb1": findings.host_findings(LOOK, ["web-1"]), "db1": findings.host_findings(None, [])}
    assert findings.findings_table(found).splitlines() == [
        "HOST       WHAT      STATE",
        "lb1   ok   firewall  in force",
        "lb1   ok   web-1     healthy",
        "db1   NOT  host      cannot be looked at; ./fleet deploy --check says why",
    ]
