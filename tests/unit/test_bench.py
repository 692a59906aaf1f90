"""./fleet bench deploy: the labs it makes and the figures it gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from plugin import ROOT

sys.path.insert(0, str(ROOT / "tests" / "bench"))

import deploy
from deploy import Phase, Run
from generated_lab import layout, write

ANSIBLE = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}


def test_a_lab_of_four_is_the_lab() -> None:
    assert layout(4) == yaml.safe_load((ROOT / "inventory/lab/hosts.yml").read_text())


@pytest.mark.parametrize(("hosts", "web", "api"), [(5, 2, 1), (8, 4, 2), (16, 9, 5)])
def test_more_hosts_are_web_servers_and_apis(hosts: int, web: int, api: int) -> None:
    inventory = layout(hosts)
    machines = inventory["lab"]["hosts"]
    assert len({machine["lab_host_number"] for machine in machines.values()}) == len(machines) == hosts
    assert {group: len(inventory[group]["hosts"]) for group in ("lb", "web", "admin", "api", "cache", "db")} == {
        "lb": 1,
        "web": web,
        "admin": 1,
        "api": api,
        "cache": 1,
        "db": 1,
    }


def test_a_smaller_lab_there_is_not() -> None:
    with pytest.raises(ValueError, match="at least 4 hosts"):
        layout(3)


def test_a_generated_lab_is_sound_and_every_host_of_it_has_work(tmp_path: Path) -> None:
    folder, facts_file = write(tmp_path / "lab-16", 16), tmp_path / "facts.json"
    subprocess.run(
        ["ansible-playbook", "tests/facts.yml", "-i", folder, "-e", f"facts_file={facts_file}"],
        cwd=ROOT,
        env=ANSIBLE,
        check=True,
        capture_output=True,
    )
    facts = json.loads(facts_file.read_text())
    assert len(set(facts["addresses"].values())) == 16
    assert {entry["host"] for entry in facts["instances"]} == set(facts["addresses"])


def test_its_keys_and_secrets_are_not_those_of_the_lab(tmp_path: Path) -> None:
    folder = write(tmp_path / "lab-4", 4)
    listed = subprocess.run(
        ["ansible-inventory", "-i", folder, "--list"], cwd=ROOT, env=ANSIBLE, check=True, capture_output=True
    )
    machines = json.loads(listed.stdout)["_meta"]["hostvars"]
    assert {machine["lab_state_dir"] for machine in machines.values()} == {str(tmp_path / "lab-4-keys")}
    assert folder.name != "lab"


def test_each_task_is_timed_on_all_of_its_hosts(tmp_path: Path) -> None:
    playbook, timings = tmp_path / "play.yml", tmp_path / "timings.json"
    wait = {"name": "Wait", "ansible.builtin.command": "sleep {{ 0.6 if inventory_hostname == 'slow' else 0.1 }}"}
    leave = {"name": "Leave", "ansible.builtin.debug": {}, "when": False}
    fail = {"name": "Fail", "ansible.builtin.fail": {}, "when": "inventory_hostname == 'slow'", "ignore_errors": True}
    play = {"name": "Play", "hosts": "all", "connection": "local", "gather_facts": False, "tasks": [wait, leave, fail]}
    playbook.write_text(yaml.safe_dump([play]))
    options = ["-i", "quick,slow", "-e", f"ansible_python_interpreter={sys.executable}"]
    environment = {"ANSIBLE_CALLBACKS_ENABLED": "timings", "SHOPFLEET_TIMINGS": str(timings)}
    subprocess.run(
        ["ansible-playbook", playbook, *options],
        cwd=tmp_path,
        env=ANSIBLE | environment,
        check=True,
        capture_output=True,
    )
    times = json.loads(timings.read_text())
    waited, left, failed = times["tasks"]
    assert [task["task"] for task in times["tasks"]] == ["Wait", "Leave", "Fail"]
    assert [task["hosts"] for task in times["tasks"]] == [2, 2, 2]
    assert waited["seconds"] >= 0.6
    assert waited["host_seconds"] >= 0.7
    assert min(left["host_seconds"], failed["host_seconds"]) > 0
    assert times["plays"] == [{"play": "Play", "seconds": times["plays"][0]["seconds"]}]
    assert times["plays"][0]["seconds"] >= waited["seconds"]


def test_the_figures_are_medians_and_what_takes_longest_comes_first() -> None:
    def run(seconds: float, changed: int) -> Run:
        tasks = [{"task": name, "hosts": 2, "seconds": took} for name, took in (("Quick", 0.1), ("Slow", seconds))]
        return Run(seconds, 3.0, changed, [{"play": "Play", "seconds": seconds}], tasks)

    phase = Phase(8, "nothing to change", [run(9.0, 0), run(30.0, 1), run(5.0, 0)])
    lines = deploy.table([phase])
    assert lines[1].split() == ["8", "nothing", "to", "change", "9.0", "s", "3", "s", "0/1", "9.0", "30.0", "5.0"]
    assert "8 hosts, nothing to change, 9.0 s:" in lines
    assert lines.index("     9.00 s  Slow (2 hosts)") < lines.index("     0.10 s  Quick (2 hosts)")
