"""A run changes what it says and no more: ten settings, check mode, --limit, runs that are killed, two runs at once."""

from __future__ import annotations

import getpass
import json
import platform
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import yaml
from lab import ROOT, Lab
from runs import Run, differences

WEB = {"web-1", "web-2", "web-3"}
_SERVICES = ROOT / "roles" / "catalogue" / "defaults" / "main" / "services.yml"


@dataclass(frozen=True)
class Setting:
    """A setting, and who uses it.

    Attributes:
        values: What is set.
        restarts: The containers that are made anew for it, and no others.
        limit: The part of the fleet that it is deployed on.
    """

    values: dict[str, Any]
    restarts: set[str]
    limit: str = "all"


@pytest.fixture(scope="module")
def words() -> dict[str, str]:
    """New secrets."""
    names = ("redis_password", "mysql_api_password", "web_key")
    return {f"catalogue_{name}": f"planted{secrets.token_hex(10)}" for name in names}


@pytest.fixture(scope="module")
def settings(lab: Lab, words: dict[str, str]) -> list[Setting]:
    """Ten settings across the services. Each is deployed on top of those before it."""
    services = yaml.safe_load(_SERVICES.read_text())["catalogue_services"]
    services["mysql"]["pids"] = 257
    money = {"catalogue_currency": "CHF", "catalogue_logins_per_minute": 29}
    return [
        Setting(money, WEB | {"admin"}, limit="web1"),
        Setting(money, {"haproxy"}, limit="lb"),
        Setting({"catalogue_freshness_ms": 900}, WEB),
        Setting({"catalogue_server_names": ["localhost", "shop.example"]}, {"haproxy"}),
        Setting({"catalogue_web_key": words["catalogue_web_key"]}, WEB | {"haproxy"}),
        Setting({"catalogue_redis_password": words["catalogue_redis_password"]}, {"redis", "api", "admin-api"}),
        # After the one of Redis, which the schema job has, too: it gets its files when it runs, and runs for accounts.
        Setting({"catalogue_mysql_api_password": words["catalogue_mysql_api_password"]}, {"api"}),
        Setting({"catalogue_services": services}, {"mysql"}),
        Setting({"docker_host_settings": {"labels": ["shelf=left"]}}, set()),
        Setting({"operator_addresses": [*lab.facts["operators"], "192.0.2.1"]}, set()),
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Start a run of ./fleet deploy with these settings; each keeps its record."""
    folder = tmp_path_factory.mktemp("runs")

    def start(values: dict[str, Any], *arguments: str) -> Run:
        file = folder / "settings.json"
        file.touch(0o600)
        file.write_text(json.dumps(values))
        return Run(folder, "deploy", "-e", f"@{file}", *arguments)

    return start


def merged(settings: list[Setting]) -> dict[str, Any]:
    return {name: value for setting in settings for name, value in setting.values.items()}


@pytest.fixture(scope="module")
def foretold(runs: Callable[..., Run], settings: list[Setting], lab: Lab) -> Run:
    """What check mode says of all ten settings at once, before anything is changed."""
    before = lab.started()
    run = runs(merged(settings), "--check", "--diff").completed()
    assert lab.started() == before
    return run


@pytest.fixture(scope="module")
def deployed(foretold: Run, runs: Callable[..., Run], settings: list[Setting], lab: Lab) -> list[tuple[Run, set[str]]]:
    """The settings, deployed one after the other: each run, and the containers that it made anew."""
    assert foretold.changes
    done = []
    for number, setting in enumerate(settings, 1):
        before = lab.started()
        run = runs(merged(settings[:number]), "--limit", setting.limit).completed()
        after = lab.started()
        done.append((run, {name for name in before if before[name] != after[name]}))
    return done


@pytest.mark.parametrize("number", range(10))
def test_a_changed_setting_restarts_just_the_containers_that_use_it(
    deployed: list[tuple[Run, set[str]]], settings: list[Setting], number: int
) -> None:
    assert deployed[number][1] == settings[number].restarts


def test_a_limited_run_changes_nothing_elsewhere(deployed: list[tuple[Run, set[str]]]) -> None:
    assert [{change.host for change in run.changes} for run, _ in deployed[:2]] == [{"web1"}, {"lb1"}]


@pytest.mark.usefixtures("deployed")
def test_customers_see_a_setting_that_was_changed(lab: Lab) -> None:
    assert "CHF" in requests.get(lab.url, timeout=10).text


def test_check_mode_says_what_is_changed_then_and_nothing_else(
    foretold: Run, deployed: list[tuple[Run, set[str]]]
) -> None:
    changed = set().union(*(run.changes for run, _ in deployed))
    assert {"Write the daemon's settings", "Restart Docker"} <= {change.task.split(" : ")[1] for change in changed}
    assert differences(foretold.changes, changed) == set()


def test_a_diff_shows_settings_and_no_secret(foretold: Run, words: dict[str, str]) -> None:
    assert "shelf=left" in foretold.output
    kept = [file.read_text().strip() for file in (ROOT / ".fleet" / "secrets" / "lab").iterdir() if file.is_file()]
    assert len(kept) >= 8
    assert [word for word in (*words.values(), *kept) if word in foretold.output] == []


@pytest.mark.usefixtures("deployed")
def test_of_two_runs_at_once_the_second_stops_and_says_who_is_at_work(
    runs: Callable[..., Run], settings: list[Setting]
) -> None:
    first = runs(merged(settings))
    first.await_task("Look at the host")
    said = runs({}, "--limit", "web1").refused()
    who = re.escape(f"{getpass.getuser()}@{platform.node()} (process {first.process.pid})")
    since = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    assert re.search(rf"Another run is at work here: {who} from \S+ since {since}\. Wait until", said)
    assert first.completed().changes == set()


# In the order of a run: from the firewall's rules to the last containers.
POINTS = [
    "Write the rules and what loads them",
    "Load the rules on trial",
    "Confirm the rules over a new connection",
    "Write the daemon's settings",
    "Start Docker now and at boot",
    "Make the folders and write the files",
    "Run the container",
    "Make the accounts with just their rights",
    "Ask for a sign of life",
    "Record what is deployed",
]


@pytest.mark.usefixtures("deployed")
def test_what_ten_killed_runs_have_left_undone_is_done_by_the_next(
    runs: Callable[..., Run], lab: Lab, eventually: Callable[..., None]
) -> None:
    for point in POINTS:
        run = runs({})
        run.await_task(point)
        run.kill()
    runs({}).completed()
    eventually(lambda: not lab.unhealthy(), 60)
    daemons = [lab.on(host, "docker", "info", "--format", "{{json .Labels}}").strip() for host in lab.hosts]
    assert daemons == ["[]"] * len(lab.hosts)
    rules = [lab.on(host, "nft", "list", "table", "inet", "shopfleet") for host in lab.hosts]
    assert not any("192.0.2.1" in text for text in rules)
    page = requests.get(lab.url, timeout=10)
    assert page.status_code == 200
    assert "\u20ac" in page.text
    assert runs({}).completed().changes == set()
