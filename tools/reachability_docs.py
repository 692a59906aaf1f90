"""Write the diagram and the tables of who reaches what into docs/firewall.md, or check that they are up to date.

They are derived from the service catalogue and the reference lab's groups, by the filters that the firewall's rules
come from.

Usage: reachability_docs.py [--check]
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from jinja2 import Template

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "firewall.md"
_CATALOGUE = ROOT / "roles" / "catalogue" / "defaults" / "main"
_BEGIN, _END = "<!-- made by tools/reachability_docs.py -->\n", "<!-- end -->\n"
_CLOSED = "–"
_TITLES = {"outside": "outside", "stranger": "a stranger in the internal subnet", "operator": "operator"}

Catalogue = Mapping[str, Mapping[str, Any]]
Cell = Mapping[str, Any]


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "plugins" / "filter" / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"plugins/filter/{name}.py cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_catalogue() -> dict[str, dict[str, Any]]:
    """Read the services as they are with the default settings.

    Returns:
        The catalogue.
    """
    settings = yaml.safe_load((_CATALOGUE / "settings.yml").read_text())
    services: dict[str, dict[str, Any]] = yaml.safe_load((_CATALOGUE / "services.yml").read_text())[
        "catalogue_services"
    ]
    for service in services.values():
        if "instances" in service:
            service["instances"] = int(Template(str(service["instances"])).render(settings))
    return services


def _read_lab() -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """Read the lab's groups, and give its hosts addresses out of those that are set aside for documents."""
    inventory = yaml.safe_load((ROOT / "inventory" / "lab" / "hosts.yml").read_text())
    hostvars = {}
    for number, (host, variables) in enumerate(inventory["lab"]["hosts"].items(), start=11):
        hostvars[host] = {"internal_address": f"198.51.100.{number}", "internal_address6": f"2001:db8:20::{number}"}
        if "edge_address" in variables:
            hostvars[host] |= {"edge_address": f"203.0.113.{number}", "edge_address6": f"2001:db8:10::{number}"}
    return {group: list(entry["hosts"]) for group, entry in inventory.items()}, hostvars


def _ports(numbers: Sequence[int]) -> str:
    """Write ports, with neighbours as a range."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1].append(number)
        else:
            ranges.append([number])
    written = []
    for run in ranges:
        written += [f"{run[0]}–{run[-1]}"] if len(run) > 2 else [str(number) for number in run]
    return ", ".join(written) or _CLOSED


def diagram(services: Catalogue, placed: Sequence[Mapping[str, Any]], ssh: int) -> list[str]:
    """Draw who opens connections to whom.

    Args:
        services: The catalogue.
        placed: Its containers.
        ssh: The port that operators dial.

    Returns:
        Lines of Mermaid.
    """
    lines = ["```mermaid", "flowchart LR", "  outside((outside))", "  operator((operator))"]
    hosts = list(dict.fromkeys(entry["host"] for entry in placed))
    for host in hosts:
        lines.append(f"  subgraph {host}")
        here = [entry["service"] for entry in placed if entry["host"] == host]
        for service in dict.fromkeys(here):
            times = f" ×{here.count(service)}" if here.count(service) > 1 else ""
            lines.append(f'    {_node(service)}["{service}{times}"]')
        lines.append("  end")
    for server in services:
        dialled: dict[str, set[int]] = {}
        for entry in (entry for entry in placed if entry["service"] == server):
            for port in entry["ports"].values():
                for client in port["clients"]:
                    dialled.setdefault(client, set()).add(port["port"])
        lines += [f"  {_node(client)} -->|{_ports(list(dialled[client]))}| {_node(server)}" for client in dialled]
    lines += [f"  operator -.->|{ssh}| {host}" for host in hosts]
    return [*lines, "```"]


def _node(service: str) -> str:
    return service.replace("-", "_")


def table(cells: Sequence[Cell], version: int) -> list[str]:
    """Write the table of one IP version.

    Args:
        cells: The result of the filter `reachability`.
        version: 4 or 6.

    Returns:
        Lines of Markdown; containers that reach the same share a row.
    """
    chosen = [cell for cell in cells if cell["version"] == version]
    columns = sorted({(cell["to"], cell["network"]) for cell in chosen}, key=lambda column: (column[0], column[1]))
    edges = {host for host, network in columns if network == "edge"}
    rows: dict[tuple[str, ...], list[str]] = {}
    for source, on, kind in dict.fromkeys((cell["source"], cell["on"], cell["kind"]) for cell in chosen):
        known = {
            (cell["to"], cell["network"]): _ports(cell["ports"])
            for cell in chosen
            if (cell["source"], cell["on"]) == (source, on)
        }
        title: str = f"host {source}" if kind == "host" else _TITLES.get(kind) or source
        key = (kind if kind == "container" else title, *(known.get(column, "itself") for column in columns))
        rows.setdefault(key, []).append(title)
    heads = [f"{host} ({network})" if host in edges else host for host, network in columns]
    return [
        f"| IPv{version}: from … to | {' | '.join(heads)} |",
        "|---" * (len(heads) + 1) + "|",
        *(f"| {', '.join(titles)} | {' | '.join(key[1:])} |" for key, titles in rows.items()),
    ]


def section(services: Catalogue) -> str:
    """Compose what stands in the page between the two marks.

    Args:
        services: The catalogue.

    Returns:
        The diagram and the tables.
    """
    groups, hostvars = _read_lab()
    reachability = _load("reachability")
    placed = _load("topology").instances(services, groups, hostvars)
    cells = reachability.reachability(placed, hostvars, list(hostvars))
    drawn = diagram(services, placed, reachability.SSH)
    return "\n".join([*drawn, "", *table(cells, 4), "", *table(cells, 6), ""])


def page(text: str, services: Catalogue) -> str:
    """Put the section into the page.

    Args:
        text: The page as it is.
        services: The catalogue.

    Returns:
        The page as it ought to be.
    """
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{section(services)}\n{_END}{after}"


def main() -> int:
    """Write the page, or with --check say whether it is out of date.

    Returns:
        0, or 1 when --check found the page out of date.
    """
    text = PAGE.read_text()
    wanted = page(text, read_catalogue())
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(wanted)
    elif text != wanted:
        print("docs/firewall.md is out of date. Run tools/reachability_docs.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
