"""Inventories of labs with more hosts than the one of inventory/lab."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "inventory" / "lab"
# Of three hosts more, two are web servers, as theirs is the work.
WEB_OF_THREE = 2


def layout(hosts: int) -> dict[str, Any]:
    """Add hosts to the lab: web servers, and APIs beside them.

    Args:
        hosts: How many there shall be.

    Returns:
        An inventory.

    Raises:
        ValueError: The lab itself has more.
    """
    inventory: dict[str, Any] = yaml.safe_load((LAB / "hosts.yml").read_text(encoding="utf-8"))
    machines = inventory["lab"]["hosts"]
    more = hosts - len(machines)
    if more < 0:
        raise ValueError(f"a lab has at least {len(machines)} hosts")
    webs = round(more * WEB_OF_THREE / 3)
    highest = max(machine["lab_host_number"] for machine in machines.values())
    for number in range(more):
        group, index = ("web", number + 2) if number < webs else ("api", number - webs + 2)
        machines[f"{group}{index}"] = {"lab_host_number": highest + 1 + number}
        inventory[group]["hosts"][f"{group}{index}"] = None
    return inventory


def write(folder: Path, hosts: int) -> Path:
    """Write the inventory of a lab that has keys and secrets of its own.

    Args:
        folder: Where to; its name tells its secrets from those of others.
        hosts: How many hosts it shall have.

    Returns:
        The folder.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("group_vars", "lab.cfg", "pinned.yml"):
        (folder / name).symlink_to(LAB / name)
    inventory = layout(hosts)
    own = {
        "lab_state_dir": str(folder.parent / f"{folder.name}-keys"),
        # Every web host is to have work.
        "catalogue_web_instances": max(3, len(inventory["web"]["hosts"])),
    }
    for machine in inventory["lab"]["hosts"].values():
        machine |= own
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory, sort_keys=False), encoding="utf-8")
    return folder
