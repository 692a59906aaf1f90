"""A bare host has become a Docker host."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host


@pytest.fixture
def info(host: Host) -> dict[str, object]:
    facts: dict[str, object] = json.loads(host.check_output("docker info --format '{{json .}}'"))
    return facts


def test_docker_runs_now_and_at_boot(host: Host) -> None:
    assert host.service("docker").is_running
    assert host.service("docker").is_enabled


def test_containers_outlive_a_restart_of_the_daemon(info: dict[str, object]) -> None:
    assert info["LiveRestoreEnabled"] is True


def test_logs_are_bounded(info: dict[str, object], host: Host) -> None:
    assert info["LoggingDriver"] == "json-file"
    assert json.loads(host.file("/etc/docker/daemon.json").content_string)["log-opts"]["max-size"] == "10m"


def test_what_is_started_by_hand_gains_no_privileges_and_talks_to_no_neighbour(host: Host) -> None:
    assert json.loads(host.file("/etc/docker/daemon.json").content_string)["no-new-privileges"] is True
    option = '{{index .Options "com.docker.network.bridge.enable_icc"}}'
    assert host.check_output(f"docker network inspect --format '{option}' bridge") == "false"


def test_container_networks_take_16_addresses_of_the_pool(host: Host) -> None:
    host.check_output("docker network create probe")
    try:
        subnet = host.check_output("docker network inspect --format '{{(index .IPAM.Config 0).Subnet}}' probe")
    finally:
        host.check_output("docker network rm probe")
    assert subnet.startswith("172.31.")
    assert subnet.endswith("/28")


def test_nobody_answers_containers_name_lookups(host: Host) -> None:
    assert json.loads(host.file("/etc/docker/daemon.json").content_string)["dns"] == ["127.0.0.1"]


def test_ansibles_docker_modules_can_work(host: Host) -> None:
    assert host.run("python3 -c 'import requests'").rc == 0
