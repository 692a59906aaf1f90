"""A second run is a look, not a change; a setting that cannot be changes nothing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
from lab import ROOT, Lab, fleet


def deploy(*arguments: str) -> str:
    return fleet("deploy", *arguments)


def test_a_second_run_changes_nothing_and_restarts_nothing(lab: Lab) -> None:
    before = lab.started()
    output = deploy()
    assert re.findall(r"changed=(\d+)", output) == ["0"] * len(lab.hosts)
    assert lab.started() == before


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
