"""A second run is a look, not a change; a changed setting touches just what uses it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
import requests
from lab import ROOT, Lab, fleet


def deploy(*arguments: str) -> str:
    return fleet("deploy", *arguments)


def test_a_second_run_changes_nothing_and_restarts_nothing(lab: Lab) -> None:
    before = lab.started()
    output = deploy()
    assert re.findall(r"changed=(\d+)", output) == ["0"] * len(lab.hosts)
    assert lab.started() == before


def test_a_changed_setting_restarts_just_the_containers_that_use_it(lab: Lab) -> None:
    before = lab.started()
    settings = ["-e", "catalogue_currency=CHF", "-e", "catalogue_locale=de_CH", "-e", "catalogue_low_stock=9"]
    deploy(*settings)
    after = lab.started()
    assert {name for name in before if before[name] != after[name]} == {"web-1", "web-2", "web-3", "admin"}
    assert "CHF\u00a0" in requests.get(lab.url, timeout=10).text
    deploy(*settings, "-e", "catalogue_freshness_ms=0")
    last = lab.started()
    assert {name for name in last if last[name] != after[name]} == {"web-1", "web-2", "web-3"}


def test_a_setting_that_cannot_be_stops_the_run_before_anything_is_changed(lab: Lab) -> None:
    before = lab.started()
    with pytest.raises(AssertionError, match="catalogue_currency is '€': write an ISO 4217 code"):
        deploy("-e", "catalogue_currency=€")
    assert lab.started() == before


def test_a_service_that_does_not_come_up_fails_the_run_with_its_last_words(
    lab: Lab, eventually: Callable[[Callable[[], bool], float], None]
) -> None:
    done = subprocess.run(
        ["./fleet", "deploy", "-e", "catalogue_redis_password='two words'", "-e", "service_wait=5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode != 0
    assert "redis on api1 was not alive after 5 s. Its last lines:" in done.stdout
    assert "users.acl" in done.stdout
    deploy()
    eventually(lambda: not lab.unhealthy(), 60)
