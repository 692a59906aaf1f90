"""Filters that say what was found well on each host and what was not, and put it into one table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Where a page names the web server that it comes from.
_HOSTNAME = re.compile(r'id="hostname"[^>]*>\s*([^<]+?)\s*<')

Finding = dict[str, Any]


def host_findings(look: Mapping[str, Any] | None, expected: Sequence[str]) -> list[Finding]:
    """Judge a host by what was seen of it.

    Args:
        look: What the module host_look has seen; nothing when it could not look.
        expected: Names of the containers that are to run there.

    Returns:
        For each thing that was looked at: `what` it is, its `state` with the remedy, and whether it is `well`.
    """
    if not look:
        state = "cannot be looked at; ./fleet deploy --check says why"
        return [_finding("host", state, False)]
    walls = bool(look["probes"].get("firewall"))
    return [
        _finding("firewall", "in force" if walls else "not in force; deploy again", walls),
        *(_container(name, name in look["healthy"], name in look["deployed"]) for name in expected),
    ]


def page_findings(answers: Sequence[Mapping[str, Any]], name: str, servers: Sequence[str], sign: str) -> list[Finding]:
    """Judge a page by the answers to several requests for it.

    Args:
        answers: Results of the module uri, with their content; they may have failed.
        name: What the page is called.
        servers: Names of the web servers that have to have answered.
        sign: Text that the page shows when all is well.

    Returns:
        One finding, as of `host_findings`, in a list.
    """
    wrong = [answer for answer in answers if answer.get("status") != 200 or sign not in answer.get("content", "")]
    if wrong:
        status = wrong[0].get("status", -1)
        told = wrong[0].get("msg", "") if status != 200 else "it lacks what it should show"
        return [_finding(name, f"{len(wrong)} of {len(answers)} requests went wrong: {told}", False)]
    served = {server for answer in answers for server in _HOSTNAME.findall(answer["content"])}
    silent = [server for server in servers if server not in served]
    if silent:
        return [_finding(name, f"never served by {', '.join(silent)}", False)]
    return [_finding(name, f"served by {', '.join(servers)}", True)]


def findings_table(findings: Mapping[str, Sequence[Finding]]) -> str:
    """Put all findings into one table.

    Args:
        findings: By host, as of `host_findings`.

    Returns:
        Lines of equal columns: host, what was looked at, its state; what is not well is marked.
    """
    rows = [("HOST", "", "WHAT", "STATE"), *_rows(findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        for row in rows
    )


def _rows(findings: Mapping[str, Sequence[Finding]]) -> Iterator[tuple[str, str, str, str]]:
    for host, found in findings.items():
        for finding in found:
            yield host, "ok" if finding["well"] else "NOT", finding["what"], finding["state"]


def _container(name: str, healthy: bool, as_deployed: bool) -> Finding:
    if not healthy:
        return _finding(name, f'not healthy; read "docker logs {name}" there, and deploy again', False)
    state = "healthy" if as_deployed else "healthy, but not as it was deployed; deploy again"
    return _finding(name, state, as_deployed)


def _finding(what: str, state: str, well: bool) -> Finding:
    return {"what": what, "state": state, "well": well}


class FilterModule:
    """Ansible's entry point to the filters."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"host_findings": host_findings, "page_findings": page_findings, "findings_table": findings_table}
