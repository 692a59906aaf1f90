"""A second run is a look, not a change; a setting that cannot be changes nothing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
import requests
from foothold import Foothold
from lab import ROOT, Lab, fleet


def deploy(*arguments: str) -> str:
    return fleet("deploy", *arguments)


def test_a_second_run_changes_nothing_and_restarts_nothing(lab: Lab) -> None:
    before = lab.started()
    output = deploy()
    assert re.findall(r"changed=(\d+)", output) == ["0"] * len(lab.hosts)
    assert lab.started() == before


def test_a_host_gets_what_it_lacks_from_a_registry_that_takes_nothing_from_it(lab: Lab) -> None:
    """By the way that is left open in ssh's settings; a host that was broken into has no image for the others there."""
    host = lab.containers_of("web")[0]["host"]
    image = lab.facts["images"]["web"]
    before = lab.started()
    lab.on(host, "docker", "image", "rm", "--force", image)
    deploy()
    lab.on(host, "docker", "image", "inspect", image)
    assert lab.started() == before
    registry, _, _ = image.partition("/")
    place = Foothold(lab, host)
    assert place.ask(f"http://{registry}/v2/_catalog").status == 200
    assert place.ask(f"http://{registry}/v2/shopfleet/web/blobs/uploads/", method="POST").status == 405
    on_the_controller = requests.post(f"http://{registry}/v2/shopfleet/web/blobs/uploads/", timeout=10)
    assert on_the_controller.status_code == 202, "the same is taken from the controller"


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
