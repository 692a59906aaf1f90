"""Who may talk to whom: open exactly where the catalogue says so, and after restarts too."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import Lab

Port = tuple[str, int]
_PROBE = (Path(__file__).parent / "probe.py").read_text()
# Beside what is published: ssh, and what a Docker daemon or a resolver might leave open.
_OTHER_PORTS = (22, 53, 111, 443, 2375, 2376, 33060)


def targets(lab: Lab) -> list[Port]:
    ports = {port["port"] for entry in lab.containers for port in entry["ports"].values()}
    ports |= {port["target"] for entry in lab.containers for port in entry["ports"].values()}
    addresses = {*lab.facts["addresses"].values(), lab.facts["edge"]}
    return [(address, port) for address in sorted(addresses) for port in sorted({*ports, *_OTHER_PORTS})]


def container_addresses(lab: Lab) -> dict[str, str]:
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return {
        entry["name"]: lab.on(entry["host"], "docker", "inspect", "--format", form, entry["name"]).strip()
        for entry in lab.containers
    }


def assert_routed_here(lab: Lab, address: str) -> None:
    """No probe may leave this machine: its target must be on a bridge of the lab."""
    route = json.loads(subprocess.check_output(["ip", "-json", "route", "get", address]))[0]
    assert route["dev"].startswith(f"{lab.name[:10]}-"), f"{address} is not in the lab: {route}"


def opened(output: str) -> set[Port]:
    return {(address, port) for address, port in json.loads(output)}


def from_network(lab: Lab, network: str, wanted: list[Port], routes: dict[str, str] | None = None) -> set[Port]:
    """Probe from a stranger's machine on one of the lab's networks.

    `routes` maps addresses behind a host to that host's address.
    """
    for address in {address for address, _ in wanted if address not in (routes or {})} | set((routes or {}).values()):
        assert_routed_here(lab, address)
    add_routes = "".join(f"ip route add {address} via {gateway}; " for address, gateway in (routes or {}).items())
    script = f'{add_routes}exec python3 -c "$1" "$2"'
    options = ["--rm", f"--network={lab.name}-{network}", "--cap-add=NET_ADMIN", "--entrypoint=sh"]
    program = ["-ec", script, "sh", _PROBE, json.dumps(wanted)]
    command = ["docker", "run", *options, lab.image, *program]
    return opened(subprocess.check_output(command, text=True, timeout=120))


def from_container(lab: Lab, name: str, wanted: list[Port]) -> set[Port]:
    """Probe from inside a container's network namespace."""
    for address, _ in wanted:
        assert_routed_here(lab, address)
    host = lab.host_of(name)
    process = lab.on(host, "docker", "inspect", "--format", "{{.State.Pid}}", name).strip()
    return opened(lab.on(host, "nsenter", "--target", process, "--net", "python3", "-c", _PROBE, json.dumps(wanted)))


def allowed_to(lab: Lab, client: str) -> set[Port]:
    return {
        (port["address"], port["port"])
        for entry in lab.containers
        for port in entry["ports"].values()
        if client in port["clients"]
    }


def assert_walls_stand(lab: Lab) -> None:
    wanted = targets(lab)
    assert from_network(lab, "edge", wanted) == allowed_to(lab, "outside")
    assert from_network(lab, "internal", wanted) == set()


def test_the_rules_are_loaded(lab: Lab) -> None:
    for host in lab.hosts:
        assert "policy drop" in lab.on(host, "nft", "list", "chain", "inet", "shopfleet", "prerouting")


def test_outsiders_reach_the_shop_and_nothing_else(lab: Lab) -> None:
    assert_walls_stand(lab)


def test_a_stranger_in_the_internal_subnet_cannot_route_to_containers(lab: Lab) -> None:
    behind = container_addresses(lab)
    routes = {behind[entry["name"]]: lab.facts["addresses"][entry["host"]] for entry in lab.containers}
    # Containers on different hosts may have the same address: ask host by host.
    for host in lab.hosts:
        names = [entry["name"] for entry in lab.containers if entry["host"] == host]
        wanted = [
            (behind[entry["name"]], port["target"])
            for entry in lab.containers
            if entry["name"] in names
            for port in entry["ports"].values()
        ]
        assert from_network(lab, "internal", wanted, {behind[name]: routes[behind[name]] for name in names}) == set()


@pytest.mark.parametrize("service", ["haproxy", "web", "admin", "api", "admin-api", "redis", "mysql"])
def test_a_container_reaches_what_its_service_may_and_nothing_else(lab: Lab, service: str) -> None:
    for entry in lab.containers_of(service):
        assert from_container(lab, entry["name"], targets(lab)) == allowed_to(lab, service)


def test_the_walls_are_seen_to_fall(lab: Lab) -> None:
    """The probe can tell: with one host's rules gone, it finds what they kept closed."""
    lab.on("db1", "nft", "flush", "chain", "inet", "shopfleet", "prerouting")
    lab.on("db1", "nft", "chain", "inet", "shopfleet", "prerouting", "{ policy accept; }")
    try:
        found = from_network(lab, "internal", targets(lab))
    finally:
        lab.on("db1", "systemctl", "reload", "shopfleet-firewall")
    mysql = lab.containers_of("mysql")[0]["ports"]["mysql"]
    assert (mysql["address"], mysql["port"]) in found
    assert_walls_stand(lab)


def test_the_walls_stand_after_a_restart_of_docker(lab: Lab, eventually: Callable[..., None]) -> None:
    for host in lab.hosts:
        lab.on(host, "systemctl", "restart", "docker")
    eventually(lambda: not lab.unhealthy(), 90)
    assert_walls_stand(lab)


def test_the_walls_and_the_shop_stand_after_a_restart_of_the_hosts(lab: Lab, eventually: Callable[..., None]) -> None:
    for host in lab.hosts:
        subprocess.run(["docker", "restart", lab.container_of(host)], check=True, capture_output=True, timeout=120)
    eventually(lambda: not lab.unhealthy(), 120)
    assert_walls_stand(lab)
