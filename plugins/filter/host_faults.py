"""Filter that judges a host by what the module host_survey saw there: what a deploy would trip over or do harm to."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

# Label of the containers that role service makes, and prefix of their networks.
LABEL = "shopfleet.service"
NETWORK = "shopfleet-"
# Packages that stand for a Docker which Debian's would replace, with all that runs in it.
DOCKER_PACKAGES = ("containerd.io", "docker-ce", "docker-ce-cli", "docker-engine", "moby-engine", "podman-docker")
FREE_INODES = 10_000
_MEGABYTE = 1_000_000
_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104  what is compared is no address to listen on
_DOCKER_BRIDGE = re.compile(r"docker0|br-[0-9a-f]{12}")

Look = Mapping[str, Any]


def host_faults(
    look: Look,
    host: str,
    placed: Sequence[Mapping[str, Any]],
    services: Mapping[str, Mapping[str, Any]],
    needs: Mapping[str, Any],
) -> list[str]:
    """Find what stands in the way of a deploy on a host.

    Args:
        look: Result of the module host_survey, which may have failed or not have reached the host.
        host: Its name in the inventory.
        placed: All containers of the deployment, as the filter `instances` returns them.
        services: The catalogue.
        needs: `addresses` (address by the variable that gives it), `clock_seconds`, `directories` (free megabytes by
            path), `docker_networks` (of its default bridge, and the pool of the others), `docker_root` (where Docker is
            to keep its data), `registry` (address and port that images come in by) and `releases` (of Debian).

    Returns:
        One sentence with the remedy for each fault; empty when there is none.
    """
    if "system" not in look:
        return [_no_look(look)]
    if look["system"]["user"] != 0:
        return ["Ansible works there without root's rights: set ansible_user to root, or ansible_become to true"]
    own = [entry for entry in placed if entry["host"] == host]
    return [
        *_system_faults(look, needs["releases"]),
        *_clock_faults(look["clock"], needs["clock_seconds"]),
        *_memory_faults(look["memory"], own, services),
        *_disk_faults(look["directories"], needs["directories"]),
        *_package_faults(look),
        *_docker_faults(look, needs["docker_root"]),
        *_address_faults(look, needs["addresses"]),
        *_path_faults(look, needs["addresses"]["internal_address"], own, placed),
        *_container_faults(look["docker"], own),
        *_port_faults(look, own, needs["registry"]),
        *_network_faults(look, own, needs["docker_networks"]),
    ]


def _no_look(look: Look) -> str:
    """Say why nothing is known of the host."""
    reason = " ".join(str(look.get("msg") or "").removeprefix("Task failed: ").split())
    told = " ".join([reason, *(str(look.get(key) or "") for key in ("module_stderr", "module_stdout"))])
    # mitogen adds the command, which is long and says nothing
    reason, _, _ = reason.partition(" Command was: ")
    # before the rest, because mitogen calls a host without Python unreachable
    if re.search(r"interpreter|python[\d.]*:? (not found|No such file)|No such file or directory: '\S*python", told):
        return f"its Python does not start: install python3, or correct ansible_python_interpreter. It said: {reason}"
    if look.get("unreachable"):
        remedy = "see that it is up, and that ansible_host, ansible_user, ansible_port and the key are right"
        return f"ssh does not get in: {remedy}. What it said: {reason}"
    if re.search(r"sudo|become|privilege", told, re.IGNORECASE):
        return f"Ansible cannot become root: let its account use sudo, or connect as root. What was said: {reason}"
    return f"it cannot be looked at: {reason}"


def _system_faults(look: Look, releases: Sequence[str]) -> Iterator[str]:
    system = look["system"]
    if system["id"] != "debian" or system["version"] not in releases:
        name = f"{system['id'] or 'an unknown system'} {system['version']}".strip()
        yield f"it runs {name}: install Debian {' or '.join(releases)}"
    if not system["systemd"]:
        yield "systemd does not run it: start it with systemd, which keeps Docker and the firewall running"


def _clock_faults(clock: Mapping[str, float], tolerance: float) -> Iterator[str]:
    """Compare clocks. The look was taken between the moment that was handed to it and this one, however long ago."""
    behind, ahead = clock["controller"] - clock["host"], clock["host"] - time.time()
    for seconds, direction in ((behind, "behind"), (ahead, "ahead of")):
        if seconds > tolerance:
            yield (
                f"its clock is {_span(seconds)} {direction} this machine's, and certificates would not hold: set the "
                "one that is wrong, and keep both right with systemd-timesyncd or chrony"
            )


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _bytes(limit: object) -> int:
    written = str(limit).lower()
    if written[-1] in _UNITS:
        return int(float(written[:-1]) * _UNITS[written[-1]])
    return int(written)


def _memory_faults(
    memory: int, own: Sequence[Mapping[str, Any]], services: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    limits = sum(_bytes(services[entry["service"]].get("memory", 0)) for entry in own)
    if limits > memory:
        yield (
            f"it has {memory >> 20} MiB of memory and its containers may take {limits >> 20}: give it more, or give "
            "some of its groups to another host"
        )


def _disk_faults(directories: Mapping[str, Mapping[str, Any]], needs: Mapping[str, int]) -> Iterator[str]:
    devices: dict[str, list[str]] = {}
    for path, found in directories.items():
        if found["read_only"]:
            yield f"{path} cannot be written to: mount it for writing, and look in its log for why it was not"
        devices.setdefault(found["device"], []).append(path)
    for paths in devices.values():
        found = directories[paths[0]]
        needed = sum(needs[path] for path in paths)
        names = " and ".join(paths)
        free = found["free"] // _MEGABYTE
        if free < needed:
            yield f"{names} has {free} MB free, {needed} MB are needed: make room or a larger disk"
        if found["free_inodes"] is not None and found["free_inodes"] < FREE_INODES:
            yield f"{names} has room for {found['free_inodes']} more files only: remove some, or make a new file system"


def _package_faults(look: Look) -> Iterator[str]:
    if look["unfinished"]:
        yield (
            f"dpkg was interrupted at {', '.join(look['unfinished'])}: finish that with: "
            "dpkg --configure -a; apt-get -f install"
        )


def _docker_faults(look: Look, root: str) -> Iterator[str]:
    packages = [name for name in DOCKER_PACKAGES if name in look["packages"]]
    places = look["docker"]["elsewhere"]
    if packages or places:
        if packages:
            remedy = f"apt-get purge {' '.join(packages)}"
        elif "/snap/bin/docker" in places:
            remedy = "snap remove docker"
        else:
            remedy = f"rm {' '.join(places)}"
        yield (
            f"it has a Docker that is not Debian's ({', '.join([*packages, *places])}), and two get in each other's "
            f"way: move away what runs in it and type there: {remedy}"
        )
    if look["docker"]["state"] == "silent":
        yield "its Docker runs and does not answer: type there: systemctl restart docker"
    elif look["docker"]["state"] != "absent" and look["docker"]["root"] != root:
        found = look["docker"]["root"]
        yield (
            f"its Docker keeps its data in {found}, and a deploy would have it begin anew in {root}: "
            f"set docker_host_settings to {{data-root: {found}}}"
        )


def _address_faults(look: Look, wanted: Mapping[str, str]) -> Iterator[str]:
    held = {ip_interface(entry).ip for entries in look["interfaces"].values() for entry in entries}
    for variable, address in wanted.items():
        if ip_address(address) not in held:
            yield (
                f"it has no address {address}: correct {variable}, or ansible_host if this is another machine, or give "
                "the address to one of its interfaces"
            )


def _path_faults(
    look: Look, internal: str, own: Sequence[Mapping[str, Any]], placed: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Check that what the host's containers dial lies behind the interface that has its internal address."""
    interfaces = {
        str(ip_interface(entry).ip): name for name, entries in look["interfaces"].items() for entry in entries
    }
    if internal not in interfaces:
        return
    services = {entry["service"] for entry in own}
    dialled = {
        port["address"]: entry["host"]
        for entry in placed
        for port in entry["ports"].values()
        if services.intersection(port["clients"]) and port["address"] not in interfaces
    }
    for address, peer in sorted(dialled.items()):
        route = max(
            (route for route in look["routes"] if ip_address(address) in ip_network(route["network"])),
            key=lambda route: ip_network(route["network"]).prefixlen,
            default=None,
        )
        if route is None:
            yield f"it has no route to {address} of {peer}: correct the prefix of {internal} on {interfaces[internal]}"
        elif route["interface"] != interfaces[internal]:
            yield (
                f"its way to {address} of {peer} leads through {route['interface']} ({route['network']}) and not "
                f"through {interfaces[internal]}, which has its internal address: remove one of the two, or correct "
                "the prefix"
            )


def _container_faults(docker: Mapping[str, Any], own: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = {entry["name"] for entry in own}
    for container in docker["containers"]:
        name = container["name"]
        if name in names and LABEL not in container["labels"]:
            yield (
                f"its container {name} was made by hand and a deploy would put its own in that place: type there: "
                f"docker rename {name} {name}-by-hand"
            )
        elif name in names and container["state"] == "paused":
            yield f"its container {name} is paused: type there: docker unpause {name}"


def _port_faults(look: Look, own: Sequence[Mapping[str, Any]], registry: str) -> Iterator[str]:
    published = [
        (str(port[key]), int(port["port"]), str(entry["name"]))
        for entry in own
        for port in entry["ports"].values()
        for key in ("address", "address6")
        if key in port
    ]
    names = {entry["name"] for entry in own}
    for address, port, owner in published:
        holder = _container_at(look["docker"]["containers"], address, port)
        if holder and holder["name"] == owner:
            continue
        if holder:
            ours = LABEL in holder["labels"]
            left = ", left over from another inventory" if ours and holder["name"] not in names else ""
            yield (
                f"port {port} of {address}, which {owner} is to have, is taken by the container {holder['name']}{left}"
                f": type there: docker rm -f {holder['name']}" + ("" if ours else ", or give it another port")
            )
        elif process := _process_at(look["listening"], address, port):
            yield f"port {port} of {address}, which {owner} is to have, is taken by {process}: stop that there"
    # Held by sshd while images travel, or did a moment ago, and by the registry where the host is the controller.
    address, _, port_text = registry.rpartition(":")
    holder = _container_at(look["docker"]["containers"], address, int(port_text))
    process = _process_at(look["listening"], address, int(port_text))
    if process and not process.startswith("sshd") and not (holder and "shopfleet.part" in holder["labels"]):
        yield f"port {port_text} of {address}, which images come in by, is taken by {process}: stop that there"


def _container_at(containers: Sequence[Mapping[str, Any]], address: str, port: int) -> Mapping[str, Any] | None:
    for container in containers:
        for taken in container["ports"]:
            if taken["port"] == port and taken["address"] in {address, *_WILDCARDS}:
                return container
    return None


def _process_at(listening: Sequence[Mapping[str, Any]], address: str, port: int) -> str:
    """Name who listens; a listener on :: takes IPv4's ports as well."""
    for entry in listening:
        if entry["port"] == port and entry["address"] in {address, *_WILDCARDS}:
            return str(entry["process"] or "a process that cannot be named")
    return ""


def _network_faults(look: Look, own: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> Iterator[str]:
    docker = look["docker"]
    bridges = {network["bridge"]: network["name"] for network in docker["networks"]}
    for entry in own:
        name = bridges.get(entry["bridge"], "")
        if name and name != NETWORK + entry["name"]:
            yield (
                f"Docker's network {name} has the bridge {entry['bridge']}, which {entry['name']} is to have: "
                f"type there: docker network rm {name}"
            )
        elif not name and docker["state"] != "stopped" and entry["bridge"] in look["interfaces"]:
            yield (
                f"it has an interface {entry['bridge']} that is not Docker's, and {entry['name']} is to have that name"
                f": type there: ip link delete {entry['bridge']}"
            )
    bridge, pool = (ip_network(subnet, strict=False) for subnet in wanted)
    remedy = "set docker_host_bridge_address and docker_host_address_pool to networks that are free"
    ours = {entry["bridge"] for entry in own}
    for route in look["routes"]:
        network, interface = ip_network(route["network"]), route["interface"]
        # Docker itself finds room in the pool beside its other networks.
        is_docker = interface in ours or interface in bridges or _DOCKER_BRIDGE.fullmatch(interface)
        if network.prefixlen and not is_docker and (network.overlaps(bridge) or network.overlaps(pool)):
            yield f"it reaches {network} through {interface}, and Docker would hide that: {remedy}"
    for found in docker["networks"]:
        for subnet in found["subnets"]:
            if found["name"] != "bridge" and ip_network(subnet).overlaps(bridge):
                yield f"its Docker network {found['name']} ({subnet}) overlaps {bridge}, meant for docker0: {remedy}"


def fault_report(faults: Mapping[str, Sequence[str]]) -> str:
    """Put the faults of all hosts into one message.

    Args:
        faults: By host, as `host_faults` returns them.

    Returns:
        One line for each fault.
    """
    lines = [f"{host}: {fault.rstrip('.')}." for host, found in faults.items() for fault in found]
    return "\n".join(["No host was changed, because of this:", *lines])


class FilterModule:
    """Ansible's entry point to the filters."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"host_faults": host_faults, "fault_report": fault_report}
