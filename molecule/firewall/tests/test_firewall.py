"""The rules are in force: what they name is open, all else is closed, from outside and from containers."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from testinfra.host import Host

OPEN, CLOSED = 8080, 8081


@pytest.fixture
def address(host: Host) -> str:
    return str(host.ansible.get_variables()["ansible_host"])


@pytest.fixture(autouse=True)
def listeners(host: Host) -> Iterator[None]:
    for port in (OPEN, CLOSED):
        host.check_output(f"systemd-run --quiet --unit=listen-{port} python3 -m http.server {port}")
        host.check_output(f"for n in $(seq 50); do ss -ltn | grep -q :{port} && break; sleep 0.1; done")
    yield
    for port in (OPEN, CLOSED):
        host.run(f"systemctl stop listen-{port}")


def is_open(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


def test_only_what_is_named_is_open(address: str) -> None:
    assert is_open(address, OPEN)
    assert not is_open(address, CLOSED)


def test_the_test_sees_a_port_that_is_left_open(host: Host, address: str) -> None:
    host.check_output("nft chain inet shopfleet prerouting '{ policy accept; }'")
    host.check_output("nft flush chain inet shopfleet prerouting")
    try:
        assert is_open(address, CLOSED)
    finally:
        host.check_output("systemctl reload shopfleet-firewall")
    assert not is_open(address, CLOSED)


def test_a_containers_bridge_reaches_what_is_named_and_nothing_else(host: Host, address: str) -> None:
    host.check_output("docker network create --opt com.docker.network.bridge.name=br-one one")
    host.check_output(
        "ip netns add one; ip link add one type veth peer name eth0 netns one; ip link set one master br-one up"
    )
    gateway = host.check_output("docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' one")
    inside = gateway.rsplit(".", 1)[0] + ".9"
    host.check_output(
        f"ip -n one addr add {inside}/16 dev eth0; ip -n one link set eth0 up; "
        f"ip -n one route add default via {gateway}"
    )
    try:
        answers = {
            (target, port): host.run(
                f"ip netns exec one timeout 2 bash -c 'exec 3<>/dev/tcp/{target}/{port}'"
            ).succeeded
            for target in (address, gateway)
            for port in (OPEN, CLOSED, 22)
        }
    finally:
        host.run("ip netns del one; docker network rm one")
    assert {socket for socket, answer in answers.items() if answer} == {(address, OPEN)}


def test_the_rules_are_loaded_before_docker_at_boot(host: Host) -> None:
    assert host.service("shopfleet-firewall").is_enabled
    unit = host.check_output("systemctl show docker.service --property=After --property=ExecStartPre")
    assert "shopfleet-firewall.service" in unit
    assert "nft list chain inet shopfleet prerouting" in unit


def test_a_file_that_does_not_load_leaves_the_old_rules_in_force(host: Host, address: str) -> None:
    host.check_output("cp /etc/shopfleet/firewall.nft /root/good.nft; echo nonsense >> /etc/shopfleet/firewall.nft")
    try:
        assert host.run("systemctl reload shopfleet-firewall").failed
        assert is_open(address, OPEN)
        assert not is_open(address, CLOSED)
    finally:
        host.check_output("mv /root/good.nft /etc/shopfleet/firewall.nft; systemctl reload shopfleet-firewall")
