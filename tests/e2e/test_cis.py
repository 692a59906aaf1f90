"""The CIS Docker Benchmark 1.6.0, sections 2 to 5, on every host of the lab; docs/hardening.md has the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cis import CHECKS, State
from lab import Lab

_LOOK = (Path(__file__).parent / "look.py").read_text()
# Docker itself refuses a swarm where containers outlive a restart of the daemon (2.15).
_CANNOT_BE_PLANTED = {"5.1"}
_BAD_SETTINGS = {
    "icc": True,
    "log-level": "debug",
    "iptables": False,
    "insecure-registries": ["0.0.0.0/0"],
    "storage-driver": "aufs",
    "hosts": ["tcp://0.0.0.0:2375"],
    "cgroup-parent": "/",
    "storage-opts": ["dm.basesize=50G"],
    "seccomp-profile": "/tmp/allow-all.json",  # noqa: S108  a value to be found fault with
    "experimental": True,
}
_BAD_IMAGE = """
set -e
folder=$(mktemp -d)
touch "$folder/file"
cat >"$folder/Dockerfile" <<END
FROM $1
USER 0
ENV DB_PASSWORD=x
ADD file /file
RUN chmod u+s /usr/bin/su; cp /bin/true /usr/bin/gcc
END
DOCKER_BUILDKIT=0 docker build --quiet --network=none --tag planted "$folder" >/dev/null
rm -r "$folder"
docker run --detach --name planted-open --user 0 --cap-add NET_RAW --security-opt seccomp=unconfined \
    --security-opt no-new-privileges=false --ulimit nofile=9000:9000 --restart no --publish 23:23 \
    --entrypoint bash planted -c 'cp /bin/sleep /tmp/sshd; exec /tmp/sshd 600' >/dev/null
docker create --name planted-host --privileged --network host --pid host --ipc host --uts host --userns host \
    --security-opt label=disable --security-opt apparmor=unconfined --cgroup-parent planted --device /dev/null \
    --log-driver none --volume /:/host:rshared --volume /run/docker.sock:/run/docker.sock planted >/dev/null
usermod --append --groups docker nobody
mkdir -p /etc/docker/certs.d /etc/sysconfig
touch /etc/docker/certs.d/ca.crt /etc/sysconfig/docker
"""
_REMOVE = """
docker rm --force planted-open planted-host >/dev/null 2>&1
docker image rm planted >/dev/null 2>&1
gpasswd --delete nobody docker >/dev/null
rm -rf /etc/docker/certs.d /etc/sysconfig /tmp/planted.json
"""
_OWN_FILES = (
    "/lib/systemd/system/docker.service",
    "/lib/systemd/system/docker.socket",
    "/etc/docker",
    "/etc/docker/daemon.json",
    "/etc/docker/certs.d/ca.crt",
    "/etc/default/docker",
    "/etc/sysconfig/docker",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
)


def look(lab: Lab, host: str, settings: str = "/etc/docker/daemon.json") -> State:
    """What the checks look at, with what the catalogue promises of each container."""
    state: State = json.loads(lab.on(host, "python3", "-", settings, stdin=_LOOK))
    for container in state["containers"]:
        entry = next((entry for entry in lab.containers if f"/{entry['name']}" == container["Name"]), None)
        ports = entry["ports"].values() if entry else []
        container["promised"] = {
            "published": {
                (port[address], port["port"], port["target"])
                for port in ports
                for address in ("address", "address6")
                if port.get(address)
            },
            "outside": {port["port"] for port in ports if "outside" in port["clients"]},
            "image": lab.facts["images"][entry["service"]] if entry else None,
        }
    return state


@pytest.fixture(scope="module")
def states(lab: Lab) -> dict[str, State]:
    """What was found on each host."""
    return {host: look(lab, host) for host in lab.hosts}


@pytest.fixture(scope="module")
def planted(lab: Lab) -> Iterator[State]:
    """What is found on a host where each promise of the table is broken."""
    host = lab.hosts[-1]
    image = next(lab.facts["images"][entry["service"]] for entry in lab.containers if entry["host"] == host)
    before = lab.on(host, "stat", "--format", "%a %U:%G %n", *_OWN_FILES, check=False)
    try:
        lab.on(host, "sh", "-c", _BAD_IMAGE, "sh", image)
        lab.on(host, "tee", "/tmp/planted.json", stdin=json.dumps(_BAD_SETTINGS))  # noqa: S108
        lab.on(host, "chown", "nobody:nogroup", *_OWN_FILES)
        lab.on(host, "chmod", "0777", *_OWN_FILES)
        yield look(lab, host, "/tmp/planted.json")  # noqa: S108
    finally:
        for line in before.splitlines():
            mode, owner, path = line.split()
            lab.on(host, "chown", owner, path)
            lab.on(host, "chmod", mode, path)
        lab.on(host, "sh", "-c", _REMOVE)


@pytest.mark.parametrize("number", CHECKS)
def test_the_benchmark_is_kept_on_every_host(states: dict[str, State], number: str) -> None:
    assert {host: faults for host, state in states.items() if (faults := CHECKS[number](state))} == {}


@pytest.mark.parametrize("number", sorted(CHECKS.keys() - _CANNOT_BE_PLANTED))
def test_what_breaks_the_benchmark_is_found(planted: State, number: str) -> None:
    assert CHECKS[number](planted)
