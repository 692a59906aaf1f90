"""The system that was verified is there, and one that lacks a part is not called well."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from testinfra.host import Host

ROOT = Path(__file__).resolve().parents[3]
EXPECTED = {
    "front": {"haproxy"},
    "back": {"web-1", "web-2", "web-3", "admin", "api", "admin-api", "redis", "mysql"},
}


def test_all_containers_are_healthy(host: Host) -> None:
    healthy = host.check_output("docker ps --filter health=healthy --format '{{.Names}}'").split()
    assert set(healthy) == EXPECTED[host.ansible.get_variables()["inventory_hostname"]]


def test_a_stopped_container_is_named(host: Host) -> None:
    if host.ansible.get_variables()["inventory_hostname"] == "back":
        host.check_output("docker stop web-2")
        done = subprocess.run(
            ["ansible-playbook", ROOT / "playbooks" / "verify.yml", "-e", "verify_retries=1"],
            env=os.environ | {"ANSIBLE_INVENTORY": os.environ["MOLECULE_INVENTORY_FILE"]},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert "Not healthy on back: web-2." in done.stdout
