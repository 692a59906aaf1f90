"""One look at a host, for all roles."""

from __future__ import annotations

import hashlib
import json
import platform
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: host_look
short_description: One look at a host, for all roles
description:
  - Reads in one go what the roles need to know to leave alone what is as it should be.
  - What it cannot find out, for instance because Docker is not installed, counts as absent.
options:
  paths:
    description: Files, and folders with the files in them, whose content, mode and owner are looked at.
    type: list
    elements: path
    default: []
  units:
    description: Units of systemd whose state is looked at.
    type: list
    elements: str
    default: []
  readers:
    description: By unit, the files that it reads when it starts or reloads, and never else.
    type: dict
    default: {}
  probes:
    description: Commands that change nothing and succeed where all is as it should be, by what they look at.
    type: dict
    default: {}
  records:
    description: Folder of the records.
    type: path
    required: true
  record:
    description:
      - By container, a digest of all that was wanted of it. Recorded together with what is seen of it now.
      - Once anything about it is no longer as it was when it was recorded, the digest is not returned any more.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- host_look:
    paths: [/etc/docker/daemon.json]
    units: [docker.service]
    readers:
      docker.service: [/etc/docker/daemon.json]
    records: /var/lib/shopfleet/records
"""

RETURN = r"""
ansible_facts:
  description: What was seen.
  returned: always
  type: dict
  contains:
    look:
      description: All of it.
      type: dict
      contains:
        debian: {description: Number of the Debian release; nothing on other systems., type: str}
        packages:
          description: Names of the installed packages in one text, which is handed on at a hundredth of a list's price.
          type: str
        container: {description: Whether the host shares its kernel with another machine., type: bool}
        without_password: {description: Accounts that no password lets in., type: list}
        files: {description: "By path: digest of the content, mode, user and group.", type: dict}
        units: {description: "By unit: whether it is active and enabled.", type: dict}
        outdated:
          description: Units that have not read their files since these were written, because a run was killed.
          type: list
        probes: {description: "By probe: whether it succeeded.", type: dict}
        networks: {description: "By network of Docker: the name of its bridge.", type: dict}
        images: {description: References of the images that are there., type: list}
        healthy:
          description: Names of this project's containers that are healthy; those that Docker has yet to ask are asked.
          type: list
        deployed: {description: "By healthy container that is as it was recorded: the recorded digest.", type: dict}
"""


def output(*command: str) -> str:
    """Return what a command prints, nothing when it fails or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def is_well(command: list[str]) -> bool:
    """Tell whether a command succeeds."""
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def look_at_path(path: Path) -> dict[str, Any]:
    """Return what a file is: digest of its content (of what is no file: its kind), mode, user and group."""
    state = path.lstat()
    kind = stat.filemode(state.st_mode)[0]
    return {
        "digest": digest(path.read_bytes()) if kind == "-" else kind,
        "mode": f"{stat.S_IMODE(state.st_mode):04o}",
        "uid": state.st_uid,
        "gid": state.st_gid,
    }


def look_at_files(paths: list[str]) -> dict[str, dict[str, Any]]:
    """Return what files are; of a folder itself and all that lies in it, and of the folder that it lies in."""
    found = {}
    for path in paths:
        for place in [Path(path).parent, Path(path), *sorted(Path(path).rglob("*"))]:
            try:
                found[str(place)] = look_at_path(place)
            except FileNotFoundError:
                continue
    return found


def look_at_units(units: list[str]) -> dict[str, dict[str, bool]]:
    """Return whether units are active and enabled."""
    shown = output("systemctl", "show", "--property=Id,ActiveState,UnitFileState", *units) if units else ""
    blocks = (dict(line.split("=", 1) for line in block.splitlines()) for block in shown.split("\n\n") if block)
    return {
        unit: {"active": block.get("ActiveState") == "active", "enabled": block.get("UnitFileState") == "enabled"}
        for unit, block in zip(units, blocks, strict=False)
    }


def outdated_units(readers: dict[str, list[str]]) -> list[str]:
    """Return the running units that have not read their files since these were written.

    A time to come is no time at which anything was written: the clock was wrong then, and would be believed for ever.
    """
    booted = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    found = []
    for unit, paths in readers.items():
        # by the microsecond since the host was booted; 0 stands for never
        changed = output("systemctl", "show", "--property=StateChangeTimestampMonotonic", "--value", unit).strip()
        written = [Path(path).stat().st_mtime for path in paths if Path(path).exists()]
        if int(changed or 0) and any(booted + int(changed) / 1e6 < moment < time.time() for moment in written):
            found.append(unit)
    return found


def look_at_container(container: dict[str, Any]) -> str:
    """Return a digest of all that may not change about a container behind the back of a deployment."""
    mounts = sorted(container["Mounts"], key=lambda mount: str(mount["Destination"]))
    networks = container["NetworkSettings"]["Networks"]
    host = container["HostConfig"].items()
    seen = {
        # All that a container was made with is as immutable as its id; limits are not.
        "id": container["Id"],
        "name": container["Name"],
        # Docker tells the limits of files and core dumps now in this order, now in that, and what is not set is now
        # empty, now nothing.
        "host": {
            key: sorted(value, key=json.dumps) if isinstance(value, list) else value
            for key, value in host
            if value not in (None, [], {})
        },
        "mounts": mounts,
        "networks": {name: network["NetworkID"] for name, network in networks.items()},
        "read": look_at_files([mount["Source"] for mount in mounts if not mount["RW"]]),
        "written": [look_at_path(Path(mount["Source"])) for mount in mounts if mount["RW"]],
    }
    return digest(json.dumps(seen, sort_keys=True).encode())


def is_healthy(container: dict[str, Any]) -> bool:
    """Tell whether a container runs and answers; Docker's own check comes seconds after its start only."""
    state = container["State"]
    health = state.get("Health", {}).get("Status", "healthy")
    if health == "starting":
        return is_well(["docker", "exec", container["Id"], *container["Config"]["Healthcheck"]["Test"][1:]])
    return bool(state["Running"]) and health == "healthy"


def look_at_containers(records: Path, wanted: dict[str, str]) -> dict[str, Any]:
    """Record what is wanted of containers; tell which are healthy, and what was recorded of those that are as then."""
    names = output("docker", "ps", "--all", "--quiet", "--filter=label=shopfleet.service").split()
    healthy, deployed = [], {}
    for container in json.loads(output("docker", "inspect", *names) or "[]") if names else []:
        name = container["Name"].removeprefix("/")
        seen = look_at_container(container)
        record = records / name
        if name in wanted:
            records.mkdir(mode=0o700, parents=True, exist_ok=True)
            record.write_text(f"{wanted[name]} {seen}\n")
        if not is_healthy(container):
            continue
        healthy.append(name)
        if record.exists():
            recorded, _, then = record.read_text().strip().partition(" ")
            if then == seen:
                deployed[name] = recorded
    return {"healthy": healthy, "deployed": deployed}


def look_at_networks() -> dict[str, str]:
    """Return the names of the bridges of Docker's networks."""
    names = output("docker", "network", "ls", "--quiet", "--filter=driver=bridge").split()
    networks = json.loads(output("docker", "network", "inspect", *names) or "[]") if names else []
    return {network["Name"]: network["Options"].get("com.docker.network.bridge.name", "") for network in networks}


def installed_packages() -> str:
    """Return the names of the installed packages."""
    lines = output("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\\n").splitlines()
    return " ".join(line.removeprefix("installed ") for line in lines if line.startswith("installed "))


def debian_release() -> str:
    """Return the number of the Debian release."""
    release = platform.freedesktop_os_release()
    return release.get("VERSION_ID", "") if release["ID"] == "debian" else ""


def main() -> None:
    """Look."""
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "default": []},
            "units": {"type": "list", "elements": "str", "default": []},
            "readers": {"type": "dict", "default": {}},
            "probes": {"type": "dict", "default": {}},
            "records": {"type": "path", "required": True},
            "record": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    wanted = {} if module.check_mode else module.params["record"]
    accounts = (line.split(":") for line in Path("/etc/shadow").read_text().splitlines())
    look = {
        "debian": debian_release(),
        "packages": installed_packages(),
        "container": Path("/run/systemd/container").exists(),
        "without_password": [name for name, hashed, *_ in accounts if hashed == "*"],
        "files": look_at_files(module.params["paths"]),
        "units": look_at_units(module.params["units"]),
        "outdated": outdated_units(module.params["readers"]),
        "probes": {name: is_well(command) for name, command in module.params["probes"].items()},
        "images": output("docker", "image", "ls", "--format={{.Repository}}:{{.Tag}}").split(),
        "networks": look_at_networks(),
        **look_at_containers(Path(module.params["records"]), wanted),
    }
    module.exit_json(changed=False, ansible_facts={"look": look})


if __name__ == "__main__":
    main()
