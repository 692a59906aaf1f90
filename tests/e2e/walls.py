"""The lab's walls: what the table promises, what the loaded rules say, and what a scan from each side finds."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from lab import Lab
from ruleset import LISTING, Packet, Ruleset

# A port of TCP or UDP: ("tcp", 80).
Port = tuple[str, int]
# What is open from one source, by the address that it dials.
View = dict[str, set[Port]]

_KNOCK = Path(__file__).parent / "knock.py"
EVERY_TCP_PORT = "0-65535"
# Where name servers, time servers, file servers, VPNs, overlays and the like listen.
_UDP_PORTS = "53,67-69,111,123,137,138,161,162,443,500,514,1194,1900,2049,2377,4500,4789,5353,7946,8472,51820"
# 65,536 ports of a host that drops in 4 s; what is expected to be open is asked again in peace.
_QUICK = ["-T5", "--min-rate=20000", "--max-retries=0", "--initial-rtt-timeout=50ms", "--max-rtt-timeout=100ms"]
_PATIENT = ["-T4", "--max-retries=6"]
_SCANS_AT_ONCE = 8
_FEW = 8
_ANYBODY = {4: "198.51.100.77", 6: "2001:db8::77"}


def version_of(address: str) -> int:
    """Tell IPv4 from IPv6."""
    return ip_address(address).version


@dataclass(frozen=True)
class Source:
    """A place to scan from.

    Attributes:
        name: Whose place it is.
        kind: As in the table.
        namespace: File of its network namespace; empty for this machine's own.
        promised: What the table promises, by address.
        routes: Gateways of addresses that are not on its networks.
    """

    name: str
    kind: str
    namespace: str
    promised: View
    routes: Mapping[str, str] = field(default_factory=dict)

    def run(self, *command: str) -> str:
        """Run one of this machine's programs in the source's network."""
        enter = ["nsenter", f"--net={self.namespace}"] if self.namespace else []
        return subprocess.run([*enter, *command], check=True, capture_output=True, text=True, timeout=900).stdout

    def scan(self, tcp_ports: str) -> View:
        """Look which ports of the promised addresses answer.

        Args:
            tcp_ports: Which, as nmap wants them.

        Returns:
            The ports that answered at all. Ones that refuse do: the packet was not stopped on its way.
        """
        with self._routed():
            found = self._scan(list(self.promised), f"T:{tcp_ports},U:{_UDP_PORTS}", _QUICK)
            for address, promised in self.promised.items():
                if missing := promised - found[address]:
                    again = ",".join(str(port) for _, port in sorted(missing))
                    found[address] |= self._scan([address], f"T:{again}", _PATIENT)[address]
        return found

    def scan_again(self, found: View) -> None:
        """Ask again for the few ports that answered against the table, while nobody else scans.

        Of two hosts that scan each other at the same time, one may take the other's probe for the answer to its own.

        Args:
            found: What the first scan found; an unexpected port that no longer answers is taken out.
        """
        with self._routed():
            for address, promised in self.promised.items():
                unexpected = {(protocol, port) for protocol, port in found[address] - promised if protocol == "tcp"}
                if 0 < len(unexpected) <= _FEW:
                    again = ",".join(str(port) for _, port in sorted(unexpected))
                    found[address] -= unexpected - self._scan([address], f"T:{again}", _PATIENT)[address]

    @contextmanager
    def _routed(self) -> Iterator[None]:
        try:
            for address, gateway in self.routes.items():
                self.run("ip", "route", "replace", address, "via", gateway)
            yield
        finally:
            for address in self.routes:
                with suppress(subprocess.CalledProcessError):
                    self.run("ip", "route", "delete", address)

    def _scan(self, addresses: Sequence[str], ports: str, pace: Sequence[str]) -> View:
        found: View = {}
        kinds = ["-sS", "-sU"] if "U:" in ports else ["-sS"]
        for version in (4, 6):
            wanted = [address for address in addresses if version_of(address) == version]
            if not wanted:
                continue
            family = ["-6"] if version == 6 else []
            command = ["nmap", *family, *kinds, "-Pn", "-n", "--disable-arp-ping", "-p", ports, *pace, "-oX", "-"]
            found |= _answers(self.run(*command, *wanted))
        assert set(found) == set(addresses), f"{self.name}: nmap left something out"
        return found


def _answers(report: str) -> View:
    """Read nmap's report."""
    found: View = {}
    for host in ET.fromstring(report).iter("host"):  # noqa: S314  nmap is trusted
        address = next(entry.attrib["addr"] for entry in host.iter("address"))
        found[address] = {
            (port.attrib["protocol"], int(port.attrib["portid"]))
            for port in host.iter("port")
            for state in port.iter("state")
            if state.attrib["state"] in ("open", "closed")
        }
        # Many ports alike are not listed one by one.
        for group in host.iter("extraports"):
            if group.attrib["state"] == "closed":
                for reason in group.iter("extrareasons"):
                    ranges = [part.split("-") for part in reason.attrib["ports"].split(",")]
                    found[address] |= {
                        (reason.attrib["proto"], port)
                        for ends in ranges
                        for port in range(int(ends[0]), int(ends[-1]) + 1)
                    }
    return found


@dataclass(frozen=True)
class Inside:
    """A container's network on its host.

    Attributes:
        name: The container.
        host: Its host.
        address: The container's address.
        gateway: The host's address on the container's bridge.
        namespace: File of the container's network namespace, as seen from this machine.
    """

    name: str
    host: str
    address: str
    gateway: str
    namespace: str


class Walls:
    """The lab, seen as who reaches what."""

    def __init__(self, lab: Lab) -> None:
        """Start without looking.

        Args:
            lab: The lab.
        """
        self.lab = lab

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The table, as the catalogue and the inventory come to."""
        return list(self.lab.facts["reachability"])

    def promised(self, source: str, on: str = "") -> View:
        """What the table says for one source, by address."""
        return {
            cell["address"]: {("tcp", port) for port in cell["ports"]}
            for cell in self.cells
            if (cell["source"], cell["on"]) == (source, on)
        }

    @cached_property
    def addresses(self) -> dict[str, dict[tuple[str, int], str]]:
        """Addresses of each host, by network and IP version."""
        found: dict[str, dict[tuple[str, int], str]] = {}
        for cell in self.cells:
            found.setdefault(cell["to"], {})[cell["network"], cell["version"]] = cell["address"]
        return found

    def inside(self) -> list[Inside]:
        """Look up the containers' networks; they change whenever a container is made anew."""
        form = (
            "{{.Name}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{.Gateway}}{{end}}"
            " {{.NetworkSettings.SandboxKey}}"
        )
        found = []
        for host in self.lab.hosts:
            running = self.lab.on(host, "docker", "ps", "--quiet").split()
            for line in self.lab.on(host, "docker", "inspect", "--format", form, *running).splitlines():
                name, address, gateway, sandbox = line.removeprefix("/").split()
                place = sandbox.removeprefix("/var")
                found.append(Inside(name, host, address, gateway, f"{self._root_of(host)}/root{place}"))
        return found

    def _root_of(self, host: str) -> str:
        return _process_of(self.lab.container_of(host))

    @contextmanager
    def sources(self) -> Iterator[list[Source]]:
        """Make every place to scan from: two kinds of machines that are not ours, and all that are."""
        with ExitStack() as stack:
            for job in (entry for entry in self.lab.facts["instances"] if entry not in self.lab.containers):
                stack.enter_context(self._sleeper_of(job))
            insides = self.inside()
            (edge_host, *_) = (host for host, known in self.addresses.items() if ("edge", 4) in known)
            outside = stack.enter_context(self._machine("edge"))
            places = [self._outsider(outside, edge_host, insides), self._operator()]
            for host in self.lab.hosts:
                stranger = stack.enter_context(self._machine("internal"))
                places += [self._stranger(stranger, host, insides), self._host(host)]
            yield places + [self._container(inside, insides) for inside in insides]

    def stranger(self) -> AbstractContextManager[str]:
        """Run a machine that is not ours in the internal subnet; gives the file of its network namespace."""
        return self._machine("internal")

    @contextmanager
    def _machine(self, network: str) -> Iterator[str]:
        """Run a machine that is not ours on one of the lab's networks."""
        options = [
            f"--network={self.lab.name}-{network}",
            f"--label=shopfleet.lab={self.lab.name}",
            "--entrypoint=sleep",
        ]
        command = ["docker", "run", "--rm", "--detach", *options]
        name = subprocess.check_output([*command, self.lab.image, "1800"], text=True).strip()
        try:
            yield f"{_process_of(name)}/ns/net"
        finally:
            subprocess.run(["docker", "rm", "--force", "--volumes", name], check=True, capture_output=True)

    @contextmanager
    def _sleeper_of(self, job: Mapping[str, Any]) -> Iterator[None]:
        """Put a container in the place of a job, which is not there between deployments."""
        neighbour = next(entry["name"] for entry in self.lab.containers if entry["host"] == job["host"])
        image = self.lab.on(job["host"], "docker", "inspect", "--format", "{{.Config.Image}}", neighbour).strip()
        options = ["--rm", "--detach", f"--name={job['name']}", f"--network=shopfleet-{job['name']}"]
        self.lab.on(job["host"], "docker", "run", *options, "--entrypoint=sleep", image, "1800")
        try:
            yield
        finally:
            self.lab.on(job["host"], "docker", "rm", "--force", job["name"])

    def _outsider(self, namespace: str, edge_host: str, insides: Sequence[Inside]) -> Source:
        """Somebody on the edge network, who takes the load balancer for a router to all the rest."""
        promised = self.promised("outside") | _closed(insides, edge_host)
        own = {address for (network, _), address in self.addresses[edge_host].items() if network == "edge"}
        routes = {
            address: self.addresses[edge_host]["edge", version_of(address)]
            for address in promised
            if address not in own
        }
        return Source("outside", "outside", namespace, promised, routes)

    def _stranger(self, namespace: str, host: str, insides: Sequence[Inside]) -> Source:
        """Somebody in the internal subnet, who takes one of the hosts for a router to what is behind it."""
        table = self.promised("stranger")
        promised = {address: table[address] for address in self.addresses[host].values()} | _closed(insides, host)
        own = {address for (network, _), address in self.addresses[host].items() if network == "internal"}
        routes = {
            address: self.addresses[host]["internal", version_of(address)] for address in promised if address not in own
        }
        return Source(f"stranger beside {host}", "stranger", namespace, promised, routes)

    def _operator(self) -> Source:
        """This machine. On the edge network it has another address, which is anybody's."""
        anybody, promised = self.promised("outside"), self.promised("operator")
        edges = {cell["address"] for cell in self.cells if cell["network"] == "edge"}
        return Source(
            "operator", "operator", "", {a: anybody[a] if a in edges else ports for a, ports in promised.items()}
        )

    def _host(self, host: str) -> Source:
        """One of the hosts, which takes its neighbours for routers to their edge addresses."""
        routes = {
            cell["address"]: self.addresses[cell["to"]]["internal", cell["version"]]
            for cell in self.cells
            if cell["source"] == host
            and cell["network"] == "edge"
            and ("edge", cell["version"]) not in self.addresses[host]
        }
        return Source(host, "host", f"{self._root_of(host)}/ns/net", self.promised(host, host), routes)

    def _container(self, inside: Inside, insides: Sequence[Inside]) -> Source:
        """One of the containers, which may know its neighbours' addresses."""
        neighbours = [other.address for other in insides if other.host == inside.host and other != inside]
        promised = self.promised(inside.name, inside.host)
        promised |= {address: set() for address in (*neighbours, inside.gateway)}
        place = Source(inside.name, "container", inside.namespace, {})
        six = json.loads(place.run("ip", "-json", "-6", "address", "show", "scope", "global"))
        if not six:
            # It has no address of that version to send from.
            promised = {address: ports for address, ports in promised.items() if version_of(address) == 4}
        return Source(f"{inside.name} on {inside.host}", "container", inside.namespace, promised)

    def assert_on_this_machine(self) -> None:
        """No probe may leave this machine: the addresses must be on bridges of the lab."""
        for address in {cell["address"] for cell in self.cells}:
            (route,) = json.loads(subprocess.check_output(["ip", "-json", "route", "get", address]))
            assert route["dev"].startswith(f"{self.lab.name[:10]}-"), f"{address} is not in the lab: {route}"

    def breaches(self, tcp_ports: str = EVERY_TCP_PORT, kinds: Sequence[str] = ()) -> list[str]:
        """Scan from every place, and compare with the table.

        Args:
            tcp_ports: Which, as nmap wants them.
            kinds: Kinds of sources to scan from; all by default.

        Returns:
            A sentence for each difference.
        """
        self.assert_on_this_machine()
        with self.sources() as sources, ThreadPoolExecutor(_SCANS_AT_ONCE) as pool:
            chosen = [source for source in sources if not kinds or source.kind in kinds]
            views = list(pool.map(lambda source: source.scan(tcp_ports), chosen))
            for source, view in zip(chosen, views, strict=True):
                source.scan_again(view)
        return [
            sentence
            for source, view in zip(chosen, views, strict=True)
            for sentence in differences(source.name, source.promised, view)
        ]

    @contextmanager
    def knocking(self) -> Iterator[list[tuple[str, int]]]:
        """Let a stranger in the internal subnet dial whatever others may, and he may not, until the block ends.

        Yields:
            The addresses and ports that answered; filled when the block has ended.
        """
        self.assert_on_this_machine()
        cells = [cell for cell in self.cells if cell["network"] == "internal"]
        own = {(cell["address"], port) for cell in cells if cell["kind"] == "stranger" for port in cell["ports"]}
        doors = sorted({(cell["address"], port) for cell in cells for port in cell["ports"]} - own)
        answered: list[tuple[str, int]] = []
        with self.stranger() as namespace:
            stranger = ["nsenter", f"--net={namespace}"]
            # A neighbour that is away is looked for again after a second, in which a host can boot.
            for version in ("ipv4", "ipv6"):
                path = f"/proc/sys/net/{version}/neigh/eth0/retrans_time_ms"
                subprocess.run([*stranger, "sh", "-c", f"echo 20 >{path}"], check=True)
            command = [*stranger, sys.executable, str(_KNOCK), json.dumps(doors)]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                try:
                    assert process.stdout.readline() == "begun\n"
                    yield answered
                finally:
                    said, _ = process.communicate(timeout=60)
                answered += [(address, port) for address, port in json.loads(said)]

    @property
    def catalogue_ports(self) -> str:
        """The ports of the table, and those that containers listen on, as nmap wants them."""
        ports = {port for cell in self.cells for port in cell["ports"]}
        for entry in self.lab.containers:
            ports |= {number for port in entry["ports"].values() for number in (port["port"], port["target"])}
        return ",".join(str(port) for port in sorted(ports))

    def rulesets(self) -> dict[str, Ruleset]:
        """Read the rules that the hosts have loaded."""
        return {host: Ruleset(json.loads(self.lab.on(host, *LISTING))) for host in self.lab.hosts}

    def contradictions(self, rulesets: Mapping[str, Ruleset]) -> list[str]:
        """Judge a packet for each cell and port by the loaded rules, and compare with the table.

        Args:
            rulesets: The rules of each host.

        Returns:
            A sentence for each difference.
        """
        insides = self.inside()
        judge = _Judge(rulesets, self, insides)
        found = []
        for cell in self.cells:
            promised = {cell["address"]: {("tcp", port) for port in cell["ports"]}}
            if (cell["network"], cell["version"]) == ("internal", 4):
                # behind the host, once for each source
                behind = (inside for inside in insides if inside.host == cell["to"] and inside.name != cell["source"])
                promised |= {inside.address: set() for inside in behind}
            judged = {address: judge.open_ports(cell, address, cell["ports"]) for address in promised}
            found += differences(f"{cell['source']} on {cell['on']}".removesuffix(" on "), promised, judged)
        return found


@dataclass(frozen=True)
class _Judge:
    """Follows packets through the hosts' rules."""

    rulesets: Mapping[str, Ruleset]
    walls: Walls
    insides: Sequence[Inside]

    def open_ports(self, cell: Mapping[str, Any], address: str, ports: Sequence[int]) -> set[Port]:
        """List the ports that the rules open from a cell's source to an address at the cell's host."""
        candidates = set(ports).union(*(ruleset.ports for ruleset in self.rulesets.values()))
        return {
            (protocol, port)
            for protocol in ("tcp", "udp")
            for port in candidates
            if all(self.rulesets[host].accepts(packet) for host, packet in self._journey(cell, address, protocol, port))
        }

    def _journey(self, cell: Mapping[str, Any], address: str, protocol: str, port: int) -> Iterator[tuple[str, Packet]]:
        """Give the packet at each host that judges it."""
        version = version_of(address)
        interface = "outward"
        source = self._address_of(cell, version)
        if cell["kind"] == "container":
            inner = next((i.address for i in self.insides if i.name == cell["source"]), _ANYBODY[version])
            here = cell["to"] == cell["on"]
            yield cell["on"], self._packet(cell["bridge"], inner, address, protocol, port, cell["on"] if here else "")
            if here:
                return
        yield cell["to"], self._packet(interface, source, address, protocol, port, cell["to"])

    def _address_of(self, cell: Mapping[str, Any], version: int) -> str:
        if cell["on"]:
            return self.walls.addresses[cell["on"]].get(("internal", version), _ANYBODY[version])
        own = [ip_network(operator) for operator in self.walls.lab.facts["operators"]]
        if cell["kind"] == "operator":
            return next((str(network[0]) for network in own if network.version == version), _ANYBODY[version])
        if cell["kind"] == "stranger":
            internal = self.walls.addresses[cell["to"]].get(("internal", version))
            return str(ip_address(int(ip_address(internal)) + 100)) if internal else _ANYBODY[version]
        return _ANYBODY[version]

    def _packet(self, interface: str, source: str, target: str, protocol: str, port: int, host: str) -> Packet:
        family = "ip" if version_of(target) == 4 else "ip6"
        local = host and target in self.walls.addresses[host].values()
        return {
            "iifname": interface,
            "nfproto": "ipv4" if family == "ip" else "ipv6",
            "l4proto": protocol,
            "ct state": "new",
            f"{family} saddr": source,
            f"{family} daddr": target,
            f"{protocol} dport": port,
            "fib saddr . iif oif": True,
            "fib daddr type": "local" if local else "unicast",
        }


def differences(source: str, promised: View, found: View) -> list[str]:
    """Say what is open against the table, and what is closed against it.

    Args:
        source: Who dials.
        promised: What the table says.
        found: What was seen.

    Returns:
        A sentence for each.
    """
    sentences = []
    for address, ports in promised.items():
        for verb, wrong in (("reaches", found[address] - ports), ("does not reach", ports - found[address])):
            if wrong:
                listed = ", ".join(f"{protocol} {port}" for protocol, port in sorted(wrong)[:8])
                more = f" and {len(wrong) - 8} more" if len(wrong) > 8 else ""
                sentences.append(f"{source} {verb} {address}: {listed}{more}")
    return sentences


def _closed(insides: Sequence[Inside], host: str) -> View:
    """The addresses that a host has for its containers only: nobody is to reach them."""
    return {address: set() for inside in insides if inside.host == host for address in (inside.address, inside.gateway)}


def _process_of(container: str) -> str:
    """Folder of a container's first process in /proc."""
    inspect = ["docker", "inspect", "--format", "{{.State.Pid}}", container]
    return f"/proc/{subprocess.check_output(inspect, text=True).strip()}"
