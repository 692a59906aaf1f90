"""Who may talk to whom: open exactly where the table says so, by the rules and seen from every side."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab import Lab
from ruleset import LISTING, Ruleset
from walls import Walls

BY_HAND = 9999


@pytest.fixture(scope="module")
def walls(lab: Lab) -> Walls:
    return Walls(lab)


@pytest.fixture
def mended(walls: Walls, eventually: Callable[..., None]) -> Iterator[None]:
    """Puts the rules of all hosts back, and Docker's with them."""
    yield
    for host in walls.lab.hosts:
        walls.lab.on(host, "systemctl", "reload", "shopfleet-firewall")
        walls.lab.on(host, "systemctl", "restart", "docker")
    eventually(lambda: not walls.lab.unhealthy(), 90)


def keeps_containers_in(rule: dict[str, Any]) -> bool:
    """Whether a rule drops what containers send, unless it was let through before."""
    return "br-*" in json.dumps(rule) and any("drop" in statement for statement in rule["expr"])


def lose_elements(listing: dict[str, Any]) -> None:
    for item in listing["nftables"]:
        if item.get("set", {}).get("elem"):
            item["set"]["elem"].pop()


def lose_a_rule(listing: dict[str, Any]) -> None:
    listing["nftables"] = [
        item for item in listing["nftables"] if not ("rule" in item and keeps_containers_in(item["rule"]))
    ]


def gain_a_rule(listing: dict[str, Any]) -> None:
    opening = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 8404}}
    chain = next(item["chain"]["name"] for item in listing["nftables"] if "chain" in item and "hook" in item["chain"])
    listing["nftables"].insert(0, {"rule": {"chain": chain, "expr": [opening, {"accept": None}]}})


def lose_everything_but_an_open_chain(listing: dict[str, Any]) -> None:
    listing["nftables"] = [item for item in listing["nftables"] if "rule" not in item]
    for item in listing["nftables"]:
        if "chain" in item:
            item["chain"]["policy"] = "accept"


def test_the_loaded_rules_open_what_the_table_does_and_nothing_else(walls: Walls) -> None:
    assert walls.contradictions(walls.rulesets()) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lose_elements, "does not reach"),
        (lose_a_rule, "haproxy on lb1 reaches"),
        (gain_a_rule, "stranger reaches"),
        (lose_everything_but_an_open_chain, "outside reaches"),
    ],
)
def test_rules_that_say_something_else_are_found(
    walls: Walls, change: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    listing = json.loads(walls.lab.on("lb1", *LISTING))
    change(listing)
    found = walls.contradictions(walls.rulesets() | {"lb1": Ruleset(listing)})
    assert any(sentence in difference for difference in found)


def test_every_port_of_every_address_is_as_the_table_says_from_every_side(walls: Walls) -> None:
    assert walls.breaches() == []


@pytest.mark.usefixtures("mended")
def test_a_rule_that_was_removed_is_seen_from_the_containers(walls: Walls) -> None:
    listing = json.loads(walls.lab.on("lb1", *LISTING))
    rules = (item["rule"] for item in listing["nftables"] if "rule" in item)
    rule = next(rule for rule in rules if keeps_containers_in(rule))
    walls.lab.on("lb1", "nft", "delete", "rule", "inet", "shopfleet", rule["chain"], "handle", str(rule["handle"]))
    edge = walls.addresses["lb1"]["edge", 4]
    (sentence,) = walls.breaches(walls.catalogue_ports, ["container"])
    published = ", ".join(f"{protocol} {port}" for protocol, port in sorted(walls.promised("outside")[edge]))
    assert sentence == f"haproxy on lb1 reaches {edge}: {published}"


@pytest.mark.usefixtures("mended")
def test_a_port_published_by_hand_stays_closed_until_the_rules_are_flushed(walls: Walls) -> None:
    image = walls.lab.on("db1", "docker", "inspect", "--format", "{{.Config.Image}}", "mysql").strip()
    options = ["--rm", "--detach", "--name=by-hand", f"--publish={BY_HAND}:{BY_HAND}", "--entrypoint=sleep"]
    walls.lab.on("db1", "docker", "run", *options, image, "600")
    try:
        assert walls.breaches(f"{BY_HAND},3306", ["stranger", "host", "container"]) == []
        walls.lab.on("db1", "nft", "flush", "ruleset")
        found = walls.breaches(f"{BY_HAND},3306", ["stranger"])
    finally:
        walls.lab.on("db1", "docker", "rm", "--force", "by-hand")
    address = walls.addresses["db1"]["internal", 4]
    assert any(f"reaches {address}: tcp 3306, tcp {BY_HAND}" in difference for difference in found)


def test_the_walls_stand_after_a_restart_of_docker(walls: Walls, eventually: Callable[..., None]) -> None:
    for host in walls.lab.hosts:
        walls.lab.on(host, "systemctl", "restart", "docker")
    eventually(lambda: not walls.lab.unhealthy(), 90)
    assert walls.breaches(walls.catalogue_ports) == []


def restart(walls: Walls, host: str) -> None:
    """Restart a host as a whole."""
    name = walls.lab.container_of(host)
    subprocess.run(["docker", "restart", name], check=True, capture_output=True, timeout=120)


def test_the_walls_and_the_shop_stand_while_the_hosts_restart_and_after(
    walls: Walls, eventually: Callable[..., None]
) -> None:
    with walls.knocking() as answered:
        for host in walls.lab.hosts:
            restart(walls, host)
        eventually(lambda: not walls.lab.unhealthy(), 120)
    assert answered == []
    assert walls.breaches(walls.catalogue_ports) == []


@pytest.fixture
def late_rules(walls: Walls, eventually: Callable[..., None]) -> Iterator[str]:
    """A host whose next start waits for nobody's rules: they come when the file /run/let-them-come is there."""
    host = walls.lab.hosts[-1]
    unit = "/etc/systemd/system/shopfleet-firewall.service"
    wait = "ExecStartPre=/bin/sh -c 'until [ -e /run/let-them-come ]; do sleep 0.1; done'"
    walls.lab.on(host, "cp", "--preserve", unit, "/root/kept.service")
    walls.lab.on(host, "sed", "--in-place", "--expression=/^Before=/d", f"--expression=/^Type=/a {wait}", unit)
    yield host
    walls.lab.on(host, "touch", "/run/let-them-come")
    walls.lab.on(host, "mv", "/root/kept.service", unit)
    walls.lab.on(host, "systemctl", "daemon-reload")
    eventually(lambda: not walls.lab.unhealthy(), 90)


def test_rules_that_come_late_at_boot_are_seen(walls: Walls, late_rules: str, eventually: Callable[..., None]) -> None:
    with walls.knocking() as answered:
        restart(walls, late_rules)
        eventually(
            lambda: "active" in walls.lab.on(late_rules, "systemctl", "is-active", "ssh", check=False).split(), 60
        )
    assert set(answered) == {(address, 22) for address in walls.addresses[late_rules].values()}
    walls.lab.on(late_rules, "touch", "/run/let-them-come")
    eventually(lambda: not walls.lab.unhealthy(), 90)
    with walls.knocking() as answered:
        pass
    assert answered == []
