"""The rules are in force: what they name is open, all else is closed, from outside and from containers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from firewall_world import (
    ADMIN,
    COMMAND,
    NEIGHBOUR,
    SHOP,
    UNUSED,
    Intruder,
    address_of,
    container_address,
    deploy,
    dialled,
    eventually,
    is_open,
    no_walls,
    raise_neighbour,
    raise_world,
    raze_world,
    restart,
)
from testinfra.host import Host


@pytest.fixture(scope="module", autouse=True)
def world(host: Host) -> Iterator[None]:
    raze_world(host)
    raise_world(host)
    yield
    raze_world(host)


@pytest.fixture(autouse=True)
def fresh_start_limits(host: Host) -> None:
    """Docker's unit may be started three times a minute, which several tests together would exceed."""
    host.check_output("systemctl reset-failed")


@pytest.fixture
def address(host: Host) -> str:
    return address_of(host)


def assert_walls_stand(host: Host) -> None:
    """The shop is open to the network, and to its container the port of admin; nothing else."""
    address = address_of(host)
    eventually(lambda: is_open(address, SHOP))
    assert not is_open(address, ADMIN)
    assert reached_by_containers(host) == {"shop": {(address, ADMIN)}, "admin": set()}


def reached_by_containers(host: Host) -> dict[str, set[tuple[str, int]]]:
    """What each of the two containers can open: ports of the host, and of the other one past it."""
    gateways = "docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' shop admin"
    hosts = [address_of(host), *host.check_output(gateways).split()]
    ports = [(target, port) for target in hosts for port in (SHOP, ADMIN, 22)]
    others = {"shop": "admin", "admin": "shop"}
    return {
        name: dialled(host, f"docker exec {name}", [*ports, (container_address(host, other), 80)])
        for name, other in others.items()
    }


def test_only_what_is_named_is_open(host: Host) -> None:
    assert_walls_stand(host)


def test_a_missing_wall_is_seen_from_outside_and_from_a_container(host: Host, address: str) -> None:
    with no_walls(host):
        assert is_open(address, ADMIN)
        assert {(address, SHOP), (address, 22)} < reached_by_containers(host)["admin"]
    assert_walls_stand(host)


def test_ipv6_is_told_apart_by_sender_too(host: Host) -> None:
    ports: list[tuple[str, int]] = [("fd72::1", SHOP), ("fd72::1", 22)]
    assert dialled(host, NEIGHBOUR, ports) == {("fd72::1", SHOP)}
    move = "ip -n neighbour addr del fd72::{}/64 dev eth0; ip -n neighbour addr add fd72::{}/64 dev eth0 nodad"
    host.check_output(move.format(2, 3))
    try:
        assert dialled(host, NEIGHBOUR, ports) == set()
        with no_walls(host):
            assert dialled(host, NEIGHBOUR, ports) == set(ports)
    finally:
        host.check_output(move.format(3, 2))


def test_a_sender_who_forges_an_address_is_not_heard(host: Host, address: str) -> None:
    forged = address.rsplit(".", 1)[0] + f".{UNUSED}"
    process = host.check_output("docker inspect --format '{{.State.Pid}}' shop")

    dial = f"import socket; socket.create_connection(('{address}', {SHOP}), 1, ('{forged}', 0))"

    def heard() -> bool:
        host.run(f"{NEIGHBOUR} python3 -c %s", dial)
        return forged in host.check_output(f"nsenter --target {process} --net ss -Htn state syn-recv")

    assert not heard()
    rules = host.check_output("nft -a list chain inet shopfleet prerouting").splitlines()
    handle = next(line.split()[-1] for line in rules if "fib saddr" in line)
    host.check_output(f"nft delete rule inet shopfleet prerouting handle {handle}")
    try:
        assert heard(), "without the rule, a forged address is as good as a true one"
    finally:
        host.check_output("systemctl reload shopfleet-firewall")


@pytest.mark.parametrize("backend", ["legacy", "none"])
def test_it_does_not_matter_how_docker_writes_its_own_rules(host: Host, backend: str) -> None:
    """Docker takes iptables' nft backend on these hosts by itself; here it takes another, or leaves rules alone."""
    if backend == "legacy":
        change, undo = (f"update-alternatives --set iptables /usr/sbin/iptables-{kind}" for kind in ("legacy", "nft"))
    else:
        change = 'echo \'{"iptables": false, "ip6tables": false}\' >/etc/docker/daemon.json'
        undo = "rm /etc/docker/daemon.json"
    host.check_output(f"{change}; systemctl restart docker")
    try:
        assert_walls_stand(host)
    finally:
        host.run("iptables-legacy -t nat -F; iptables-legacy -F; iptables-legacy -P FORWARD ACCEPT")
        host.check_output(f"{undo}; systemctl restart docker")
    assert_walls_stand(host)


def test_nobody_gets_in_while_docker_restarts(host: Host, address: str) -> None:
    with Intruder(address, ADMIN) as intruder:
        host.check_output("systemctl restart docker")
        assert_walls_stand(host)
    assert intruder.successes == 0


def test_docker_does_not_start_without_the_rules(host: Host) -> None:
    host.check_output("systemctl stop docker docker.socket")
    with no_walls(host):
        assert host.run("systemctl start docker").failed
    host.check_output("systemctl reset-failed docker; systemctl start docker")
    assert_walls_stand(host)


@pytest.mark.parametrize("action", ["restart", "reload"])
def test_nobody_gets_in_when_nftables_service_flushes_everything(host: Host, address: str, action: str) -> None:
    """Debian's unit takes Docker's rules, too; they come back, or the shop's containers could not be reached."""
    host.check_output("systemctl start nftables; nft add table inet theirs")
    with Intruder(address, ADMIN) as intruder:
        host.check_output(f"systemctl {action} nftables")
        assert "inet theirs" not in host.check_output("nft list tables")
        eventually(lambda: "dnat" in host.run("nft list table ip nat").stdout.lower())
        assert_walls_stand(host)
    assert intruder.successes == 0


def test_a_stop_of_nftables_service_takes_no_rules_away(host: Host) -> None:
    host.check_output("systemctl start nftables; systemctl stop nftables")
    assert_walls_stand(host)


def test_the_intruder_gets_in_by_debians_own_unit(host: Host, address: str) -> None:
    drop_in = "/etc/systemd/system/nftables.service.d/shopfleet-firewall.conf"
    host.check_output(f"mv {drop_in} /root/; systemctl daemon-reload")
    try:
        with Intruder(address, ADMIN) as intruder:
            host.check_output("systemctl restart nftables")
            eventually(lambda: intruder.successes > 0)
    finally:
        host.check_output(
            f"mv /root/shopfleet-firewall.conf {drop_in}; systemctl daemon-reload; systemctl restart nftables"
        )
    assert_walls_stand(host)


def test_rules_changed_by_hand_are_repaired_by_the_next_deploy(host: Host) -> None:
    before = host.check_output("nft -s list table inet shopfleet")
    host.check_output(f"nft insert rule inet shopfleet prerouting tcp dport {ADMIN} accept")
    run = deploy(host)
    assert run.returncode == 0, run.stdout
    assert host.check_output("nft -s list table inet shopfleet") == before


def test_what_another_version_of_the_rules_declared_does_not_outlive_it(host: Host) -> None:
    before = host.check_output("nft -s list table inet shopfleet")
    host.check_output(
        "nft add set inet shopfleet friends '{ type ipv4_addr; }'; "
        "nft add map inet shopfleet ways '{ type inet_service : verdict; }'; "
        "nft add chain inet shopfleet other; nft add element inet shopfleet ways '{ 80 : jump other }'; "
        "nft add chain inet shopfleet early '{ type filter hook prerouting priority raw; policy accept; }'; "
        "nft add rule inet shopfleet early tcp dport vmap @ways; "
        "nft insert rule inet shopfleet prerouting ip saddr @friends jump other"
    )
    host.check_output("systemctl reload shopfleet-firewall")
    assert host.check_output("nft -s list table inet shopfleet") == before


@pytest.mark.parametrize("damage", ["echo nonsense >>", ":>", "sed -i '$d'", "rm"])
def test_a_damaged_file_leaves_the_rules_in_force(host: Host, damage: str) -> None:
    files = "/etc/shopfleet/firewall.nft /etc/shopfleet/firewall.confirmed.nft"
    before = host.check_output("nft -s list table inet shopfleet")
    host.check_output(f"mkdir /root/good; cp {files} /root/good")
    try:
        for file in files.split():
            host.check_output(f"{damage} {file}")
        assert host.run(f"{COMMAND} try 60").failed
        assert host.run("systemctl reload shopfleet-firewall").failed
        assert host.check_output("nft -s list table inet shopfleet") == before
    finally:
        host.check_output("mv /root/good/* /etc/shopfleet; rmdir /root/good; systemctl reload shopfleet-firewall")
    assert_walls_stand(host)


def test_a_change_that_cuts_off_its_operator_is_taken_back(host: Host, address: str) -> None:
    # Not at the port of ssh: Debian 13's sshd shuts out who dials it over and over without logging in.
    with Intruder(address, SHOP) as customer:
        run = deploy(host, firewall_ingress=[], firewall_trial_seconds=8)
        assert run.returncode != 0
        assert "address to operator_addresses" in " ".join(run.stdout.split())
        eventually(lambda: is_open(address, 22))
    assert customer.successes < customer.attempts, "the rules were never in force"
    eventually(lambda: not host.file("/run/shopfleet-firewall.trial").exists)
    assert_walls_stand(host)
    assert deploy(host).returncode == 0, "the next deploy puts right what the last one got wrong"


def test_a_confirmation_that_comes_too_late_is_refused(host: Host) -> None:
    host.check_output(f"{COMMAND} try 1")
    eventually(lambda: not host.file("/run/shopfleet-firewall.trial").exists)
    refused = host.run(f"{COMMAND} confirm")
    assert refused.failed
    assert "add its address to operator_addresses" in refused.stderr


@pytest.mark.parametrize(
    ("obstacle", "remedy", "removal"),
    [
        ("mkdir /etc/ufw; echo ENABLED=yes >/etc/ufw/ufw.conf", "run 'ufw disable'", "rm -r /etc/ufw"),
        (
            "systemd-run --unit=firewalld sleep infinity",
            "run 'systemctl disable --now firewalld'",
            "systemctl stop firewalld",
        ),
        (
            "nft add table ip early; nft add chain ip early rewrite '{ type nat hook prerouting priority -160; }'",
            "the chain ip early rewrite rewrites addresses before the firewall has seen them",
            "nft delete table ip early",
        ),
    ],
    ids=["ufw", "firewalld", "an early chain"],
)
def test_other_firewall_software_that_would_break_the_promise_is_refused(
    host: Host, obstacle: str, remedy: str, removal: str
) -> None:
    try:
        host.check_output(obstacle)
        refused = host.run(f"{COMMAND} try 60")
    finally:
        host.run(removal)
    assert refused.failed
    assert remedy in refused.stderr
    assert not host.file("/run/shopfleet-firewall.trial").exists


def test_rules_of_others_do_not_open_what_is_closed_here(host: Host) -> None:
    host.check_output(
        "nft add table inet theirs; nft add chain inet theirs input '{ type filter hook prerouting priority raw; }'; "
        "nft add rule inet theirs input accept; iptables -I DOCKER-USER -j ACCEPT; iptables -I INPUT -j ACCEPT"
    )
    try:
        assert_walls_stand(host)
    finally:
        host.check_output(
            "nft delete table inet theirs; iptables -D DOCKER-USER -j ACCEPT; iptables -D INPUT -j ACCEPT"
        )


_CLIENT = """
import json, signal, urllib.request
def lost():
    names, values = [line.split() for line in open("/proc/net/netstat") if line.startswith("TcpExt")]
    return int(values[names.index("TCPSynRetrans")])
before, answers, failures, over = lost(), 0, 0, []
signal.signal(signal.SIGTERM, lambda *_: over.append(1))
while not over:
    try:
        with urllib.request.urlopen("http://[fd72::1]:8080/etc/hostname", timeout=20) as answer:
            answers += answer.status == 200
    except OSError:
        failures += 1
    if answers == 1:
        print("begun")
print(json.dumps({"answers": answers, "failures": failures, "lost": lost() - before}))
"""


def traffic_during(host: Host, change: str) -> dict[str, int]:
    """Ask for a page over and over while the change is made; count answers, failures and packets that got lost."""
    namespace = "--property=NetworkNamespacePath=/run/netns/neighbour"
    output = "--property=StandardOutput=file:/run/traffic"
    host.check_output("rm -f /run/traffic")
    host.check_output(
        f"systemd-run --quiet --collect --unit=traffic {namespace} {output} python3 -uc %s",
        _CLIENT,
    )
    eventually(lambda: "begun" in host.run("cat /run/traffic").stdout)
    host.check_output(f"{change}; systemctl stop traffic")
    counts: dict[str, int] = json.loads(host.check_output("tail -n 1 /run/traffic"))
    return counts


def test_no_request_fails_during_a_hundred_reloads(host: Host) -> None:
    counts = traffic_during(host, f"for n in $(seq 100); do {COMMAND} load; done")
    assert counts["answers"] > 100
    assert (counts["failures"], counts["lost"]) == (0, 0)
    emptied = "nft flush chain inet shopfleet prerouting; sleep 0.05"
    counts = traffic_during(host, f"for n in $(seq 40); do {emptied}; {COMMAND} load; sleep 0.1; done")
    assert counts["lost"] > 0, "rules that go before the new ones come are not noticed"


def test_nobody_gets_in_while_the_host_restarts(host: Host, address: str) -> None:
    with Intruder(address, ADMIN) as intruder:
        restart(host)
        assert_walls_stand(host)
    assert intruder.successes == 0
    raise_neighbour(host)
