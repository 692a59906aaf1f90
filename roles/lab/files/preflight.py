#!/usr/bin/env python3
"""Looks for what would make `./fleet up` fail, before anything is changed.

Prints one sentence with the remedy for each problem and ends with 1; ends with 0 and says nothing when there is none.
Runs on the system's own Python, before the project's virtual environment exists.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[3]
# The edge is the network's /24 number 10, the internal network its number 20: 32 of them fill a /19.
LONGEST_PREFIX = 19
GIGABYTE = 10**9
# Settings that are ports of this machine, and what to try instead.
PORTS = {"SHOP_HTTP_PORT": 8080, "SHOP_HTTPS_PORT": 8443}


@dataclass(frozen=True)
class Route:
    """A network that this machine reaches, and through which interface."""

    network: IPv4Network
    interface: str


@dataclass(frozen=True)
class Docker:
    """What Docker says of itself; nothing when it does not answer."""

    answers: bool = False
    root: str = "/var/lib/docker"
    repositories: frozenset[str] = frozenset()
    lab_ports: str = ""
    has_data: bool = False

    @property
    def has_images(self) -> bool:
        """Whether a former run has built the lab's image and the applications' images."""
        has_host = any(name.startswith("shopfleet-base/host-") for name in self.repositories)
        return has_host and any("/shopfleet/" in name for name in self.repositories)


def run(*command: str) -> str | None:
    """Run a program that only reads.

    Args:
        *command: Program and arguments.

    Returns:
        What it printed, or None when it is absent, failed or took more than 20 seconds.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def ask_docker(lab: str) -> Docker:
    """Ask Docker what the checks need to know.

    Args:
        lab: Name of the lab.

    Returns:
        Its answers.
    """
    root = run("docker", "info", "--format", "{{.DockerRootDir}}")
    if not root:
        return Docker()
    images = run("docker", "image", "ls", "--format", "{{.Repository}}") or ""
    ports = run("docker", "ps", "--filter", f"label=shopfleet.lab={lab}", "--format", "{{.Ports}}") or ""
    volumes = run("docker", "volume", "ls", "--quiet", "--filter", f"name=^{lab}-") or ""
    return Docker(True, root, frozenset(images.split()), ports, holds_data(lab, volumes.split()))


def holds_data(lab: str, volumes: Iterable[str]) -> bool:
    """Tell a lab's data from that of a lab whose name begins alike, such as those of Molecule's scenarios.

    Args:
        lab: Name of the lab.
        volumes: Names of volumes.

    Returns:
        Whether one of them is a disk of the lab's hosts, whose names hold no dash.
    """
    return any(re.fullmatch(rf"{re.escape(lab)}-[^-]+-data", volume) for volume in volumes)


def read_settings(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Read the lab's settings.

    Args:
        path: File of KEY=VALUE lines.
        environment: Variables that win over the file's lines.

    Returns:
        The settings by name.
    """
    defaults = dict(re.findall(r"^([A-Z_]+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE))
    return {name: environment.get(name) or value for name, value in defaults.items()}


def read_routes(path: Path = Path("/proc/net/route")) -> list[Route]:
    """Read the machine's IPv4 routes, which cover the networks of its interfaces.

    Args:
        path: The kernel's table, in the kernel's format.

    Returns:
        All routes but the default one.
    """
    routes = []
    for line in path.read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[column]), "little") for column in (1, 7))
        if mask:
            routes.append(Route(IPv4Network((address, f"{mask:b}".count("1"))), fields[0]))
    return routes


def check_machine(platform: str, is_root: bool, docker: Docker) -> list[str]:
    """Check that this machine can run the lab at all.

    Args:
        platform: As in `sys.platform`.
        is_root: Whether this process may install and start Docker.
        docker: What Docker answered.

    Returns:
        Problems.
    """
    if platform != "linux":
        return ["The lab needs Linux: use a virtual machine with Debian, or deploy to servers with -i YOUR_INVENTORY."]
    if not docker.answers and not is_root:
        return ["Docker does not answer, and only root may install or start it. Type: sudo ./fleet up"]
    return []


def check_ipv6(addresses: Path = Path("/proc/net/if_inet6")) -> list[str]:
    """Check that the kernel speaks IPv6, as the lab's networks do.

    Args:
        addresses: The kernel's table of such addresses.

    Returns:
        Problems.
    """
    if addresses.exists():
        return []
    return ["The lab's networks have IPv6, which this kernel lacks: start it without ipv6.disable=1 and try again."]


def check_settings(settings: Mapping[str, str]) -> list[str]:
    """Check that the settings mean something.

    Args:
        settings: As read by `read_settings`.

    Returns:
        Problems.
    """
    problems = []
    for name in PORTS:
        port = settings[name]
        if not port.isdecimal() or not 1 <= int(port) <= 65535:
            problems.append(f"{name} is '{port}': set it to a number from 1 to 65535.")
    subnet = settings["LAB_SUBNET"]
    try:
        fits = IPv4Network(subnet).prefixlen <= LONGEST_PREFIX
    except ValueError:
        fits = False
    if not fits:
        problems.append(
            f"LAB_SUBNET is '{subnet}': set it to an IPv4 network of /{LONGEST_PREFIX} or larger, such as 10.77.0.0/16."
        )
    if settings["LAB_DEBIAN"] not in ("12", "13"):
        problems.append(f"LAB_DEBIAN is '{settings['LAB_DEBIAN']}': set it to 12 or 13.")
    return problems


def port_is_taken(port: int) -> bool:
    """Try to listen on a port of the loopback address.

    Args:
        port: The port.

    Returns:
        Whether somebody else listens there.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            # Ports below 1024 are root's; who may not listen can still knock.
            return probe.connect_ex(("127.0.0.1", port)) == 0
        except OSError:
            return True
    return False


def check_port(port: int, docker: Docker, setting: str) -> list[str]:
    """Check that a port of the shop is free, or held by the lab itself.

    Args:
        port: The port on 127.0.0.1.
        docker: What Docker answered.
        setting: Name of the setting that holds the port.

    Returns:
        Problems.
    """
    if f"127.0.0.1:{port}->" in docker.lab_ports or not port_is_taken(port):
        return []
    holder = re.search(r'\("([^"]+)",pid=(\d+)', run("ss", "-Hltnp", f"sport = :{port}") or "")
    by_whom = f" by {holder[1]} (process {holder[2]})" if holder else ""
    return [f"Port {port} of this machine is taken{by_whom}: stop that, or type: {setting}={PORTS[setting]} ./fleet up"]


def check_subnet(subnet: IPv4Network, routes: Iterable[Route], lab: str) -> list[str]:
    """Check that the lab's networks hide nothing that this machine reaches.

    Args:
        subnet: The lab's network.
        routes: As read by `read_routes`.
        lab: Name of the lab, whose own networks are no obstacle.

    Returns:
        Problems.
    """
    bridges = f"{lab[:10]}-"
    foreign = [route for route in routes if not route.interface.startswith(bridges)]
    clash = next((route for route in foreign if route.network.overlaps(subnet)), None)
    if clash is None:
        return []
    private = [f"10.{number}.0.0/16" for number in range(62, 250)] + [
        f"172.{number}.0.0/16" for number in range(20, 32)
    ]
    free = [net for net in private if not any(route.network.overlaps(IPv4Network(net)) for route in foreign)]
    remedy = f"type: LAB_SUBNET={free[0]} ./fleet up" if free else "set LAB_SUBNET to a network that is free."
    return [
        f"The lab's network {subnet} overlaps {clash.network}, which this machine reaches through {clash.interface}: "
        + remedy
    ]


def check_data(docker: Docker, secrets: Path) -> list[str]:
    """Check that the lab's data on this machine, if there is any, is this checkout's.

    Args:
        docker: What Docker answered.
        secrets: Folder of the secrets that open the data.

    Returns:
        Problems.
    """
    if not docker.has_data or secrets.is_dir():
        return []
    return [
        f"The lab's data on this machine was made by another checkout, and {secrets} has no key to it: work in that "
        "checkout, or remove the data with: ./fleet down -e purge=data"
    ]


def check_disk(needs: Mapping[Path, float]) -> list[str]:
    """Check that there is room.

    Args:
        needs: Gigabytes needed below each directory; directories may not exist yet.

    Returns:
        Problems.
    """
    problems = []
    for wanted, gigabytes in needs.items():
        existing = next(folder for folder in (wanted, *wanted.parents) if folder.exists())
        free = shutil.disk_usage(existing).free / GIGABYTE
        if free < gigabytes:
            problems.append(f"{wanted} has {free:.1f} GB free, {gigabytes:g} GB are needed: make room and try again.")
    return problems


def mirror_answers(site: str, proxy: str) -> bool:
    """Ask a package mirror for its first page.

    Args:
        site: Address of the mirror.
        proxy: Address of a proxy, or nothing.

    Returns:
        Whether there was any answer, of whatever kind.
    """
    server = urlsplit(proxy or site)
    kind = http.client.HTTPSConnection if server.scheme == "https" else http.client.HTTPConnection
    connection = kind(server.hostname or "", server.port, timeout=10)
    try:
        connection.request("HEAD", site if proxy else "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def check_network() -> list[str]:
    """Check that one of the package mirrors that apt is set up for answers.

    Returns:
        Problems; none where apt is not what installs packages.
    """
    sites = set((run("apt-get", "indextargets", "--format", "$(SITE)") or "").split())
    sites = {site for site in sites if site.startswith("http")}
    proxy = (run("apt-config", "shell", "PROXY", "Acquire::http::Proxy") or "").partition("=")[2].strip("'")
    if not sites or any(mirror_answers(site, proxy) for site in sorted(sites)):
        return []
    return ["Images must be built from packages, and no mirror in /etc/apt answers: check the network and try again."]


def main(arguments: list[str] | None = None) -> int:
    """Run all checks.

    Args:
        arguments: Command line; that of the process by default.

    Returns:
        Exit code.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--settings", type=Path, default=ROOT / "inventory/lab/lab.cfg", help="file of KEY=VALUE lines")
    parser.add_argument("--build-gb", type=float, default=6, help="room that Docker needs to build the images")
    parser.add_argument("--run-gb", type=float, default=2, help="room that Docker needs once the images exist")
    parser.add_argument("--checkout-gb", type=float, default=1, help="room that the checkout needs for Python packages")
    options = parser.parse_args(arguments)

    settings = read_settings(options.settings, os.environ)
    docker = ask_docker(settings["LAB_NAME"])
    problems = check_machine(sys.platform, os.geteuid() == 0, docker) + check_settings(settings)
    if not problems:
        problems += check_ipv6()
        problems += check_data(docker, ROOT / ".fleet/secrets/lab")
        for name in PORTS:
            problems += check_port(int(settings[name]), docker, name)
        problems += check_subnet(IPv4Network(settings["LAB_SUBNET"]), read_routes(), settings["LAB_NAME"])
        in_docker = options.run_gb if docker.has_images else options.build_gb
        in_checkout = 0 if (ROOT / ".fleet/venv").is_dir() else options.checkout_gb
        problems += check_disk({Path(docker.root): in_docker, ROOT: in_checkout})
        if not docker.has_images:
            problems += check_network()
    for problem in problems:
        print(f"fleet: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
