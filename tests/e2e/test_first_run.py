"""What check mode says of hosts on which nothing was deployed; tests/lanes/lab runs it before all others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lab import ROOT, Lab
from runs import Run, differences

# They serve every lab of this machine, and another one may have started them in between.
SHARED = {"shopfleet-registry", "shopfleet-registry-view"}


def traces(lab: Lab) -> str:
    """List what a deployment leaves on hosts."""
    places = ("/etc/shopfleet", "/etc/sysctl.d/zz-shopfleet.conf", "/var/lib/shopfleet")
    return "".join(lab.on(host, "find", *places, "-type", "f", check=False) for host in lab.hosts)


@pytest.fixture
def bare_lab(lab: Lab) -> Lab:
    """The lab's hosts and nothing on them."""
    subprocess.run(["ansible-playbook", "tests/bare_hosts.yml"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert traces(lab) == "", "the hosts are not bare; take them down with: ./fleet down -e purge=data"
    return lab


def test_the_first_run_does_what_check_mode_said(bare_lab: Lab, tmp_path: Path) -> None:
    foretold = Run(tmp_path, "deploy", "--check", "--diff").completed()
    assert traces(bare_lab) == ""
    done = Run(tmp_path, "deploy").completed()
    assert {entry["name"] for entry in bare_lab.containers} <= {change.thing for change in done.changes}
    surprises = differences(foretold.changes, done.changes)
    assert {change for change in surprises if change.thing not in SHARED} == set()
