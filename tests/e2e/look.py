"""Runs on a host of the lab: prints, as JSON, all that the checks of the CIS benchmark ask about its Docker."""

from __future__ import annotations

import grp
import json
import pwd
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

# Programs that a service needs neither to run nor to be looked into.
TOOLS = ("cc", "gcc", "make", "pip", "pip3", "curl", "wget", "ssh", "sshd", "sudo", "nc", "nmap")
FILES = {
    "service": "/lib/systemd/system/docker.service",
    "socket unit": "/lib/systemd/system/docker.socket",
    "folder": "/etc/docker",
    "certificates": "/etc/docker/certs.d",
    "socket": "/run/docker.sock",
    "settings": "/etc/docker/daemon.json",
    "default": "/etc/default/docker",
    "sysconfig": "/etc/sysconfig/docker",
    "containerd": "/run/containerd/containerd.sock",
}


def docker(*arguments: str) -> str:
    """Ask the daemon at DOCKER_HOST, or the host's own."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def inspected(kind: str, names: list[str]) -> list[dict[str, Any]]:
    """Inspect objects of a kind."""
    return list(json.loads(docker(kind, "inspect", *names))) if names else []


def file(path: Path) -> dict[str, Any]:
    """Owner, group and mode."""
    facts = path.stat()
    owner = f"{pwd.getpwuid(facts.st_uid).pw_name}:{grp.getgrgid(facts.st_gid).gr_name}"
    return {"path": str(path), "owner": owner, "mode": facts.st_mode & 0o777}


def files(path: str) -> list[dict[str, Any]]:
    """A file, or what lies in the folder of certificates; nothing where there is none."""
    found = Path(path)
    if not found.exists():
        return []
    return [file(entry) for entry in found.rglob("*.*") if entry.is_file()] if path.endswith(".d") else [file(found)]


def process(number: str) -> dict[str, Any]:
    """What the kernel says of a process."""
    lines = Path(f"/proc/{number}/status").read_text().splitlines()
    status = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    limits = Path(f"/proc/{number}/limits").read_text().splitlines()
    return {
        "name": status["Name"][0],
        "users": status["Uid"],
        "capabilities": [status[key][0] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
        "seccomp": status["Seccomp"][0],
        "no_new_privileges": status["NoNewPrivs"][0],
        "files": next(line.split()[4] for line in limits if line.startswith("Max open files")),
        "core": next(line.split()[5] for line in limits if line.startswith("Max core file size")),
    }


def processes(container: dict[str, Any]) -> list[dict[str, Any]]:
    """All processes of a container, but not one that has just ended, nor a health check that runc is about to start."""
    pid = container["State"]["Pid"]
    if not pid:
        return []
    namespace = Path(f"/proc/{pid}/ns/mnt").readlink()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "ns" / "mnt").readlink() == namespace:
                found.append(process(entry.name))
    return [entry for entry in found if not entry["name"].startswith("runc:")]


def inside(container: dict[str, Any]) -> dict[str, list[str]]:
    """What lies in a running container's root file system: setuid files and needless programs."""
    root = container["GraphDriver"]["Data"].get("MergedDir", "")
    if not container["State"]["Pid"] or not root:
        return {"setuid": [], "tools": []}
    find = ["find", root, "-xdev", "-type", "f", "-perm", "/6000"]
    setuid = subprocess.run(find, capture_output=True, text=True, check=True).stdout.split()
    folders = [Path(root) / folder for folder in ("usr/bin", "usr/sbin", "usr/local/bin", "opt/shop-api/bin")]
    tools = [str(folder / tool) for folder in folders for tool in TOOLS if (folder / tool).exists()]
    return {
        "setuid": [path.removeprefix(root) for path in setuid],
        "tools": [path.removeprefix(root) for path in tools],
    }


def main() -> None:
    """Print it all."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    containers = inspected("container", docker("ps", "--all", "--quiet", "--no-trunc").split())
    images = inspected("image", sorted({container["Image"] for container in containers}))
    state = {
        "info": json.loads(docker("info", "--format", "{{json .}}")),
        "settings": settings,
        "bridge": inspected("network", ["bridge"])[0],
        "group": grp.getgrnam("docker").gr_mem,
        "files": {name: files(path) for name, path in FILES.items()},
        "containers": [entry | {"processes": processes(entry), "inside": inside(entry)} for entry in containers],
        "images": [
            entry | {"history": docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", entry["Id"]).splitlines()}
            for entry in images
        ],
    }
    print(json.dumps(state))


main()
