"""What follows from the service catalogue and an inventory."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from plugin import load

topology = load("filter/topology.py")

SERVICES: dict[str, dict[str, Any]] = {
    "mysql": {"group": "db", "tier": "data", "ports": {"mysql": {"port": 3306, "clients": ["api", "migrate"]}}},
    "migrate": {"group": "api", "tier": "job"},
    "api": {"group": "api", "tier": "app", "ports": {"http": {"port": 5001, "target": 8080, "clients": ["haproxy"]}}},
    "web": {
        "group": "web",
        "tier": "app",
        "instances": 3,
        "ports": {"http": {"port": 8081, "target": 8080, "clients": ["haproxy"]}},
    },
    "haproxy": {
        "group": "lb",
        "tier": "app",
        "ports": {
            "http": {"port": 80, "network": "edge", "clients": ["outside"]},
            "api": {"port": 5001, "clients": ["web"]},
        },
    },
}
ONE_HOST_EACH = {"db": ["db1"], "api": ["api1"], "web": ["web1"], "lb": ["lb1"]}
HOSTVARS: dict[str, dict[str, Any]] = {
    "db1": {"internal_address": "198.51.100.14"},
    "api1": {"internal_address": "198.51.100.13"},
    "api2": {"internal_address": "198.51.100.23"},
    "web1": {"internal_address": "198.51.100.12"},
    "web2": {"internal_address": "198.51.100.22"},
    "web3": {"internal_address": "198.51.100.32"},
    "lb1": {"internal_address": "198.51.100.11", "edge_address": "203.0.113.11"},
}
OPERATORS = ["198.51.100.1"]


def place(groups: dict[str, list[str]]) -> list[dict[str, Any]]:
    placed: list[dict[str, Any]] = topology.instances(SERVICES, groups, HOSTVARS)
    return placed


def where(groups: dict[str, list[str]], service: str) -> list[tuple[str, str, list[str]]]:
    found = [entry for entry in place(groups) if entry["service"] == service]
    return [(entry["name"], entry["host"], entry["published"]) for entry in found]


def test_instances_share_one_host_on_ports_of_their_own() -> None:
    assert where(ONE_HOST_EACH, "web") == [
        ("web-1", "web1", ["198.51.100.12:8081:8080"]),
        ("web-2", "web1", ["198.51.100.12:8082:8080"]),
        ("web-3", "web1", ["198.51.100.12:8083:8080"]),
    ]


def test_instances_are_dealt_out_over_the_hosts_of_the_group() -> None:
    groups = ONE_HOST_EACH | {"web": ["web1", "web2", "web3"]}
    assert [(name, host) for name, host, _ in where(groups, "web")] == [
        ("web-1", "web1"),
        ("web-2", "web2"),
        ("web-3", "web3"),
    ]


def test_other_services_run_on_each_host_and_a_job_on_one() -> None:
    groups = ONE_HOST_EACH | {"api": ["api1", "api2"]}
    assert [(name, host) for name, host, _ in where(groups, "api")] == [("api", "api1"), ("api", "api2")]
    assert [(name, host) for name, host, _ in where(groups, "migrate")] == [("migrate", "api1")]


def test_the_edge_port_is_published_on_the_edge_address_only() -> None:
    assert where(ONE_HOST_EACH, "haproxy") == [("haproxy", "lb1", ["203.0.113.11:80:80", "198.51.100.11:5001:5001"])]


def test_the_edge_port_is_published_over_ipv6_too_where_the_host_has_such_an_address() -> None:
    hostvars = HOSTVARS | {"lb1": HOSTVARS["lb1"] | {"edge_address6": "2001:db8::11"}}
    (haproxy,) = (e for e in topology.instances(SERVICES, ONE_HOST_EACH, hostvars) if e["service"] == "haproxy")
    assert haproxy["published"] == ["203.0.113.11:80:80", "[2001:db8::11]:80:80", "198.51.100.11:5001:5001"]


def test_haproxy_servers_have_unique_names() -> None:
    groups = ONE_HOST_EACH | {"api": ["api1", "api2"]}
    assert topology.backend_servers(place(groups), "api", "http") == [
        {"name": "api.api1", "endpoint": "198.51.100.13:5001"},
        {"name": "api.api2", "endpoint": "198.51.100.23:5001"},
    ]


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (ONE_HOST_EACH | {"db": []}, "needs at least one host in the inventory group 'db'"),
        ({key: value for key, value in ONE_HOST_EACH.items() if key != "lb"}, "the inventory group 'lb'"),
    ],
)
def test_a_group_without_hosts_is_named(groups: dict[str, list[str]], sentence: str) -> None:
    with pytest.raises(AnsibleFilterError, match=sentence):
        place(groups)


def test_a_name_too_long_for_a_bridge_is_refused() -> None:
    services = {"recommendation": SERVICES["api"]}
    with pytest.raises(AnsibleFilterError, match="15 characters"):
        topology.instances(services, ONE_HOST_EACH, HOSTVARS)


def test_contradictions_of_the_inventory_are_all_named() -> None:
    hostvars = HOSTVARS | {"web1": {"internal_address": "198.51.100.13"}}
    services = SERVICES | {
        "admin": {"group": "web", "tier": "app", "ports": {"http": {"port": 8082, "clients": ["nobody"]}}},
    }
    faults = topology.inventory_faults(services, ONE_HOST_EACH, hostvars, [])
    assert len(faults) == 4
    assert "operator_addresses is empty" in faults[0]
    assert "both have the internal_address 198.51.100.13" in faults[1]
    assert "admin and web-2 both publish port 8082 on 198.51.100.13" in faults[2]
    assert "a client 'nobody' that is no service" in faults[3]


def test_an_address_of_the_other_ip_version_is_refused() -> None:
    hostvars = HOSTVARS | {"lb1": HOSTVARS["lb1"] | {"edge_address6": "203.0.113.11"}}
    assert topology.inventory_faults(SERVICES, ONE_HOST_EACH, hostvars, OPERATORS) == [
        "edge_address6 of 'lb1' is '203.0.113.11', which is no IPv6 address"
    ]


def test_a_sound_inventory_has_no_faults() -> None:
    assert topology.inventory_faults(SERVICES, ONE_HOST_EACH, HOSTVARS, OPERATORS) == []
