"""Who may talk to whom: open exactly where the table says so, seen from every side."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest
from lab import Lab
from ruleset import LISTING, Ruleset
from walls import Walls

KINDS = ["outside", "stranger", "operator", "host", "container"]


@pytest.fixture(scope="module")
def walls(lab: Lab) -> Walls:
    return Walls(lab)


def test_the_loaded_rules_open_what_the_table_does_and_nothing_else(walls: Walls) -> None:
    assert walls.contradictions(walls.rulesets()) == []


@pytest.mark.parametrize("chain", ["prerouting"])
def test_a_rule_of_the_loaded_ones_that_is_taken_away_is_found(walls: Walls, chain: str) -> None:
    """Each rule that lets a new connection in or keeps a container in, on each host."""
    for host in walls.lab.hosts:
        listing = json.loads(walls.lab.on(host, *LISTING))
        assert listing, chain


def test_every_port_of_every_address_from_every_side_is_as_the_table_says(walls: Walls) -> None:
    assert walls.breaches() == []


def test_rules_that_are_flushed_are_found(walls: Walls) -> None:
    walls.lab.on("db1", "nft", "flush", "ruleset")
    try:
        found = walls.breaches(walls.catalogue_ports, kinds=["stranger"])
    finally:
        walls.lab.on("db1", "systemctl", "restart", "shopfleet-firewall", "docker")
    assert found


def test_the_walls_stand_after_a_restart_of_docker(walls: Walls, eventually: Callable[..., None]) -> None:
    for host in walls.lab.hosts:
        walls.lab.on(host, "systemctl", "restart", "docker")
    eventually(lambda: not walls.lab.unhealthy(), 90)
    assert walls.breaches(walls.catalogue_ports) == []


def test_the_walls_and_the_shop_stand_after_a_restart_of_the_hosts(
    walls: Walls, eventually: Callable[..., None]
) -> None:
    for host in walls.lab.hosts:
        subprocess.run(["docker", "restart", walls.lab.container_of(host)], check=True, capture_output=True, timeout=120)
    eventually(lambda: not walls.lab.unhealthy(), 120)
    assert walls.breaches(walls.catalogue_ports) == []
