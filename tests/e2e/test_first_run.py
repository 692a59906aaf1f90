"""A newcomer's first run, by docs/real-servers.md: bare hosts, the example's inventory filled in, an account with sudo.

tests/lanes/lab runs it before all others, and takes the hosts down after it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import ROOT, Lab, fleet
from runs import Run, differences

# They serve every lab of this machine, and another one may have started them in between.
SHARED = {"shopfleet-registry", "shopfleet-registry-view"}
_STATE = ROOT / ".fleet" / "lab"
_PASSWORD = "what sudo asks for"
_ACCOUNT = f"""
useradd --create-home --shell /bin/bash --groups sudo deploy
printf 'deploy:{_PASSWORD}\\n' | chpasswd
install -d -m 0700 -o deploy -g deploy /home/deploy/.ssh
install -m 0600 -o deploy -g deploy /root/.ssh/authorized_keys /home/deploy/.ssh/authorized_keys
"""


def traces(lab: Lab) -> str:
    """List what a deployment leaves on hosts."""
    places = ("/etc/shopfleet", "/etc/sysctl.d/zz-shopfleet.conf", "/var/lib/shopfleet")
    return "".join(lab.on(host, "find", *places, "-type", "f", check=False) for host in lab.hosts)


@pytest.fixture(scope="module")
def bare_lab(lab: Lab) -> Lab:
    """The lab's hosts and nothing on them but an account that becomes root by sudo, with a password."""
    subprocess.run(["ansible-playbook", "tests/bare_hosts.yml"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert traces(lab) == "", "the hosts are not bare; take them down with: ./fleet down -e purge=data"
    for host in lab.hosts:
        lab.on(host, "sh", "-e", stdin=_ACCOUNT)
    return lab


@pytest.fixture(scope="module")
def inventory(bare_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The example, copied and filled in, with a vault; given as the arguments that a verb takes for it."""
    folder = tmp_path_factory.mktemp("example") / "inventory-of-a-test"
    shutil.copytree(ROOT / "inventory" / "example", folder)
    edge = next(port["address"] for entry in bare_lab.containers_of("haproxy") for port in [entry["ports"]["http"]])
    filled = {"203.0.113.10": edge, "10.20.0.0/24": bare_lab.facts["internal_subnet"]}
    filled |= {"[198.51.100.7]": json.dumps(bare_lab.facts["operators"])}
    for number, host in enumerate(("lb1", "web1", "api1", "db1"), 11):
        address = bare_lab.facts["addresses"][host]
        filled |= {f"{host}.example.com": address, f"10.20.0.{number}": address}
    settings = folder / "group_vars" / "all" / "settings.yml"
    for file in (folder / "hosts.yml", settings):
        text = file.read_text()
        for example, value in filled.items():
            text = text.replace(example, value)
        file.write_text(text)
    vault = folder / "group_vars" / "all" / "vault.yml"
    vault.write_text(json.dumps({"ansible_become_password": _PASSWORD, "catalogue_admins": {"anna": "Seven8nine!ten"}}))
    key = folder.with_name("vault-password")
    key.write_text("open sesame")
    subprocess.run(["ansible-vault", "encrypt", "--vault-password-file", key, vault], check=True, capture_output=True)
    assert vault.read_text().startswith("$ANSIBLE_VAULT")
    ssh = f"-o UserKnownHostsFile={_STATE}/ssh_known_hosts"
    known = ["--private-key", str(_STATE / "id_ed25519"), "--ssh-common-args", ssh]
    yield ["-i", str(folder), "--vault-password-file", str(key), *known]
    shutil.rmtree(ROOT / ".fleet" / "secrets" / folder.name, ignore_errors=True)


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("wrong", "sudo does not take the password: correct ansible_become_password"),
        ("", "sudo asks for a password: type --ask-become-pass"),
    ],
)
def test_a_password_that_sudo_does_not_take_is_told_at_once(
    inventory: list[str], tmp_path: Path, password: str, told: str
) -> None:
    run = Run(tmp_path, "deploy", *inventory, "-e", json.dumps({"ansible_become_password": password}))
    assert run.process.wait(timeout=60) != 0
    assert told in run.output


def test_a_first_run_does_what_check_mode_said_and_the_shop_is_open(
    bare_lab: Lab, inventory: list[str], tmp_path: Path
) -> None:
    foretold = Run(tmp_path, "deploy", *inventory, "--check", "--diff").completed()
    assert traces(bare_lab) == ""
    done = Run(tmp_path, "deploy", *inventory).completed()
    assert {entry["name"] for entry in bare_lab.containers} <= {change.thing for change in done.changes}
    surprises = differences(foretold.changes, done.changes)
    assert {change for change in surprises if change.thing not in SHARED} == set()

    table = fleet("verify", *inventory)
    well = {line.split()[2] for line in table.splitlines() if "  ok  " in line}
    assert {"haproxy", "web-1", "mysql", "firewall"} <= well
    assert fleet("credentials", *inventory).split() == ["anna", "Seven8nine!ten"]
    root = f"root@{bare_lab.facts['addresses']['db1']}"
    ssh = ["ssh", "-o", "BatchMode=yes", *inventory[-1].split(), "-i", str(_STATE / "id_ed25519"), root, "true"]
    assert b"Permission denied" in subprocess.run(ssh, capture_output=True, check=False).stderr
