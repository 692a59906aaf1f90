"""Two containers on a host, a neighbour outside of it, and means to see what each of them reaches."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any

from testinfra.host import Host

# The port that converge.yml lets the network dial, and one that only the container `shop` may.
SHOP, ADMIN = 8080, 8081
COMMAND = "/usr/local/sbin/shopfleet-firewall"
# An address of the internal network that nobody has.
UNUSED = 250
NEIGHBOUR = "ip netns exec neighbour"

_DIAL = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def dial(port):
    try:
        socket.create_connection(port, timeout=1).close()
    except OSError:
        return False
    return True
ports = [tuple(port) for port in json.loads(sys.argv[1])]
with ThreadPoolExecutor(len(ports)) as pool:
    print(json.dumps([port for port, answered in zip(ports, pool.map(dial, ports)) if answered]))
"""


def variables(host: Host) -> dict[str, Any]:
    return dict(host.ansible.get_variables())


def address_of(host: Host) -> str:
    return str(variables(host)["ansible_host"])


def is_open(address: str, port: int, timeout: float = 2) -> bool:
    try:
        with socket.create_connection((address, port), timeout=timeout):
            return True
    except OSError:
        return False


def eventually(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.2)


def dialled(host: Host, prefix: str, ports: list[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return which of the ports a program that is started by `prefix` can open."""
    answer = host.check_output(f"{prefix} python3 -c %s %s", _DIAL, json.dumps(ports))
    return {(address, port) for address, port in json.loads(answer)}


def container_address(host: Host, name: str) -> str:
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return str(host.check_output(f"docker inspect --format '{form}' {name}"))


class Intruder:
    """Somebody who dials a closed port all the time, from before a change until after it."""

    def __init__(self, address: str, port: int) -> None:  # noqa: D107
        self._socket = (address, port)
        self._over = Event()
        self._thread = Thread(target=self._dial)
        self.attempts = 0
        self.successes = 0

    def __enter__(self) -> Intruder:  # noqa: D105
        self._thread.start()
        eventually(lambda: self.attempts > 0)
        return self

    def __exit__(  # noqa: D105
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _dial(self) -> None:
        while not self._over.wait(0.02):
            self.successes += is_open(*self._socket, timeout=0.2)
            self.attempts += 1


@contextmanager
def no_walls(host: Host) -> Iterator[None]:
    """Take the rules away, as a proof that a test sees it."""
    host.check_output("nft delete table inet shopfleet")
    try:
        yield
    finally:
        host.check_output("systemctl reload shopfleet-firewall")


def deploy(host: Host, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run the scenario's playbook once more on one host."""
    scenario = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
    options = [
        f"--inventory={os.environ['MOLECULE_INVENTORY_FILE']}",
        f"--limit={variables(host)['inventory_hostname']}",
    ]
    return subprocess.run(
        ["ansible-playbook", *options, f"--extra-vars={json.dumps(settings)}", scenario / "converge.yml"],
        check=False,
        capture_output=True,
        text=True,
        timeout=180,
    )


def restart(host: Host) -> None:
    """Restart the host as a whole, and wait until it has booted."""
    lab = os.environ.get("MOLECULE_LAB", "shopfleet-molecule")
    name = f"{lab}-{variables(host)['inventory_hostname']}"
    subprocess.run(["docker", "restart", name], check=True, capture_output=True, timeout=120)
    eventually(lambda: is_open(address_of(host), 22) and host.run("docker ps").succeeded)


def raise_world(host: Host) -> None:
    """Start the containers `shop` and `admin`, and a neighbour with addresses that the host knows."""
    address = address_of(host)
    # An image of nothing but the links that a program needs to find what the host has in /usr.
    host.check_output("tar -C / -c bin lib lib64 sbin | docker import - links")
    for name, port in (("shop", SHOP), ("admin", ADMIN)):
        host.check_output(f"docker network create --opt com.docker.network.bridge.name=br-{name} {name}")
        host.check_output(
            f"docker run --detach --name={name} --network={name} --restart=always --stop-signal=KILL "
            f"--volume=/usr:/usr:ro --publish={address}:{port}:80 links python3 -m http.server 80"
        )
    raise_neighbour(host)
    eventually(lambda: host.run("ss -Htln sport = :8081").stdout != "" and is_open(address, SHOP))


def raise_neighbour(host: Host) -> None:
    """Connect a machine of its own; a restart of the host takes it away."""
    unused = address_of(host).rsplit(".", 1)[0] + f".{UNUSED}"
    host.check_output(
        "ip netns add neighbour; ip link add to-neighbour type veth peer name eth0 netns neighbour; "
        # Docker switches IPv6 off in the containers that are the lab's hosts.
        "sysctl -qw net.ipv6.conf.to-neighbour.disable_ipv6=0; "
        "ip netns exec neighbour sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0; "
        "ip addr add 10.99.72.1/30 dev to-neighbour; ip addr add fd72::1/64 dev to-neighbour nodad; "
        "ip link set to-neighbour up; "
        "ip -n neighbour addr add 10.99.72.2/30 dev eth0; ip -n neighbour addr add fd72::2/64 dev eth0 nodad; "
        f"ip -n neighbour addr add {unused}/32 dev eth0; "
        "ip -n neighbour link set eth0 up; ip -n neighbour route add default via 10.99.72.1; "
        "systemd-run --quiet --collect --unit=listen python3 -m http.server --bind fd72::1 8080"
    )
    eventually(lambda: host.run("ss -Htln src [fd72::1]:8080").stdout != "")


def raze_world(host: Host) -> None:
    """Remove what `raise_world` made."""
    host.run("systemctl stop listen; ip netns del neighbour")
    host.run("docker rm --force shop admin; docker network rm shop admin; docker rmi links")
