"""The table of who reaches what, and the firewall's rules that come from it."""

from __future__ import annotations

from typing import Any

import pytest
from plugin import load

topology = load("filter/topology.py")
reachability = load("filter/reachability.py")

SERVICES: dict[str, dict[str, Any]] = {
    "mysql": {"group": "db", "tier": "data", "ports": {"mysql": {"port": 3306, "clients": ["api", "migrate"]}}},
    "migrate": {"group": "api", "tier": "job"},
    "api": {"group": "api", "tier": "app", "ports": {"http": {"port": 5001, "target": 8080, "clients": ["haproxy"]}}},
    "web": {"group": "web", "tier": "app", "instances": 2, "ports": {"http": {"port": 8081, "clients": ["haproxy"]}}},
    "haproxy": {
        "group": "lb",
        "tier": "app",
        "ports": {
            "http": {"port": 80, "network": "edge", "clients": ["outside"]},
            "api": {"port": 5001, "clients": ["web"]},
            "stats": {"port": 8404, "clients": []},
        },
    },
}
GROUPS = {"db": ["db1"], "api": ["api1"], "web": ["web1"], "lb": ["lb1"]}
HOSTVARS: dict[str, dict[str, Any]] = {
    "db1": {"internal_address": "198.51.100.14"},
    "api1": {"internal_address": "198.51.100.13"},
    "web1": {"internal_address": "198.51.100.12", "internal_address6": "2001:db8:20::12"},
    "lb1": {
        "internal_address": "198.51.100.11",
        "edge_address": "203.0.113.11",
        "internal_address6": "2001:db8:20::11",
        "edge_address6": "2001:db8:10::11",
    },
}
HOSTS = list(HOSTVARS)
OPERATORS = ["198.51.100.1", "2001:db8:20::/120"]
ANY4, ANY6 = "0.0.0.0/0", "::/0"
PLACED = topology.instances(SERVICES, GROUPS, HOSTVARS)
TABLE = reachability.reachability(PLACED, HOSTVARS, HOSTS)


def opens(host: str) -> set[tuple[str, str, int]]:
    rules = reachability.ingress(PLACED, host, HOSTVARS, OPERATORS)
    return {(rule["source"], rule["address"], rule["port"]) for rule in rules}


def dials(host: str) -> set[tuple[str, str, int]]:
    return {(rule["bridge"], rule["address"], rule["port"]) for rule in reachability.egress(PLACED, host)}


def open_to(source: str, address: str) -> list[int]:
    (cell,) = (cell for cell in TABLE if (cell["source"], cell["address"]) == (source, address))
    ports: list[int] = cell["ports"]
    return ports


def test_ingress_names_just_the_clients_hosts_and_the_operators() -> None:
    assert opens("web1") == {
        ("198.51.100.1", ANY4, 22),
        ("2001:db8:20::/120", ANY6, 22),
        ("198.51.100.11", "198.51.100.12", 8081),
        ("198.51.100.11", "198.51.100.12", 8082),
    }


def test_only_the_edge_port_is_open_to_everybody_and_only_on_the_edge_addresses() -> None:
    assert {rule for rule in opens("lb1") if rule[0] in (ANY4, ANY6)} == {
        (ANY4, "203.0.113.11", 80),
        (ANY6, "2001:db8:10::11", 80),
    }


def test_ssh_is_open_to_the_operators_on_every_address_and_on_the_port_that_the_inventory_names() -> None:
    hostvars = HOSTVARS | {"db1": HOSTVARS["db1"] | {"ansible_port": 2222}}
    rules = reachability.ingress(PLACED, "db1", hostvars, ["198.51.100.0/24"])
    assert [(rule["source"], rule["address"], rule["port"]) for rule in rules if "ssh" in rule["reason"]] == [
        ("198.51.100.0/24", ANY4, 2222)
    ]


def test_a_rule_that_several_services_need_is_written_once() -> None:
    rules = reachability.ingress(PLACED, "db1", HOSTVARS, OPERATORS)
    assert [rule["reason"] for rule in rules if rule["port"] == 3306] == ["api to mysql, migrate to mysql"]


def test_rules_of_a_family_go_from_narrow_to_wide_as_nft_takes_them() -> None:
    rules = [{"source": source} for source in (ANY4, "198.51.100.0/24", ANY6, "198.51.100.1")]
    narrow_first = [{"source": "198.51.100.1"}, {"source": "198.51.100.0/24"}, {"source": ANY4}]
    assert reachability.of_family(rules, 4, "source") == narrow_first


def test_no_rule_lets_in_what_a_host_would_send_to_itself() -> None:
    placed = topology.instances(SERVICES, GROUPS | {"db": ["api1"]}, HOSTVARS)
    sources = {rule["source"] for rule in reachability.ingress(placed, "api1", HOSTVARS, OPERATORS)}
    assert "198.51.100.13" not in sources


def test_egress_tells_containers_of_one_host_apart() -> None:
    assert dials("api1") == {("br-migrate", "198.51.100.14", 3306), ("br-api", "198.51.100.14", 3306)}


def test_a_database_may_dial_nobody() -> None:
    assert dials("db1") == set()


def test_the_table_has_a_cell_for_every_source_and_address_but_those_of_the_source_itself() -> None:
    sources = 3 + len(HOSTS) + len(PLACED)
    addresses = sum(len(variables) for variables in HOSTVARS.values())
    own = addresses
    assert len(TABLE) == sources * addresses - own
    assert len({(cell["source"], cell["on"], cell["address"]) for cell in TABLE}) == len(TABLE)


@pytest.mark.parametrize(
    ("source", "address", "ports"),
    [
        ("outside", "203.0.113.11", [80]),
        ("outside", "2001:db8:10::11", [80]),
        ("outside", "198.51.100.11", []),
        ("stranger", "203.0.113.11", [80]),
        ("stranger", "198.51.100.14", []),
        ("operator", "198.51.100.14", [22]),
        ("operator", "203.0.113.11", [22, 80]),
        ("operator", "2001:db8:20::11", [22]),
        ("web1", "198.51.100.11", [5001]),
        ("web1", "2001:db8:20::11", []),
        ("web1", "203.0.113.11", [80]),
        ("lb1", "198.51.100.12", [8081, 8082]),
        ("haproxy", "198.51.100.12", [8081, 8082]),
        ("haproxy", "203.0.113.11", []),
        ("web-1", "198.51.100.12", []),
        ("web-2", "198.51.100.11", [5001]),
        ("migrate", "198.51.100.14", [3306]),
        ("mysql", "198.51.100.13", []),
    ],
)
def test_a_cell_holds_just_what_the_catalogue_opens(source: str, address: str, ports: list[int]) -> None:
    assert open_to(source, address) == ports


def test_containers_of_one_name_on_two_hosts_are_two_sources() -> None:
    hostvars = HOSTVARS | {"api2": {"internal_address": "198.51.100.23"}}
    placed = topology.instances(SERVICES, GROUPS | {"api": ["api1", "api2"]}, hostvars)
    table = reachability.reachability(placed, hostvars, [*HOSTS, "api2"])
    found = {(cell["on"], cell["ports"][0]) for cell in table if cell["source"] == "api" and cell["ports"]}
    assert found == {("api1", 3306), ("api2", 3306)}
