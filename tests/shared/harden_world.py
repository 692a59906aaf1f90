"""What the tests of the hardening roles have in common: logging in, and running the roles with other settings."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "molecule" / "harden"
KEY = ROOT / ".fleet/molecule" / os.environ.get("MOLECULE_LAB", "shopfleet-molecule") / "id_ed25519"
SSH_SETTINGS = "/etc/ssh/sshd_config.d/00-shopfleet.conf"
SYSCTL = "/etc/sysctl.d/zz-shopfleet.conf"


def log_in(address: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a connection of its own, past those that are kept open."""
    plain = ["ControlPath=none", "BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=no"]
    settings = [*plain, "UserKnownHostsFile=/dev/null", *options]
    arguments = [argument for setting in settings for argument in ("-o", setting)]
    return subprocess.run(
        ["ssh", *arguments, "-i", str(KEY), f"root@{address}", "echo in"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def converge(host: str, *settings: str) -> subprocess.CompletedProcess[str]:
    """Run the roles again on one host with other settings."""
    extra = [argument for setting in settings for argument in ("-e", setting)]
    return subprocess.run(
        ["ansible-playbook", str(SCENARIO / "converge.yml"), "--limit", host, *extra],
        env=os.environ | {"ANSIBLE_INVENTORY": os.environ["MOLECULE_INVENTORY_FILE"], "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
