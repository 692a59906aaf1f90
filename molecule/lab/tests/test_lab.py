"""What a host of the lab promises to the roles that set it up."""

from __future__ import annotations

import json
import os
import subprocess
from ipaddress import IPv4Address, IPv4Network

import pytest
from testinfra.host import Host

LAB = os.environ.get("MOLECULE_LAB", "shopfleet-molecule")
NETWORK = IPv4Network(os.environ.get("MOLECULE_SUBNET", "10.61.0.0/16"))
RELEASES = {"debian12": "12", "bare": "12", "debian13": "13"}


def name_of(host: Host) -> str:
    return str(host.ansible.get_variables()["inventory_hostname"])


def on_controller(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_boots_to_running_without_a_failed_unit(host: Host) -> None:
    assert host.check_output("systemctl is-system-running") == "running"


def test_has_the_release_that_was_asked_for(host: Host) -> None:
    assert host.system_info.distribution == "debian"
    assert host.system_info.release.split(".")[0] == RELEASES[name_of(host)]


def test_is_called_by_its_name(host: Host) -> None:
    assert host.check_output("hostname") == name_of(host)


def test_has_the_address_of_the_inventory_on_the_internal_network(host: Host) -> None:
    address = host.ansible.get_variables()["ansible_host"]
    assert IPv4Address(address) in list(NETWORK.subnets(new_prefix=24))[20]
    assert address in host.check_output("ip -4 -o address show")


def test_docker_is_there_where_it_is_prebaked(host: Host) -> None:
    if name_of(host) == "bare":
        assert not host.exists("dockerd")
    else:
        assert host.service("docker").is_running
        assert host.check_output("docker info --format '{{.Driver}}'") == "overlay2"


def test_brings_what_ansible_needs(host: Host) -> None:
    assert host.package("python3-apt").is_installed
    assert host.exists("sudo")
    assert host.service("ssh").is_running


def test_may_set_what_a_machine_may_set(host: Host) -> None:
    assert host.run("sysctl -w net.ipv4.ip_forward=1").rc == 0
    assert host.run("nft list ruleset").rc == 0


def test_resolves_names_by_the_machines_own_resolver(host: Host) -> None:
    container = f"{LAB}-{name_of(host)}"
    (details,) = json.loads(on_controller("docker", "inspect", container))
    with open("/etc/resolv.conf", encoding="utf-8") as resolv:  # noqa: PTH123
        own = resolv.read()
    assert all(server in own for server in details["HostConfig"]["Dns"])


def test_carries_the_labs_label(host: Host) -> None:
    listed = on_controller("docker", "ps", "--filter", f"label=shopfleet.lab={LAB}", "--format", "{{.Names}}")
    assert f"{LAB}-{name_of(host)}" in listed.split()


@pytest.mark.parametrize("file", ["/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"])
def test_shares_its_identity_with_no_other_host(host: Host, file: str) -> None:
    own = host.file(file).content_string
    for other in RELEASES.keys() - {name_of(host)}:
        assert on_controller("docker", "exec", f"{LAB}-{other}", "cat", file) != own
