"""Containers run as the catalogue describes them, with no more rights than they need."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testinfra.host import Host

USERS = {"redis": "999", "mysql": "999"}
CONTAINERS = {"front": ["redis"], "back": ["mysql"]}


@pytest.fixture
def container(host: Host) -> dict[str, Any]:
    name = host.check_output("docker ps --all --format '{{.Names}}'")
    assert [name] == CONTAINERS[host.ansible.get_variables()["inventory_hostname"]]
    details: list[dict[str, Any]] = json.loads(host.check_output(f"docker inspect {name}"))
    return details[0]


def test_is_alive(container: dict[str, Any]) -> None:
    assert container["State"]["Running"]
    assert container["RestartCount"] == 0


def test_has_no_rights_beyond_its_work(container: dict[str, Any]) -> None:
    settings = container["HostConfig"]
    assert container["Config"]["User"] == USERS[container["Name"].removeprefix("/")]
    assert settings["ReadonlyRootfs"]
    assert settings["CapDrop"] == ["ALL"]
    assert not settings["CapAdd"]
    assert not settings["Privileged"]
    assert "no-new-privileges:true" in settings["SecurityOpt"]


def test_has_limits_and_comes_back_after_a_crash(container: dict[str, Any]) -> None:
    settings = container["HostConfig"]
    assert settings["Memory"] > 0
    assert settings["MemorySwap"] == settings["Memory"]
    assert settings["NanoCpus"] > 0
    assert settings["CpuShares"] > 0
    assert settings["PidsLimit"] > 0
    assert settings["RestartPolicy"]["Name"] == "unless-stopped"


def test_is_published_on_the_internal_address_only(container: dict[str, Any], host: Host) -> None:
    bindings = [binding for port in container["HostConfig"]["PortBindings"].values() for binding in port]
    assert {binding["HostIp"] for binding in bindings} == {host.ansible.get_variables()["ansible_host"]}


def test_has_a_bridge_of_its_own(container: dict[str, Any], host: Host) -> None:
    name = container["Name"].removeprefix("/")
    assert list(container["NetworkSettings"]["Networks"]) == [f"shopfleet-{name}"]
    assert host.interface(f"br-{name}").exists


def test_shows_no_secret_in_its_settings(container: dict[str, Any], host: Host) -> None:
    name = container["Name"].removeprefix("/")
    secret = "redis_password" if name == "redis" else "mysql_root_password"
    secret_file = host.file(f"/etc/shopfleet/{name}/{secret}")
    assert secret_file.mode == 0o400
    assert secret_file.uid == 999
    assert secret_file.content_string not in json.dumps(container)
