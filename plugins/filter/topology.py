"""Filters that derive the running system from the service catalogue.

The catalogue says what a service is; the inventory says which hosts there are. Everything that follows from the two
(containers, who dials which address, firewall sets, HAProxy servers) is computed here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from ansible.errors import AnsibleFilterError

# Clients that are no service of ours.
OUTSIDE = "outside"
_BRIDGE_PREFIX = "br-"
# The kernel's IFNAMSIZ is 16, with the closing NUL.
_BRIDGE_NAME_LIMIT = 15

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
        hostvars: Variables of each host; `internal_address` is needed, `edge_address` falls back to it.

    Returns:
        One entry per container: `name`, `service`, `host`, `bridge`, `ports` (by port name: the published `address`
        and `port`, the `target` port inside and the `clients` that may connect) and `published` (the same ports as
        Docker writes them).

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
                    "address": addresses.of(host, port.get("network", "internal")),
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
                    "bridge": bridge,
                    "ports": ports,
                    "published": [f"{port['address']}:{port['port']}:{port['target']}" for port in ports.values()],
                }
            )
    return placed


class _Addresses:
    """Addresses of hosts; each host's variables are templated once, which is what takes time."""

    def __init__(self, hostvars: Mapping[str, Mapping[str, Any]]) -> None:
        self._hostvars = hostvars
        self._known: dict[str, dict[str, str]] = {}

    def of(self, host: str, network: str = "internal") -> str:
        if host not in self._known:
            variables = self._hostvars[host]
            internal = variables.get("internal_address")
            if not internal:
                raise AnsibleFilterError(f"set internal_address for the host '{host}' in the inventory")
            self._known[host] = {
                "internal": str(internal),
                "edge": str(variables.get("edge_address") or internal),
            }
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
        `name` (the container's, with its host where several hosts use one name) and `endpoint` of each.
    """
    members = [instance for instance in placed if instance["service"] == service]
    names = [member["name"] for member in members]
    return [
        {
            "name": member["name"] if names.count(member["name"]) == 1 else f"{member['name']}.{member['host']}",
            "endpoint": f"{member['ports'][port]['address']}:{member['ports'][port]['port']}",
        }
        for member in members
    ]


def ingress(
    placed: Sequence[Instance], host: str, hostvars: Mapping[str, Mapping[str, Any]], operators: Sequence[str]
) -> list[dict[str, Any]]:
    """List who may open which published port of a host from another machine.

    Args:
        placed: The result of `instances`.
        host: The host that is dialled.
        hostvars: Variables of each host.
        operators: Addresses or subnets from which the hosts are administered by ssh.

    Returns:
        Entries with `source` (address or subnet), `port` and `reason`, without repetitions.
    """
    addresses = _Addresses(hostvars)
    ssh_port = int(hostvars[host].get("ansible_port") or 22)
    rules = [{"source": str(operator), "port": ssh_port, "reason": "operator to ssh"} for operator in operators]
    for instance in (entry for entry in placed if entry["host"] == host):
        for port in instance["ports"].values():
            for client in port["clients"]:
                reason = f"{client} to {instance['name']}"
                if client == OUTSIDE:
                    rules += [
                        {"source": anywhere, "port": port["port"], "reason": reason}
                        for anywhere in ("0.0.0.0/0", "::/0")
                    ]
                    continue
                sources = {entry["host"] for entry in placed if entry["service"] == client} - {host}
                rules += [
                    {"source": addresses.of(source), "port": port["port"], "reason": reason}
                    for source in sorted(sources)
                ]
    return _unique(rules, ("source", "port"))


def egress(placed: Sequence[Instance], host: str) -> list[dict[str, Any]]:
    """List what the containers of a host may dial.

    Args:
        placed: The result of `instances`.
        host: The host whose containers are asked about.

    Returns:
        Entries with `bridge`, `address`, `port` and `reason`, without repetitions.
    """
    rules = [
        {
            "bridge": client["bridge"],
            "address": port["address"],
            "port": port["port"],
            "reason": f"{client['name']} to {server['name']}",
        }
        for client in placed
        if client["host"] == host
        for server in placed
        for port in server["ports"].values()
        if client["service"] in port["clients"]
    ]
    return _unique(rules, ("bridge", "address", "port"))


def _unique(rules: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    merged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for rule in rules:
        key = tuple(rule[name] for name in keys)
        if key in merged:
            merged[key]["reason"] += f", {rule['reason']}"
        else:
            merged[key] = dict(rule)
    return list(merged.values())


def of_family(rules: Sequence[dict[str, Any]], version: int, key: str) -> list[dict[str, Any]]:
    """Keep the rules whose address is of one IP version.

    Args:
        rules: The result of `ingress` or `egress`.
        version: 4 or 6.
        key: Name of the field that holds the address or subnet.

    Returns:
        The rules of that version, narrow subnets before wide ones: nft refuses to add what lies within what is there.
    """
    networks = [(ip_network(rule[key], strict=False), rule) for rule in rules]
    family = [(network.prefixlen, rule) for network, rule in networks if network.version == version]
    return [rule for _, rule in sorted(family, key=lambda entry: -entry[0])]


def inventory_faults(
    services: Mapping[str, Service],
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    operators: Sequence[str],
) -> list[str]:
    """Look for contradictions in the inventory before anything is changed.

    Args:
        services: The catalogue.
        groups: The inventory's groups and their hosts.
        hostvars: Variables of each host.
        operators: Addresses or subnets from which the hosts are administered.

    Returns:
        One sentence with the remedy for each fault; empty when there is none.
    """
    faults: list[str] = []
    if not operators:
        faults.append("operator_addresses is empty: name the address you deploy from, or ssh would be locked out")
    for operator in operators:
        try:
            ip_network(str(operator), strict=False)
        except ValueError:
            faults.append(f"operator_addresses holds '{operator}', which is no address and no subnet")
    try:
        placed = instances(services, groups, hostvars)
    except AnsibleFilterError as error:
        return [*faults, str(error)]

    addresses = _Addresses(hostvars)
    owners: dict[str, str] = {}
    for host in sorted({instance["host"] for instance in placed}):
        address = addresses.of(host)
        try:
            ip_address(address)
        except ValueError:
            faults.append(f"internal_address of '{host}' is '{address}', which is no IP address")
        if address in owners:
            faults.append(f"'{host}' and '{owners[address]}' both have the internal_address {address}")
        owners.setdefault(address, host)

    sockets: dict[tuple[str, int], str] = {}
    for instance in placed:
        for port in instance["ports"].values():
            socket = (port["address"], port["port"])
            if socket in sockets:
                faults.append(
                    f"{instance['name']} and {sockets[socket]} both publish port {port['port']} on {port['address']}"
                )
            sockets.setdefault(socket, instance["name"])
            faults += [
                f"{instance['name']} names a client '{client}' that is no service of the catalogue"
                for client in port["clients"]
                if client != OUTSIDE and client not in services
            ]
    return faults


class FilterModule:
    """Ansible's entry point to the filters."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "instances": instances,
            "endpoints": endpoints,
            "backend_servers": backend_servers,
            "ingress": ingress,
            "egress": egress,
            "of_family": of_family,
            "inventory_faults": inventory_faults,
        }
