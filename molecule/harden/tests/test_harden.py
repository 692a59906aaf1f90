"""A hardened host: only keys open it, Docker still works on it, and what is not the host's is left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harden_world import SYSCTL, log_in
from testinfra.host import Host

AUDIT_RULES = "/root/audit.rules"


@pytest.fixture
def variables(host: Host) -> dict[str, str]:
    found: dict[str, str] = host.ansible.get_variables()
    return found


def test_a_key_opens_the_host_and_nothing_else_is_accepted(variables: dict[str, str]) -> None:
    assert log_in(variables).stdout == "in\n"
    refused = log_in(variables, "PreferredAuthentications=none")
    assert "Permission denied (publickey)." in refused.stderr


def test_root_has_no_password(host: Host) -> None:
    assert host.user("root").password == "*"


@pytest.mark.parametrize(
    "old", ["KexAlgorithms=ecdh-sha2-nistp256,diffie-hellman-group14-sha256", "Ciphers=aes128-ctr,aes256-ctr"]
)
def test_algorithms_of_yesterday_are_refused(variables: dict[str, str], old: str) -> None:
    assert "no matching" in log_in(variables, old).stderr


def test_the_operators_agent_and_display_stay_with_the_operator(host: Host) -> None:
    in_force = host.check_output("sshd -T -C user=root,host=localhost,addr=127.0.0.1").splitlines()
    assert {"permitlisten none", "allowagentforwarding no", "x11forwarding no", "permituserenvironment no"} <= set(
        in_force
    )


@pytest.fixture
def inside(host: Host) -> Iterator[str]:
    """A network namespace on a bridge of Docker's, as a container has it."""
    # the link first: a namespace that goes takes it along only later
    remove = "ip link del one; ip netns del one; docker network rm one"
    host.run(remove)  # what an interrupted run has left
    try:
        host.check_output("docker network create --opt com.docker.network.bridge.name=br-one one")
        gateway = host.check_output("docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' one")
        address = gateway.rsplit(".", 1)[0] + ".9"
        host.check_output(
            "ip netns add one; ip link add one type veth peer name eth0 netns one; ip link set one master br-one up; "
            f"ip -n one addr add {address}/16 dev eth0; ip -n one link set eth0 up; "
            f"ip -n one route add default via {gateway}"
        )
        yield "ip netns exec one"
    finally:
        host.run(remove)


def test_containers_still_reach_other_machines_through_the_host(host: Host, inside: str) -> None:
    operator = host.check_output("ip -4 route show default").split()[2]
    assert host.run(f"{inside} ping -c 1 -W 5 {operator}").succeeded


def test_no_interface_takes_routes_from_strangers_not_even_a_new_one(host: Host, inside: str) -> None:
    assert inside
    interfaces = host.check_output("ls /proc/sys/net/ipv4/conf").split()
    assert "br-one" in interfaces
    wanted = {"accept_redirects": "0", "send_redirects": "0", "accept_source_route": "0", "rp_filter": "1"}
    found = {
        (interface, key): host.file(f"/proc/sys/net/ipv4/conf/{interface}/{key}").content_string.strip()
        for interface in interfaces
        for key in wanted
    }
    assert {place: value for place, value in found.items() if value != wanted[place[1]]} == {}


def test_a_system_container_leaves_the_machine_around_it_alone(host: Host) -> None:
    names = [line.split(" ")[0] for line in host.file(SYSCTL).content_string.splitlines() if not line.startswith("#")]
    assert names
    assert [name for name in names if not name.startswith("net.")] == []
    assert not host.file("/etc/modprobe.d/shopfleet.conf").exists
    assert not host.package("auditd").is_installed
    assert host.check_output("systemctl is-system-running") == "running"


@pytest.fixture
def auditctl(host: Host) -> str:
    """The program that loads audit rules, unpacked: installed, its units would fail in a system container."""
    host.check_output(
        "mkdir -p /root/audit && cd /root/audit && chown _apt . && "
        "apt-get download -qq auditd $(apt-cache depends auditd | sed -n 's/.*Depends: \\(libauparse.*\\)/\\1/p') && "
        "for package in *.deb; do dpkg -x $package .; done"
    )
    library = host.check_output("dirname $(find /root/audit -name 'libauparse.so.0')")
    program = host.check_output("find /root/audit -name auditctl")
    return f"LD_LIBRARY_PATH={library} {program}"


def refused(host: Host, auditctl: str, rules: str) -> list[str]:
    """Name the faults auditctl finds in rules, apart from that the kernel takes none from a container."""
    said = host.run(f"{auditctl} -R {rules}")
    lines = (said.stdout + said.stderr).splitlines()
    assert any("Operation not permitted" in line for line in lines)
    return [line for line in lines if "Operation not permitted" not in line and "There was an error" not in line]


def test_auditctl_understands_every_rule(host: Host, auditctl: str) -> None:
    rules = host.file(AUDIT_RULES).content_string
    assert "path=/run/docker.sock" in rules
    assert refused(host, auditctl, AUDIT_RULES) == []
    host.check_output(f"sed 's/ path=/ pth=/' {AUDIT_RULES} > /root/broken.rules")
    assert any("unknown field: pth" in line for line in refused(host, auditctl, "/root/broken.rules"))


def test_only_security_updates_are_installed_unattended(host: Host) -> None:
    settings = host.check_output("apt-config dump").splitlines()
    assert 'APT::Periodic::Unattended-Upgrade "1";' in settings
    assert 'Unattended-Upgrade::Automatic-Reboot "false";' in settings
    origins = [line for line in settings if line.startswith("Unattended-Upgrade::Origins-Pattern::")]
    assert [line.split(" ", 1)[1] for line in origins] == [
        '"origin=Debian,codename=${distro_codename}-security,label=Debian-Security";'
    ]
