"""Hosts in states that people leave them in: each is told with its remedy, and all at once."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]
LAB = os.environ.get("MOLECULE_LAB", "shopfleet-molecule")
# A Python for which it is tomorrow, in all that it asks the system.
TOMORROW = "/usr/local/bin/python3-tomorrow"


@dataclass(frozen=True)
class State:
    """What somebody left behind on a host.

    Attributes:
        host: Where.
        make: How it comes about; {internal} and {peer} are addresses.
        undo: How it goes away.
        told: What the run has to say of it, in one line.
        by_controller: Whether it is made from without.
    """

    host: str
    make: str
    undo: str
    told: tuple[str, ...]
    by_controller: bool = False


# Enough of an image for a container that does nothing.
IMAGE = (
    "tar --dereference -cC / usr/bin/sleep lib/x86_64-linux-gnu/libc.so.6 lib64/ld-linux-x86-64.so.2 "
    "| docker import - by-hand"
)
PACKAGE = """
mkdir -p /root/{name}/DEBIAN
printf 'Package: {name}\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody\\nDescription: by hand\\n' \
    >/root/{name}/DEBIAN/control
printf '#!/bin/sh\\nexit {code}\\n' >/root/{name}/DEBIAN/postinst
chmod 0755 /root/{name}/DEBIAN/postinst
dpkg-deb --build /root/{name} >/dev/null
dpkg --install /root/{name}.deb >/dev/null 2>&1 || test {code} != 0
"""
LEFT_BEHIND: dict[str, State] = {
    "a clock that is wrong": State(
        "front",
        "apt-get update -qq && apt-get install -qq -y libfaketime >/dev/null"
        " && printf '#!/bin/sh\\nexec env LD_PRELOAD=%s FAKETIME=+1d /usr/bin/python3 \"$@\"\\n'"
        " $(dpkg -L libfaketime | grep 'faketime.so') >" + TOMORROW + " && chmod 0755 " + TOMORROW,
        "rm " + TOMORROW,
        ("its clock is 24 h ahead of this machine's",),
    ),
    "a port in use": State(
        "front",
        "systemd-run --quiet --unit=squatter python3 -m http.server 5001",
        "systemctl stop squatter",
        ("port 5001 of {internal}, which haproxy is to have, is taken by python3: stop that there",),
    ),
    "a port that a container publishes": State(
        "front",
        "docker run --detach --name=wiki --publish={internal}:8404:80 by-hand sleep 1000",
        "docker rm --force wiki",
        ("port 8404 of {internal}, which haproxy is to have, is taken by the container wiki: type there: docker rm",),
    ),
    "a container with one of our names": State(
        "front",
        "docker create --name=haproxy by-hand sleep 1000",
        "docker rm haproxy",
        ("its container haproxy was made by hand", "type there: docker rename haproxy haproxy-by-hand"),
    ),
    "a network with one of our bridges": State(
        "front",
        "docker network create --opt com.docker.network.bridge.name=br-haproxy by-hand",
        "docker network rm by-hand",
        ("Docker's network by-hand has the bridge br-haproxy", "type there: docker network rm by-hand"),
    ),
    "an address that is gone": State(
        "front",
        "ip -6 -o address show dev eth0 scope global | tr -s ' ' | cut -d' ' -f4 >/root/address"
        " && ip address delete $(cat /root/address) dev eth0",
        "ip address add $(cat /root/address) dev eth0",
        ("it has no address fd53:", "correct internal_address6"),
    ),
    "a full disk": State(
        "back",
        "mount -t tmpfs -o size=50m by-hand /var/lib/docker",
        "umount /var/lib/docker",
        ("/var/lib/docker has 52 MB free, 1500 MB are needed: make room",),
    ),
    "a disk with too many files": State(
        "back",
        "mount -t tmpfs -o size=1g,nr_inodes=100 by-hand /var/lib/shopfleet",
        "umount /var/lib/shopfleet",
        ("/var/lib/shopfleet has room for 99 more files only",),
    ),
    "another Docker": State(
        "back",
        PACKAGE.format(name="docker-ce", code=0) + "mkdir -p /snap/bin && ln -s docker.snap /snap/bin/docker",
        "dpkg --purge docker-ce && rm -r /snap",
        ("a Docker that is not Debian's (docker-ce, /snap/bin/docker)", "type there: apt-get purge docker-ce"),
    ),
    "an interrupted installation": State(
        "back",
        PACKAGE.format(name="torn", code=1),
        "dpkg --purge --force-remove-reinstreq torn",
        ("dpkg was interrupted at torn: finish that with: dpkg --configure -a",),
    ),
    "a disk that can only be read": State(
        "back",
        "mount --bind /etc /etc && mount -o remount,bind,ro /etc",
        "umount /etc",
        ("/etc cannot be written to: mount it for writing",),
    ),
    "too little memory": State(
        "back",
        f"docker update --memory=1500m --memory-swap=1500m {LAB}-back",
        f"docker update --memory=16g --memory-swap=16g {LAB}-back",
        ("it has 1500 MiB of memory and its containers may take 2208: give it more",),
        by_controller=True,
    ),
    "another Debian": State(
        "back",
        "printf 'ID=debian\\nVERSION_ID=\"14\"\\n' >/root/release && mount --bind /root/release /usr/lib/os-release",
        "umount /usr/lib/os-release",
        ("it runs debian 14: install Debian 12 or 13",),
    ),
    "a network where Docker's are to be": State(
        "back",
        "ip link add vpn0 type bridge && ip address add 172.31.9.1/24 dev vpn0 && ip link set vpn0 up",
        "ip link delete vpn0",
        ("it reaches 172.31.9.0/24 through vpn0, and Docker would hide that: set docker_host_bridge_address",),
    ),
    "a way that leads elsewhere": State(
        "back",
        "ip route add {peer}/32 dev vpn0",
        "ip route delete {peer}/32",
        ("its way to {peer} of front leads through vpn0 ({peer}) and not through eth0",),
    ),
    "an interface with one of our names": State(
        "back",
        "ip link add br-web-1 type bridge",
        "ip link delete br-web-1",
        ("it has an interface br-web-1 that is not Docker's", "type there: ip link delete br-web-1"),
    ),
    "somebody where images come in": State(
        "back",
        "systemd-run --quiet --unit=squatter python3 -m http.server --bind 127.0.0.1 5010",
        "systemctl stop squatter",
        ("port 5010 of 127.0.0.1, which images come in by, is taken by python3: stop that there",),
    ),
}
# Names in the inventory that lead to a host in a way that does not work.
NO_WAY_IN: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": ({"ansible_user": "somebody"}, "Ansible works there without root's rights: set ansible_user to root"),
    "nosudo": (
        {"ansible_user": "somebody", "ansible_become": True},
        "Ansible cannot become root: let its account use sudo",
    ),
    "nopython": (
        {"ansible_python_interpreter": "/usr/bin/python3.99"},
        "its Python does not start: install python3, or correct ansible_python_interpreter",
    ),
    "nossh": ({"ansible_port": 2}, "ssh does not get in: see that it is up, and that ansible_host"),
}


def on(name: str) -> Host:
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=INVENTORY)


@pytest.fixture(scope="module")
def addresses() -> dict[str, dict[str, str]]:
    """What stands in braces above, by host."""
    internal = {name: str(on(name).ansible.get_variables()["ansible_host"]) for name in ("front", "back")}
    return {
        "front": {"internal": internal["front"], "peer": internal["back"]},
        "back": {"internal": internal["back"], "peer": internal["front"]},
    }


def precheck(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the role."""
    return subprocess.run(
        ["ansible-playbook", str(SCENARIO / "converge.yml"), "-i", INVENTORY, *arguments],
        # Molecule asks for colours where TERM has any, and Ansible puts that above its own wish for none.
        env=os.environ | {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def told_by(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Read the lines of the report; none where the run went through."""
    lines = done.stdout.partition("No host was changed, because of this:\n")[2].partition("\n\n")[0].splitlines()
    assert bool(lines) == bool(done.returncode), done.stdout + done.stderr
    return [line.strip() for line in lines]


@pytest.fixture(scope="module")
def somebody() -> Iterator[None]:
    """An account that gets in and may do nothing."""
    front = on("front")
    front.check_output(
        "useradd --create-home somebody && install -o somebody -m 0700 -d /home/somebody/.ssh"
        " && install -o somebody -m 0600 /root/.ssh/authorized_keys /home/somebody/.ssh"
    )
    yield
    front.check_output("userdel --force --remove somebody 2>/dev/null")


@pytest.fixture(scope="module")
def image() -> Iterator[None]:
    on("front").check_output(IMAGE)
    yield
    on("front").check_output("docker image rm by-hand")


def work(step: str, addresses: dict[str, dict[str, str]], stop: str = "") -> None:
    """Make or undo all of it, in one go on each host."""
    scripts: dict[tuple[str, bool], list[str]] = {}
    for state in LEFT_BEHIND.values():
        script = scripts.setdefault((state.host, state.by_controller), [])
        script.append(getattr(state, step).format(**addresses[state.host]))
    for (host, by_controller), lines in scripts.items():
        lines = lines if step == "make" else lines[::-1]
        runner = testinfra.get_host("local://") if by_controller else on(host)
        done = runner.run(f"sh {stop} -xc %s", "\n".join(lines))
        assert done.rc == 0 or not stop, done.stderr


@pytest.fixture(scope="module")
def report(
    addresses: dict[str, dict[str, str]], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """What one run says of all of it."""
    request.getfixturevalue("somebody")
    request.getfixturevalue("image")
    # Of a name that is given twice, the later inventory's variables count.
    hosts: dict[str, dict[str, Any]] = {"front": {"ansible_python_interpreter": TOMORROW}}
    for name, (variables, _) in NO_WAY_IN.items():
        hosts[name] = {"ansible_host": addresses["front"]["internal"]} | variables
    inventory = tmp_path_factory.mktemp("inventory") / "hosts.json"
    inventory.write_text(json.dumps({"lab": {"hosts": hosts}}))
    work("make", addresses, stop="-e")
    try:
        return told_by(precheck("-i", str(inventory)))
    finally:
        work("undo", addresses)


@pytest.mark.parametrize("left", LEFT_BEHIND)
def test_what_was_left_behind_is_told_with_its_remedy(
    report: list[str], addresses: dict[str, dict[str, str]], left: str
) -> None:
    state = LEFT_BEHIND[left]
    wanted = [part.format(**addresses[state.host]) for part in state.told]
    assert [line for line in report if line.startswith(f"{state.host}: ") and all(part in line for part in wanted)]


@pytest.mark.parametrize("name", NO_WAY_IN)
def test_a_host_that_cannot_be_worked_on_is_told_with_the_others(report: list[str], name: str) -> None:
    (line,) = [line for line in report if line.startswith(f"{name}: ")]
    assert NO_WAY_IN[name][1] in line


def test_nothing_else_is_told(report: list[str]) -> None:
    assert len(report) == len(LEFT_BEHIND) + len(NO_WAY_IN), report


@pytest.mark.usefixtures("report")
def test_when_all_is_put_right_the_run_goes_on_in_check_mode_too() -> None:
    assert told_by(precheck("--check", "--diff")) == []
    assert not on("back").exists("dockerd")


@pytest.mark.usefixtures("image")
def test_a_container_of_ours_may_have_stopped_but_not_be_paused() -> None:
    front = on("front")
    front.check_output("docker run --detach --label=shopfleet.service=haproxy --name=haproxy by-hand sleep 1000")
    try:
        front.check_output("docker pause haproxy")
        assert told_by(precheck()) == ["front: its container haproxy is paused: type there: docker unpause haproxy."]
        front.check_output("docker unpause haproxy && docker kill haproxy")
        assert told_by(precheck()) == []
    finally:
        front.check_output("docker rm --force haproxy")


@pytest.mark.usefixtures("image")
def test_a_docker_that_is_stopped_is_looked_into_and_stays_stopped() -> None:
    front = on("front")
    front.check_output("docker create --name=haproxy by-hand sleep 1000 && systemctl stop docker.service")
    try:
        (told,) = told_by(precheck())
        assert "its container haproxy was made by hand" in told
        assert not front.service("docker").is_running
        front.check_output('printf \'{"data-root": "/srv/docker"}\' >/etc/docker/daemon.json')
        (told,) = told_by(precheck())
        assert "set docker_host_settings to {data-root: /srv/docker}" in told
    finally:
        front.check_output("rm -f /etc/docker/daemon.json && systemctl start docker && docker rm haproxy")


def test_a_docker_that_does_not_answer_is_told() -> None:
    front = on("front")
    front.check_output("kill -STOP $(pidof dockerd)")
    try:
        (told,) = told_by(precheck())
    finally:
        front.check_output("kill -CONT $(pidof dockerd)")
    assert "its Docker runs and does not answer: type there: systemctl restart docker" in told
