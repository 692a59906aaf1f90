"""The system that was verified is there, and one that lacks a part is not called well."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from time import monotonic, sleep

from testinfra.host import Host

ROOT = Path(__file__).resolve().parents[3]
EXPECTED = {
    "front": {"haproxy"},
    "back": {"web-1", "web-2", "web-3", "admin", "api", "admin-api", "redis", "mysql"},
}


def test_all_containers_are_healthy(host: Host) -> None:
    expected = EXPECTED[host.ansible.get_variables()["inventory_hostname"]]

    def healthy() -> set[str]:
        return set(host.check_output("docker ps --filter health=healthy --format '{{.Names}}'").split())

    # Docker's own check comes ten seconds after the start of a container; verify has asked before.
    deadline = monotonic() + 30
    while healthy() != expected and monotonic() < deadline:
        sleep(1)
    assert healthy() == expected


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
        for line in (
            "back +NOT +web-2 +not healthy; read .docker logs web-2. there, and deploy again",
            "back +ok +web-1 +healthy",
            "front +NOT +shop page +never served by web-2",
        ):
            assert re.search(rf"^{line}$", done.stdout, re.MULTILINE), done.stdout
