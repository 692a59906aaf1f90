"""Settings that would lock the operator out are taken back, and so is what is switched off."""

from __future__ import annotations

import pytest
from harden_world import SSH_SETTINGS, SYSCTL, converge, log_in
from testinfra.host import Host


@pytest.fixture
def variables(host: Host) -> dict[str, str]:
    found: dict[str, str] = host.ansible.get_variables()
    return found


def test_settings_that_would_shut_the_operator_out_are_taken_back(host: Host, variables: dict[str, str]) -> None:
    before = host.file(SSH_SETTINGS).content_string
    run = converge(variables["inventory_hostname"], '{"harden_ssh_settings": {"DenyUsers": "root"}}')
    assert run.returncode != 0
    assert "The ssh settings were taken back: a new login was refused" in " ".join(run.stdout.split())
    assert log_in(variables).stdout == "in\n"
    assert host.file(SSH_SETTINGS).content_string == before
    assert host.file("/etc/ssh/sshd_config.d").listdir() == ["00-shopfleet.conf"]


def test_what_is_switched_off_is_taken_back(host: Host, variables: dict[str, str]) -> None:
    name = variables["inventory_hostname"]
    off = [f"harden_{role}_enabled=false" for role in ("ssh", "kernel", "audit", "updates")]
    try:
        run = converge(name, *off)
        assert run.returncode == 0, run.stdout
        for file in (SSH_SETTINGS, SYSCTL, "/etc/apt/apt.conf.d/52shopfleet-updates"):
            assert not host.file(file).exists
        offered = log_in(variables, "PreferredAuthentications=none").stderr
        assert "Permission denied (publickey,password)." in offered
    finally:
        assert converge(name).returncode == 0
