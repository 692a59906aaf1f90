"""Filters that derive the running system from the service catalogue.

The catalogue says what a service is; the inventory says which hosts there are. Everything that follows from the two
(containers, who dials which address, firewall sets, HAProxy servers) is computed here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

# Clients that are no service of ours.
OUTSIDE = "outside"
_BRIDGE_PREFIX = "br-"
# The kernel's IFNAMSIZ is 16, with the closing NUL.
_BRIDGE_NAME_LIMIT = 15
_SSH = 22
_LAST_PORT = 65535
_TIERS = ("data", "job", "app")
# Explained where the catalogue stands.
_KEYS = {
    "group",
    "tier",
    "instances",
    "image",
    "command",
    "user",
    "ports",
    "certificate",
    "templates",
    "secret_templates",
    "reread",
    "files",
    "secrets",
    "directories",
    "health",
    "memory",
    "cpus",
    "cpu_shares",
    "pids",
    "stop_timeout",
    "max_connections",
}
_PORT_KEYS = {"port", "target", "network", "clients"}

Service = Mapping[str, Any]
Instance = dict[str, Any]


def instances(
    services: Mapping[str, Service],
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
) -> list[Instance]:
    """Place every service of the catalogue on the hosts of its group.

    A service with `instances` gets that many numbered containers (`web-1`, `web-2`, …), dealt out over the hosts in
    turn, each on a port of its own. A job runs once, on the first host. Any other service runs once on each host.

    Args:
        services: The catalogue.
        groups: The inventory's groups and their hosts.
        hostvars: Variables of each host; `internal_address` is needed, `edge_address` falls back to it, and a host
            with an `edge_address6` publishes its edge ports on that, too.

    Returns:
        One entry per container: `name`, `service`, `host`, `server` (what it is called among all of them: its name,
        with its host where several hosts use one name), `bridge`, `ports` (by port name: the published `address`,
        `address6` where there is one, and `port`, the `target` port inside and the `clients` that may connect) and
        `published` (the same ports as Docker writes them).

    Raises:
        AnsibleFilterError: A group without hosts, a host without an address, or a name too long for a bridge.
    """
    placed: list[Instance] = []
    addresses = _Addresses(hostvars)
    for service_name, service in services.items():
        hosts = groups.get(service["group"]) or []
        if not hosts:
            raise AnsibleFilterError(
                f"the service '{service_name}' needs at least one host in the inventory group '{service['group']}'"
            )
        count = service.get("instances")
        if count is not None:
            slots = [(f"{service_name}-{n + 1}", hosts[n % len(hosts)], n) for n in range(int(count))]
        elif service["tier"] == "job":
            slots = [(service_name, hosts[0], 0)]
        else:
            slots = [(service_name, host, 0) for host in hosts]
        for name, host, offset in slots:
            bridge = _BRIDGE_PREFIX + name
            ports = {
                port_name: {
                    **addresses.of(host, port.get("network", "internal")),
                    "port": int(port["port"]) + offset,
                    "target": int(port.get("target", port["port"])),
                    "clients": list(port.get("clients", [])),
                }
                for port_name, port in service.get("ports", {}).items()
            }
            if len(bridge) > _BRIDGE_NAME_LIMIT:
                raise AnsibleFilterError(
                    f"the container name '{name}' is too long: its bridge would be called '{bridge}', and Linux takes "
                    f"{_BRIDGE_NAME_LIMIT} characters at most"
                )
            placed.append(
                {
                    "name": name,
                    "service": service_name,
                    "host": host,
                    "server": name,
                    "bridge": bridge,
                    "ports": ports,
                    "published": [
                        f"{address}:{port['port']}:{port['target']}"
                        for port in ports.values()
                        for address in (port["address"], *([f"[{port['address6']}]"] if "address6" in port else []))
                    ],
                }
            )
    names = [instance["name"] for instance in placed]
    for instance in placed:
        if names.count(instance["name"]) > 1:
            instance["server"] = f"{instance['name']}.{instance['host']}"
    return placed


class _Addresses:
    """Addresses that ports are published on; each host's variables are templated once, which is what takes time."""

    def __init__(self, hostvars: Mapping[str, Mapping[str, Any]]) -> None:
        self._hostvars = hostvars
        self._known: dict[str, dict[str, dict[str, str]]] = {}

    def of(self, host: str, network: str = "internal") -> dict[str, str]:
        if host not in self._known:
            variables = self._hostvars[host]
            internal = variables.get("internal_address")
            if not internal:
                raise AnsibleFilterError(f"set internal_address for the host '{host}' in the inventory")
            edge = {"address": str(variables.get("edge_address") or internal)}
            if variables.get("edge_address6"):
                edge["address6"] = str(variables["edge_address6"])
            self._known[host] = {"internal": {"address": str(internal)}, "edge": edge}
        return self._known[host][network]


def endpoints(placed: Sequence[Instance], service: str, port: str) -> list[str]:
    """List where a service's port is published.

    Args:
        placed: The result of `instances`.
        service: Name of the service.
        port: Name of its port.

    Returns:
        `address:port` of each container of the service.

    Raises:
        AnsibleFilterError: No container offers that port.
    """
    found = [
        f"{instance['ports'][port]['address']}:{instance['ports'][port]['port']}"
        for instance in placed
        if instance["service"] == service and port in instance["ports"]
    ]
    if not found:
        raise AnsibleFilterError(f"no container offers the port '{port}' of a service '{service}'")
    return found


def backend_servers(placed: Sequence[Instance], service: str, port: str) -> list[dict[str, str]]:
    """List a service's containers as HAProxy wants them.

    Args:
        placed: The result of `instances`.
        service: Name of the service.
        port: Name of its port.

    Returns:
        `name` and `endpoint` of each.
    """
    return [
        {
            "name": instance["server"],
            "endpoint": f"{instance['ports'][port]['address']}:{instance['ports'][port]['port']}",
        }
        for instance in placed
        if instance["service"] == service
    ]


def inventory_faults(
    services: Mapping[str, Service],
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Look for what keeps the catalogue from being placed on the inventory's hosts.

    Args:
        services: The catalogue.
        groups: The inventory's groups and their hosts.
        hostvars: Variables of each host.

    Returns:
        One sentence with the remedy for each fault; empty when there is none.
    """
    faults = [fault for name, service in services.items() for fault in _service_faults(name, service, services)]
    for group in dict.fromkeys(service["group"] for service in services.values() if "group" in service):
        if not groups.get(group):
            names = ", ".join(name for name, service in services.items() if service.get("group") == group)
            faults.append(f"the inventory group '{group}' has no host, and {names} would run there: add one")
    if any(not groups.get(service.get("group", "")) or "tier" not in service for service in services.values()):
        return faults
    try:
        placed = instances(services, groups, hostvars)
    except AnsibleFilterError as error:
        return [*faults, str(error)]
    return faults + _port_faults(placed, hostvars)


def _service_faults(name: str, service: Service, services: Mapping[str, Service]) -> Iterator[str]:
    for key in sorted(service.keys() - _KEYS):
        yield f"the service '{name}' has a key '{key}' that nothing reads: see the keys in catalogue_services"
    if "group" not in service:
        yield f"the service '{name}' names no group: give it one of the inventory"
    if service.get("tier") not in _TIERS:
        yield f"the service '{name}' is of no tier: write {', '.join(_TIERS[:-1])} or {_TIERS[-1]}"
    for port_name, port in service.get("ports", {}).items():
        for key in sorted(port.keys() - _PORT_KEYS):
            yield f"the port '{port_name}' of '{name}' has a key '{key}' that nothing reads: take it out"
        for client in port.get("clients", []):
            if client != OUTSIDE and client not in services:
                yield (
                    f"'{name}' names a client '{client}' that is no service of the catalogue: "
                    "correct the name, or take it out"
                )


def _port_faults(placed: Sequence[Instance], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    faults = []
    owners: dict[tuple[str, int], str] = {}
    ssh = {host: int(hostvars[host].get("ansible_port") or _SSH) for host in {instance["host"] for instance in placed}}
    for instance in placed:
        for port_name, port in instance["ports"].items():
            number = port["port"]
            if not 0 < number <= _LAST_PORT:
                faults.append(f"{instance['name']} publishes port {number}: take one from 1 to {_LAST_PORT}")
            if number == ssh[instance["host"]]:
                faults.append(
                    f"{instance['name']} publishes port {number}, by which '{instance['host']}' is administered: "
                    "give it another port"
                )
            for address in filter(None, (port["address"], port.get("address6"))):
                label = f"'{port_name}' of {instance['name']}"
                owner = owners.setdefault((address, number), label)
                if owner != label:
                    faults.append(
                        f"{label} and {owner} both publish port {number} on {address}: give one of them another port"
                    )
    return faults


class FilterModule:
    """Ansible's entry point to the filters."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "instances": instances,
            "endpoints": endpoints,
            "backend_servers": backend_servers,
            "inventory_faults": inventory_faults,
        }
