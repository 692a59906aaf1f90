"""Reads a table of nftables as the kernel gives it back, and says what becomes of a packet.

Knows the expressions that the firewall uses, and fails on one that it does not know instead of guessing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

# Fields of a packet, by the names that nft's manual has for them: "ip saddr", "tcp dport", "fib daddr type", …
Packet = Mapping[str, Any]

LISTING = ("nft", "--json", "list", "table", "inet", "shopfleet")
_HARMLESS = {"counter", "limit", "log"}
_VERDICTS = {"accept", "drop", "return", "jump", "goto"}
_LARGEST_PORT = 65535


class Ruleset:
    """One table, loaded."""

    def __init__(self, listing: Mapping[str, Any]) -> None:
        """Sort the listing.

        Args:
            listing: What `nft --json list table` printed. Its objects may come in any order, but for the rules of a
                chain.
        """
        objects = [(kind, entry) for item in listing["nftables"] for kind, entry in item.items()]
        self._sets = {entry["name"]: entry.get("elem", []) for kind, entry in objects if kind in ("set", "map")}
        self._chains = {entry["name"]: entry for kind, entry in objects if kind == "chain"}
        self._rules: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in self._chains}
        for kind, entry in objects:
            if kind == "rule":
                self._rules[entry["chain"]].append(entry["expr"])
        self.ports = sorted(set(_around(_numbers([self._sets, self._rules]))))

    def accepts(self, packet: Packet) -> bool:
        """Whether a packet that arrives is let in.

        Args:
            packet: Its fields.

        Returns:
            The verdict of the chains in prerouting, which see a packet as its sender dialled.
        """
        bases = [chain for chain in self._chains.values() if "hook" in chain]
        assert bases, "no chain is loaded"
        assert {chain["hook"] for chain in bases} == {"prerouting"}, "a chain judges elsewhere, which is not read here"
        return all(
            (self._run(chain["name"], packet) or chain["policy"]) == "accept"
            for chain in sorted(bases, key=lambda chain: chain["prio"])
        )

    def _run(self, chain: str, packet: Packet) -> str | None:
        for rule in self._rules[chain]:
            verdict = self._judge(rule, packet)
            if verdict == "return":
                return None
            if verdict:
                return verdict
        return None

    def _judge(self, rule: Sequence[Mapping[str, Any]], packet: Packet) -> str | None:
        for statement in rule:
            ((kind, detail),) = statement.items()
            if kind == "match":
                if not self._matches(detail, packet):
                    return None
            elif kind == "vmap":
                verdict = self._look_up(detail, packet)
                if verdict:
                    return self._decide(verdict, packet)
            elif kind in _VERDICTS:
                return self._decide(statement, packet)
            else:
                assert kind in _HARMLESS, f"a statement that is not known here: {statement}"
        return None

    def _decide(self, verdict: Mapping[str, Any], packet: Packet) -> str | None:
        ((kind, detail),) = verdict.items()
        if kind == "jump":
            return self._run(detail["target"], packet)
        if kind == "goto":
            return self._run(detail["target"], packet) or "return"
        return str(kind)

    def _look_up(self, vmap: Mapping[str, Any], packet: Packet) -> Mapping[str, Any] | None:
        value = _value(vmap["key"], packet)
        pairs = vmap["data"]["set"] if isinstance(vmap["data"], dict) else self._sets[vmap["data"].removeprefix("@")]
        return next((verdict for key, verdict in pairs if value is not None and _equal(value, key)), None)

    def _matches(self, match: Mapping[str, Any], packet: Packet) -> bool:
        value = _value(match["left"], packet)
        if value is None:
            return False
        right = match["right"]
        if isinstance(right, str) and right.startswith("@"):
            members = self._sets[right.removeprefix("@")]
        elif isinstance(right, dict) and "set" in right:
            members = right["set"]
        else:
            members = [right]
        found = any(_equal(value, member) for member in members)
        assert match["op"] in ("==", "!=", "in"), f"a comparison that is not known here: {match}"
        return not found if match["op"] == "!=" else found


def _value(expression: Mapping[str, Any], packet: Packet) -> object:
    """Look up what an expression reads; None where the packet has no such field."""
    ((kind, detail),) = expression.items()
    if kind == "concat":
        parts = [_value(part, packet) for part in detail]
        return None if None in parts else parts
    if kind == "meta":
        return packet.get(detail["key"])
    if kind == "ct":
        return packet.get(f"ct {detail['key']}")
    if kind == "payload":
        return packet.get(f"{detail['protocol']} {detail['field']}")
    assert kind == "fib", f"an expression that is not known here: {expression}"
    return packet[f"fib {' . '.join(detail['flags'])} {detail['result']}"]


def _equal(value: object, member: object) -> bool:
    if isinstance(member, dict):
        ((kind, detail),) = member.items()
        if kind == "elem":
            return _equal(value, detail["val"])
        if kind == "concat":
            assert isinstance(value, list)
            return all(_equal(part, wanted) for part, wanted in zip(value, detail, strict=True))
        if kind == "prefix":
            return ip_address(str(value)) in ip_network(f"{detail['addr']}/{detail['len']}")
        assert kind == "range", f"an element that is not known here: {member}"
        low, high = (_ordinal(end) for end in detail)
        return low <= _ordinal(value) <= high
    if isinstance(member, str) and member.endswith("*"):
        return str(value).startswith(member.removesuffix("*"))
    return value == member


def _ordinal(value: object) -> int:
    """Number of a port or of an address."""
    return value if isinstance(value, int) else int(ip_address(str(value)))


def _numbers(thing: object) -> Iterator[int]:
    if isinstance(thing, int):
        yield thing
    elif isinstance(thing, (Mapping, list)):
        for part in thing.values() if isinstance(thing, Mapping) else thing:
            yield from _numbers(part)


def _around(numbers: Iterator[int]) -> Iterator[int]:
    """Give every port at which a verdict can change, and its neighbours: one of each stretch of ports alike."""
    yield from (0, _LARGEST_PORT)
    for number in numbers:
        yield from (port for port in (number - 1, number, number + 1) if 0 <= port <= _LARGEST_PORT)
