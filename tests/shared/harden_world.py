"""What the tests of the hardening roles have in common: logging in, and running the roles with other settings."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "molecule" / "harden"
SSH_SETTINGS = "/etc/ssh/sshd_config.d/00-shopfleet.conf"
SYSCTL = "/etc/sysctl.d/zz-shopfleet.conf"


def log_in(variables: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Open a connection of its own to a host, past those that are kept open.

    Args:
        variables: The host's variables.
        options: Further settings of ssh.

    Returns:
        What came of it; "in" is written on success.
    """
    plain = ["ControlPath=none", "BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=no"]
    settings = [*plain, "UserKnownHostsFile=/dev/null", *options]
    arguments = [argument for setting in settings for argument in ("-o", setting)]
    return subprocess.run(
        [
            "ssh",
            *arguments,
            "-i",
            variables["ansible_ssh_private_key_file"],
            f"root@{variables['ansible_host']}",
            "echo in",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def converge(host: str, *settings: str) -> subprocess.CompletedProcess[str]:
    """Run the roles again on one host with other settings.

    Args:
        host: The host's name.
        settings: As `name=value` or as JSON.

    Returns:
        What came of it.
    """
    extra = [argument for setting in settings for argument in ("-e", setting)]
    return subprocess.run(
        ["ansible-playbook", str(SCENARIO / "converge.yml"), "--limit", host, *extra],
        env=os.environ | {"ANSIBLE_INVENTORY": os.environ["MOLECULE_INVENTORY_FILE"], "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
