"""What follows from the service catalogue and an inventory."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from plugin import ROOT, load

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


def faults(services: dict[str, dict[str, Any]], groups: dict[str, list[str]] = ONE_HOST_EACH) -> list[str]:
    found: list[str] = topology.inventory_faults(SERVICES | services, groups, HOSTVARS)
    return found


def test_a_sound_inventory_has_no_faults() -> None:
    assert faults({}) == []


def test_every_group_without_hosts_is_named_with_what_would_run_there() -> None:
    assert faults({}, {"db": [], "web": ["web1"]}) == [
        "the inventory group 'db' has no host, and mysql would run there: add one",
        "the inventory group 'api' has no host, and migrate, api would run there: add one",
        "the inventory group 'lb' has no host, and haproxy would run there: add one",
    ]


def test_two_containers_on_one_port_are_refused() -> None:
    admin = {"group": "web", "tier": "app", "ports": {"http": {"port": 8082}}}
    assert faults({"admin": admin}) == [
        "'http' of admin and 'http' of web-2 both publish port 8082 on 198.51.100.12: give one of them another port"
    ]


def test_two_ports_of_one_container_are_told_apart_too() -> None:
    twice = {"group": "db", "tier": "app", "ports": {"http": {"port": 80}, "stats": {"port": 80}}}
    assert faults({"twice": twice}) == [
        "'stats' of twice and 'http' of twice both publish port 80 on 198.51.100.14: give one of them another port"
    ]


def test_the_port_of_ssh_is_left_to_ssh() -> None:
    (fault,) = faults({"shell": {"group": "db", "tier": "app", "ports": {"ssh": {"port": 22}}}})
    assert fault == "shell publishes port 22, by which 'db1' is administered: give it another port"


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    (fault,) = faults({"odd": {"group": "db", "tier": "app", "ports": {"http": {"port": port}}}})
    assert fault == f"odd publishes port {port}: take one from 1 to 65535"


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        ({"group": "db", "tier": "app", "instance": 3}, "has a key 'instance' that nothing reads"),
        ({"tier": "app"}, "names no group: give it one"),
        ({"group": "db", "tier": "front"}, "is of no tier: write data, job or app"),
        (
            {"group": "db", "tier": "app", "ports": {"http": {"port": 80, "client": "web"}}},
            "has a key 'client' that nothing reads",
        ),
        (
            {"group": "db", "tier": "app", "ports": {"http": {"port": 80, "clients": ["nobody"]}}},
            "names a client 'nobody' that is no service of the catalogue: correct the name",
        ),
    ],
)
def test_a_service_that_is_described_wrongly_is_refused(service: dict[str, Any], sentence: str) -> None:
    (fault,) = faults({"new": service})
    assert sentence in fault


def test_every_key_that_the_catalogue_explains_is_known() -> None:
    defaults = ROOT / "roles" / "catalogue" / "defaults" / "main" / "services.yml"
    services = yaml.safe_load(defaults.read_text())["catalogue_services"]
    assert {key for service in services.values() for key in service} <= topology._KEYS
    explained = re.findall(r"^#   (\w.*?)  ", defaults.read_text(), re.MULTILINE)
    assert {key for keys in explained for key in keys.split(", ")} == topology._KEYS
