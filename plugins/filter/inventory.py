"""Filters that look for faults in what people set, before anything is changed.

What may be set, and of which type it is, stands in the roles' argument specifications alone. Ansible holds a role's
variables against them when the role begins; here all roles' are looked at first, on every host, in one go.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.module_utils.parsing.convert_bool import BOOLEANS

Hostvars = Mapping[str, Mapping[str, Any]]
Network = IPv4Network | IPv6Network

# Settings of former releases, and what took their place.
_RENAMED = {
    "catalogue_admin_user": "give the admin in catalogue_admins instead, as name: password",
    "catalogue_admin_password": "give the admin in catalogue_admins instead, as name: password",
}
# Numbers that would be taken for something else when they are smaller.
_LEAST = {
    "catalogue_web_instances": 1,
    "catalogue_low_stock": 0,
    "catalogue_freshness_ms": 0,
    "catalogue_writes_per_minute": 1,
    "catalogue_logins_per_minute": 1,
    "firewall_trial_seconds": 1,
    "service_wait": 1,
    "verify_retries": 1,
}
# How alike two names are of which one is the other misspelt; less so where the prefix says that it is ours.
_ALIKE = {False: 0.9, True: 0.8}
_OWN_PREFIX = "catalogue_"
_NAME_IN_PROSE = re.compile(r"I\((\w+)\)")
_TYPES = {
    "str": "a text",
    "path": "the path of a file or folder",
    "int": "a whole number",
    "bool": "either true or false",
    "list": "a list",
    "dict": "a mapping of names to values",
}
# Variables of a host that hold its addresses: IP version, and the variable of the subnet that they lie in.
_ADDRESSES = {
    "internal_address": (4, "internal_subnet"),
    "edge_address": (4, "edge_subnet"),
    "internal_address6": (6, "internal_subnet6"),
    "edge_address6": (6, "edge_subnet6"),
}
# Subnets that Docker takes on every host, and that nothing else may lie in.
_BRIDGE = "docker_host_bridge_address"
_DOCKER_SUBNETS = (_BRIDGE, "docker_host_address_pool")
_SUBNET_REMEDY = "write its first address and its length, as 192.0.2.0/24"


class _Options:
    """What the roles' argument specifications say may be set."""

    def __init__(self, roles: Path) -> None:
        self.by_name: dict[str, dict[str, Any]] = {}
        self.known: set[str] = set()
        for file in sorted(roles.glob("*/meta/argument_specs.yml")):
            text = file.read_text()
            role = file.parent.parent.name
            for entry, spec in yaml.safe_load(text)["argument_specs"].items():
                # others are arguments of one verb, and may mean anything elsewhere
                self.by_name |= {
                    name: option
                    for name, option in spec.get("options", {}).items()
                    if entry in ("main", "settings") or f"{name}_".startswith(f"{role}_")
                }
            self.known |= set(_NAME_IN_PROSE.findall(text))
        self.known |= self.by_name.keys()


@cache
def _options(roles: str) -> _Options:
    return _Options(Path(roles))


def setting_faults(hostvars: Hostvars, roles: str) -> list[str]:
    """Look for variables of the inventory that no role reads, or that are of another type than it reads.

    Args:
        hostvars: Variables of each host, as the inventory and the command line set them.
        roles: The folder of the roles.

    Returns:
        One sentence with the remedy for each fault, without any value of a setting; empty when there is none.
    """
    options = _options(str(roles))
    faults: list[str] = []
    for host in hostvars:
        variables = hostvars[host]
        for name in variables:
            if name in options.by_name:
                faults += _value_faults(name, variables, options.by_name[name])
            elif name not in options.known:
                faults += _name_faults(name, options.known)
    return list(dict.fromkeys(faults))


def _name_faults(name: str, known: set[str]) -> Iterator[str]:
    if name in _RENAMED:
        yield f"{name} is no longer read: {_RENAMED[name]}"
    elif not name.startswith(("_", "ansible_")):
        likely = difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE[name.startswith(_OWN_PREFIX)])
        if likely:
            yield f"{name} is no setting: write {likely[0]}, if that is what is meant"
        elif name.startswith(_OWN_PREFIX):
            yield f"{name} is no setting: take it out; those there are stand in roles/catalogue/README.md"


def _value_faults(name: str, variables: Mapping[str, Any], option: Mapping[str, Any]) -> Iterator[str]:
    try:
        value = variables[name]
    except AnsibleUndefinedVariable:
        # made of a default, which only its role knows
        return
    except AnsibleError as error:
        yield f"{name} cannot be worked out: {str(error).splitlines()[0].rstrip('.')}; correct it in the inventory"
        return
    faults = list(_type_faults(name, value, option))
    yield from faults
    if not faults and int(value if name in _LEAST else 0) < _LEAST.get(name, 0):
        yield f"{name} is less than {_LEAST[name]}: give {_LEAST[name]} or more"


def _type_faults(name: str, value: object, option: Mapping[str, Any]) -> Iterator[str]:
    kind = option.get("type", "str")
    if not _is_of_type(value, kind):
        yield f"{name} has to be {_TYPES[kind]}: write it as one"
        return
    if "choices" in option and value not in option["choices"]:
        yield f"{name} is none of {', '.join(map(str, option['choices']))}: write one of these"
    if isinstance(value, Sequence) and kind == "list":
        element = {"type": option["elements"], "options": option.get("options", {})}
        for number, entry in enumerate(value, start=1):
            yield from _type_faults(f"entry {number} of {name}", entry, element)
    elif isinstance(value, Mapping) and kind == "dict" and option.get("options"):
        suboptions: Mapping[str, Mapping[str, Any]] = option["options"]
        for key in value.keys() - suboptions.keys():
            yield f"{name} has a key '{key}' that nothing reads: known are {', '.join(suboptions)}"
        for key, suboption in suboptions.items():
            if key in value:
                yield from _type_faults(f"{key} in {name}", value[key], suboption)
            elif suboption.get("required"):
                yield f"{name} lacks the key '{key}': add it"


def _is_of_type(value: object, kind: str) -> bool:
    match kind:
        case "bool":
            return isinstance(value, (bool, str)) and str(value).lower() in BOOLEANS
        case "int":
            return not isinstance(value, bool) and re.fullmatch(r"-?\d+", str(value)) is not None
        case "list":
            return isinstance(value, Sequence) and not isinstance(value, str)
        case "dict":
            return isinstance(value, Mapping)
        case _:
            return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def address_faults(hostvars: Hostvars, operators: Sequence[str], roles: str) -> list[str]:
    """Look for addresses and subnets that contradict each other.

    Args:
        hostvars: Variables of each host.
        operators: Addresses or subnets from which the hosts are administered.
        roles: The folder of the roles, for the subnets that Docker takes where the inventory names none.

    Returns:
        One sentence with the remedy for each fault; empty when there is none.
    """
    faults = list(_operator_faults(operators))
    operator_networks = [ip_network(str(operator), strict=False) for operator in operators] if not faults else []
    owners: dict[str, str] = {}
    for host in sorted(hostvars):
        variables = hostvars[host]
        subnets, faults_of_subnets = _subnets(variables, roles)
        faults += faults_of_subnets
        for (one, of_one), (other, of_other) in combinations(subnets.items(), 2):
            if of_one.overlaps(of_other):
                faults.append(f"{one} {of_one} and {other} {of_other} overlap: give one of them another subnet")
        faults += _within_docker("operator_addresses holds", operator_networks, subnets)
        for variable, (version, subnet) in _ADDRESSES.items():
            if address := str(variables.get(variable) or ""):
                place = f"{variable} of '{host}'"
                faults += _address_faults(place, address, version, subnet, subnets)
                if owners.setdefault(address, place) != place:
                    faults.append(f"{owners[address]} and {place} are both {address}: give one of them another address")
    return list(dict.fromkeys(faults))


def _operator_faults(operators: Sequence[str]) -> Iterator[str]:
    if not operators:
        yield "operator_addresses is empty: name the address you deploy from, or ssh would be locked out"
    for operator in operators:
        try:
            ip_network(str(operator), strict=False)
        except ValueError:
            yield (
                f"operator_addresses holds '{operator}', which is no address and no subnet: "
                "write it as 192.0.2.10 or 192.0.2.0/24"
            )


def _subnets(variables: Mapping[str, Any], roles: str) -> tuple[dict[str, Network], list[str]]:
    """The subnets that a host knows of, and the faults of those that are none."""
    found: dict[str, Network] = {}
    faults = []
    for variable in (*(subnet for _, subnet in _ADDRESSES.values()), *_DOCKER_SUBNETS):
        value = variables.get(variable) or _options(str(roles)).by_name.get(variable, {}).get("default")
        if not value:
            continue
        try:
            # Docker wants the address of its bridge, with the prefix.
            network = ip_interface(str(value)).network if variable == _BRIDGE else ip_network(str(value))
        except ValueError:
            faults.append(f"{variable} is '{value}', which is no subnet: {_SUBNET_REMEDY}")
            continue
        if network.num_addresses == 1:
            faults.append(f"{variable} is '{value}', which has no room for two hosts: {_SUBNET_REMEDY}")
        else:
            found[variable] = network
    return found, faults


def _address_faults(place: str, text: str, version: int, subnet: str, subnets: Mapping[str, Network]) -> Iterator[str]:
    try:
        address = ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version:
        yield f"{place} is '{text}', which is no IPv{version} address: write the address alone, without a prefix"
        return
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        yield f"{place} is {text}, by which no other host reaches it: write the address of its network interface"
        return
    if subnet in subnets:
        network = subnets[subnet]
        if address not in network:
            yield f"{place} is {text}, which lies outside {subnet} {network}: correct one of them"
        elif version == 4 and network.num_addresses > 2 and address in (network[0], network[-1]):
            yield f"{place} is {text}, which stands for the whole of {subnet} {network}: write another address"
    yield from _within_docker(f"{place} is", [ip_network(text)], subnets)


def _within_docker(place: str, networks: Sequence[Network], subnets: Mapping[str, Network]) -> Iterator[str]:
    for variable in subnets.keys() & set(_DOCKER_SUBNETS):
        for network in networks:
            if network.overlaps(subnets[variable]):
                text = network[0] if network.num_addresses == 1 else network
                yield (
                    f"{place} {text}, which Docker would take for its containers: "
                    f"set {variable} to a subnet that is free"
                )


class FilterModule:
    """Ansible's entry point to the filters."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"setting_faults": setting_faults, "address_faults": address_faults}
