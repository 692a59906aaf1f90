"""Filters that say who reaches what: one table, derived from the catalogue's containers and the inventory.

The firewall's rules, the table in the docs and the tests all come from here, so that none can promise what another
does not keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

# Clients that are no service of ours.
OUTSIDE = "outside"
STRANGER = "stranger"
OPERATOR = "operator"
SSH = 22
# Every address of an IP version.
_ANY = {4: "0.0.0.0/0", 6: "::/0"}
# Variables of a host that hold its addresses, by network and IP version.
_ADDRESS_VARIABLES = {
    ("internal", 4): "internal_address",
    ("edge", 4): "edge_address",
    ("internal", 6): "internal_address6",
    ("edge", 6): "edge_address6",
}

Instance = Mapping[str, Any]
Hostvars = Mapping[str, Mapping[str, Any]]


class _Grant(NamedTuple):
    """One client may open one port of one address.

    Attributes:
        client: The container that may, or None for a client that is no container.
        kind: `outside`, `operator` or `container`.
        host: The host that is dialled.
        address: Address as dialled; that of a whole IP version for all addresses of the host.
        port: Port as dialled.
        reason: Why.
    """

    client: Instance | None
    kind: str
    host: str
    address: str
    port: int
    reason: str

    @property
    def version(self) -> int:
        return ip_network(self.address).version

    def covers(self, address: str) -> bool:
        return ip_address(address) in ip_network(self.address)


def _grants(placed: Sequence[Instance], hostvars: Hostvars, hosts: Sequence[str]) -> Iterator[_Grant]:
    """All that is open; what is not named here is closed."""
    for host in hosts:
        ssh_port = int(hostvars[host].get("ansible_port") or SSH)
        for anywhere in _ANY.values():
            yield _Grant(None, OPERATOR, host, anywhere, ssh_port, f"{OPERATOR} to ssh")
    for server in placed:
        for port in server["ports"].values():
            for address in filter(None, (port["address"], port.get("address6"))):
                for client in port["clients"]:
                    if client == OUTSIDE:
                        reason = f"{OUTSIDE} to {server['name']}"
                        yield _Grant(None, OUTSIDE, server["host"], address, port["port"], reason)
                    for entry in placed:
                        if entry["service"] == client:
                            reason = f"{entry['name']} to {server['name']}"
                            yield _Grant(entry, "container", server["host"], address, port["port"], reason)


def ingress(
    placed: Sequence[Instance], host: str, hostvars: Hostvars, operators: Sequence[str]
) -> list[dict[str, Any]]:
    """List who may open which port of a host from another machine.

    Args:
        placed: The result of `instances`.
        host: The host that is dialled.
        hostvars: Variables of each host.
        operators: Addresses or subnets from which the hosts are administered by ssh.

    Returns:
        Entries with `source` (address or subnet), `address` (as dialled; that of a whole IP version for all addresses
        of the host), `port` and `reason`, without repetitions.
    """
    rules = []
    addresses = _Addresses(hostvars)
    for grant in _grants(placed, hostvars, [host]):
        if grant.host != host:
            continue
        if grant.kind == OUTSIDE:
            sources = [_ANY[grant.version]]
        elif grant.client is None:
            sources = [str(operator) for operator in operators if _version(operator) == grant.version]
        elif grant.client["host"] != host:
            # Its host masquerades what it sends; its own rules tell the containers apart.
            sources = [addresses.of(grant.client["host"], "internal", grant.version)]
        else:
            sources = []
        rules += [
            {"source": source, "address": grant.address, "port": grant.port, "reason": grant.reason}
            for source in sources
            if source
        ]
    return _unique(rules, ("source", "address", "port"))


def egress(placed: Sequence[Instance], host: str) -> list[dict[str, Any]]:
    """List what the containers of a host may dial.

    Args:
        placed: The result of `instances`.
        host: The host whose containers are asked about.

    Returns:
        Entries with `bridge`, `address`, `port` and `reason`, without repetitions.
    """
    rules = [
        {"bridge": grant.client["bridge"], "address": grant.address, "port": grant.port, "reason": grant.reason}
        for grant in _grants(placed, {}, [])
        if grant.client is not None and grant.client["host"] == host
    ]
    return _unique(rules, ("bridge", "address", "port"))


def _version(address: str) -> int:
    return ip_network(str(address), strict=False).version


class _Addresses:
    """Addresses of hosts, empty where there is none; each is templated once, which is what takes time."""

    def __init__(self, hostvars: Hostvars) -> None:
        self._hostvars = hostvars
        self._known: dict[tuple[str, str], str] = {}

    def of(self, host: str, network: str, version: int) -> str:
        variable = _ADDRESS_VARIABLES[network, version]
        if (host, variable) not in self._known:
            self._known[host, variable] = str(self._hostvars[host].get(variable) or "")
        return self._known[host, variable]


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


def reachability(placed: Sequence[Instance], hostvars: Hostvars, hosts: Sequence[str]) -> list[dict[str, Any]]:
    """Write the whole table: every source beside every address, and the TCP ports that are open between them.

    All other TCP ports are closed, all UDP ports too, and all ports of the addresses that containers have on their
    hosts: only published ports are dialled. A host beside itself is left out: nothing stands between the two.

    Args:
        placed: The result of `instances`.
        hostvars: Variables of each host.
        hosts: The hosts of the table.

    Returns:
        A cell for each source and address: `source`, its `kind` (outside; stranger, who has an address in the internal
        subnet; operator; host; container), the host it is `on` and its `bridge` (empty for others than containers); the
        host that is dialled (`to`), by which `network`, `version` and `address`; and the `ports` that are open.
    """
    grants = list(_grants(placed, hostvars, hosts))
    addresses = _Addresses(hostvars)
    destinations = [
        (host, network, version, address)
        for host in hosts
        for network, version in _ADDRESS_VARIABLES
        if (address := addresses.of(host, network, version))
    ]
    return [
        {
            **source,
            "to": host,
            "network": network,
            "version": version,
            "address": address,
            "ports": sorted(
                {
                    grant.port
                    for grant in grants
                    if grant.host == host and grant.covers(address) and _holds(grant, source)
                }
            ),
        }
        for source in _sources(placed, hosts)
        for host, network, version, address in destinations
        if not (source["kind"] == "host" and source["on"] == host)
    ]


def _sources(placed: Sequence[Instance], hosts: Sequence[str]) -> list[dict[str, str]]:
    others = [{"source": kind, "kind": kind, "on": "", "bridge": ""} for kind in (OUTSIDE, STRANGER, OPERATOR)]
    machines = [{"source": host, "kind": "host", "on": host, "bridge": ""} for host in hosts]
    containers = [
        {"source": entry["name"], "kind": "container", "on": entry["host"], "bridge": entry["bridge"]}
        for entry in placed
    ]
    return others + machines + containers


def _holds(grant: _Grant, source: Mapping[str, str]) -> bool:
    if source["kind"] == "container":
        client = grant.client
        return client is not None and (client["host"], client["bridge"]) == (source["on"], source["bridge"])
    if grant.kind == OUTSIDE:
        return True
    if grant.client is None:
        return source["kind"] == grant.kind
    return source["kind"] == "host" and source["on"] == grant.client["host"] != grant.host


class FilterModule:
    """Ansible's entry point to the filters."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"ingress": ingress, "egress": egress, "of_family": of_family, "reachability": reachability}
