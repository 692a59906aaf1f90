"""Ansible module that surveys a host and changes nothing.

One run answers what otherwise takes a dozen modules: what a host is, what it has room for, who uses its ports, and
what its Docker holds. Judging it is left to filters on the controller, which cost nothing on the host.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: host_survey
short_description: Survey a host
description:
  - Reads what a deploy needs to know of a host before it changes anything, and changes nothing itself.
  - Needs Python's standard library and iproute2. Docker may be absent or stopped; it is not started by being looked at.
  - Run it as root. What only root may read is left empty for others.
options:
  directories:
    description:
      - Directories whose file systems to measure.
      - In place of one that does not exist its nearest parent is measured.
    type: list
    elements: path
    default: []
  controller_time:
    description: The controller's clock, in seconds since 1970, handed back beside the host's own.
    type: float
    required: true
author: The Shopfleet authors
attributes:
  check_mode: {support: full, description: It never changes anything.}
  diff_mode: {support: none, description: It never changes anything.}
  platform: {support: full, description: Linux with dpkg., platforms: linux}
"""

EXAMPLES = r"""
- name: Look at the host
  host_survey:
    directories: [/etc, /var/lib/docker]
    controller_time: "{{ now().timestamp() }}"
  register: host
"""

RETURN = r"""
system:
  description:
    - I(user), the numeric user that looked. I(id) and I(version) of the distribution, I(python)'s version, whether
      I(systemd) runs the host.
  returned: always
  type: dict
clock:
  description: I(controller), as it was handed in, and I(host), both in seconds since 1970.
  returned: always
  type: dict
memory:
  description: Bytes that the host may use; a container's or slice's limit counts where it is lower.
  returned: always
  type: int
directories:
  description:
    - By directory, I(device) and I(free) bytes of its file system, I(free_inodes) (null where it does not count them),
      and whether it is I(read_only).
  returned: always
  type: dict
interfaces:
  description: By name, the addresses of each network interface with their prefix, as in 10.0.0.1/24.
  returned: always
  type: dict
routes:
  description: I(network) and I(interface) of each IPv4 route of the main table; 0.0.0.0/0 is the default route's.
  returned: always
  type: list
listening:
  description: I(address), I(port) and I(process) of each TCP socket that listens.
  returned: always
  type: list
docker:
  description:
    - I(state) is C(absent), C(stopped), C(silent) when the daemon does not answer, or C(running).
    - I(root) is where it keeps its data.
    - I(elsewhere) lists files of a Docker that did not come from a Debian package.
    - I(containers) have a I(name), I(labels), a I(state), and published I(ports), each an I(address) and a I(port).
    - I(networks), known of a running daemon only, have a I(name), the name of their I(bridge) and I(subnets).
  returned: always
  type: dict
unfinished:
  description: Packages that dpkg was interrupted at.
  returned: always
  type: list
packages:
  description: Versions of the installed Debian packages by name.
  returned: always
  type: dict
"""

DOCKER_SOCKET = "/var/run/docker.sock"
DOCKER_ROOT = "/var/lib/docker"
# Where Docker lies that was not installed by dpkg.
DOCKER_ELSEWHERE = (
    "/snap/bin/docker",
    "/usr/local/bin/dockerd",
    "/usr/local/sbin/dockerd",
    "/opt/bin/dockerd",
)
# Seconds within which a sound daemon answers.
DOCKER_PATIENCE = 20
# What the kernel writes for a socket that listens.
_LISTENING = "0A"
_FINISHED = {"ok installed", "ok config-files", "ok not-installed"}


def read_system() -> dict[str, Any]:
    """Read what the host is.

    Returns:
        The value of `system`.
    """
    release = {}
    for line in _text("/etc/os-release").splitlines():
        key, _, value = line.partition("=")
        release[key] = value.strip("\"'")
    return {
        "user": os.geteuid(),
        "id": release.get("ID", ""),
        "version": release.get("VERSION_ID", ""),
        "python": platform.python_version(),
        "systemd": Path("/run/systemd/system").is_dir(),
    }


def read_memory() -> int:
    """Read how much memory the host may use.

    Returns:
        Bytes.
    """
    total = re.search(r"^MemTotal:\s+(\d+) kB", _text("/proc/meminfo"), re.MULTILINE)
    limits = [int(total[1]) * 1024] if total else []
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = _text(file).strip()
        limits += [int(text)] if text.isdecimal() else []
    return min(limits)


def measure(directory: str) -> dict[str, Any]:
    """Measure the file system below a directory.

    Args:
        directory: It need not exist.

    Returns:
        One value of `directories`.
    """
    wanted = Path(directory)
    existing = next(path for path in (wanted, *wanted.parents) if path.exists())
    size = os.statvfs(existing)
    return {
        "device": str(existing.stat().st_dev),
        "free": size.f_bavail * size.f_frsize,
        "free_inodes": size.f_favail if size.f_files else None,
        "read_only": bool(size.f_flag & os.ST_RDONLY),
    }


def read_interfaces() -> dict[str, list[str]]:
    """Read the addresses of the network interfaces.

    Returns:
        The value of `interfaces`.
    """
    return {
        link["ifname"]: [f"{entry['local']}/{entry['prefixlen']}" for entry in link["addr_info"] if "local" in entry]
        for link in _ip("address")
        if "ifname" in link
    }


def read_routes() -> list[dict[str, str]]:
    """Read where packets go.

    Returns:
        The value of `routes`.
    """
    return [
        {"network": "0.0.0.0/0" if route["dst"] == "default" else route["dst"], "interface": route["dev"]}
        for route in _ip("-4", "route")
        if "dev" in route
    ]


def _ip(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(["ip", "-json", *arguments], capture_output=True, text=True, check=True, timeout=20)
    answer: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return answer


def _address(written: str) -> str:
    """Read an address as the kernel writes it: words of four bytes, each in the machine's own order."""
    words = [bytes.fromhex(written[start : start + 8])[::-1] for start in range(0, len(written), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, b"".join(words))


def _processes() -> Iterator[tuple[Path, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            yield folder, _text(folder / "comm").strip()


def _socket_of(descriptor: Path) -> str:
    """Return the inode of the socket that a process holds, or nothing."""
    try:
        target = os.readlink(descriptor)  # noqa: PTH115  half the time of Path.readlink, for thousands of them
    except OSError:
        return ""
    return target[8:-1] if target.startswith("socket:[") else ""


def read_listening() -> list[dict[str, Any]]:
    """Read which TCP sockets listen, and whose they are.

    Returns:
        The value of `listening`.
    """
    found: dict[str, dict[str, Any]] = {}
    for table in ("tcp", "tcp6"):
        for line in _text(f"/proc/net/{table}").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING:
                address, port = fields[1].split(":")
                found[fields[9]] = {"address": _address(address), "port": int(port, 16), "process": ""}
    for folder, name in _processes():
        try:
            descriptors = list((folder / "fd").iterdir())
        except OSError:
            continue
        for descriptor in descriptors:
            inode = _socket_of(descriptor)
            # systemd holds a socket as well that it has handed to a service
            if inode in found and (name != "systemd" or not found[inode]["process"]):
                found[inode]["process"] = name
    return list(found.values())


class _DockerConnection(http.client.HTTPConnection):
    """HTTP over Docker's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(DOCKER_PATIENCE)
        self.sock.connect(DOCKER_SOCKET)


def _ask_docker(path: str) -> Any:
    connection = _DockerConnection("docker")
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def read_docker() -> dict[str, Any]:
    """Read what Docker there is, and what it holds.

    Returns:
        The value of `docker`.
    """
    docker: dict[str, Any] = {
        "state": "absent",
        "root": DOCKER_ROOT,
        "elsewhere": [file for file in DOCKER_ELSEWHERE if os.path.lexists(file)],
        "containers": [],
        "networks": [],
    }
    # A connection alone would start a daemon that systemd listens for.
    if any(name == "dockerd" for _, name in _processes()):
        try:
            _read_running(docker)
        except (OSError, http.client.HTTPException, ValueError):
            docker["state"] = "silent"
    elif shutil.which("dockerd"):
        _read_stopped(docker)
    return docker


def _read_running(docker: dict[str, Any]) -> None:
    docker["root"] = _ask_docker("/info")["DockerRootDir"]
    docker["containers"] = [
        {
            "name": entry["Names"][0].lstrip("/"),
            "labels": entry["Labels"] or {},
            "state": entry["State"],
            "ports": [
                {"address": port.get("IP", ""), "port": port["PublicPort"]}
                for port in entry["Ports"]
                if "PublicPort" in port
            ],
        }
        for entry in _ask_docker("/containers/json?all=1")
        if entry["Names"]
    ]
    docker["networks"] = [
        {
            "name": entry["Name"],
            "bridge": (entry["Options"] or {}).get("com.docker.network.bridge.name") or f"br-{entry['Id'][:12]}",
            "subnets": [config["Subnet"] for config in entry["IPAM"].get("Config") or [] if config.get("Subnet")],
        }
        for entry in _ask_docker("/networks")
    ]
    docker["state"] = "running"


def _read_stopped(docker: dict[str, Any]) -> None:
    docker["state"] = "stopped"
    try:
        docker["root"] = json.loads(_text("/etc/docker/daemon.json") or "{}").get("data-root", DOCKER_ROOT)
    except ValueError:
        docker["root"] = DOCKER_ROOT
    for file in sorted(Path(docker["root"]).glob("containers/*/config.v2.json")):
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # a container that Docker was interrupted at; Docker itself will not know it either
            continue
        docker["containers"].append(
            {
                "name": kept["Name"].lstrip("/"),
                "labels": kept["Config"]["Labels"] or {},
                "state": "exited",
                "ports": [],
            }
        )


def read_packages(status: str) -> tuple[dict[str, str], list[str]]:
    """Read which packages are installed, and which only half.

    Args:
        status: Text of dpkg's database.

    Returns:
        Versions of the installed ones by name, and the names of those that dpkg was interrupted at.
    """
    installed = {}
    unfinished = []
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.*)$", paragraph, re.MULTILINE))
        if "Package" not in fields:
            continue
        _, _, state = fields["Status"].partition(" ")
        if state == "ok installed":
            installed[fields["Package"]] = fields["Version"]
        elif state not in _FINISHED:
            unfinished.append(fields["Package"])
    return installed, unfinished


def _text(file: str | Path) -> str:
    """Read a file; nothing where it does not exist, may not be read, or is gone again."""
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def main() -> None:
    """Look, and answer."""
    module = AnsibleModule(
        argument_spec={
            "directories": {"type": "list", "elements": "path", "default": []},
            "controller_time": {"type": "float", "required": True},
        },
        supports_check_mode=True,
    )
    if not shutil.which("ip"):
        module.fail_json(msg="the program ip is missing: install iproute2")
    clock = {"controller": module.params["controller_time"], "host": time.time()}
    packages, unfinished = read_packages(_text("/var/lib/dpkg/status"))
    module.exit_json(
        changed=False,
        system=read_system(),
        clock=clock,
        memory=read_memory(),
        directories={directory: measure(directory) for directory in module.params["directories"]},
        interfaces=read_interfaces(),
        routes=read_routes(),
        listening=read_listening(),
        docker=read_docker(),
        unfinished=unfinished,
        packages=packages,
    )


if __name__ == "__main__":
    main()
