"""Hosts that people have worked on: a deploy puts right what it can, and tells the rest before it changes anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab import Lab, fleet


def test_a_deploy_harms_nothing_made_by_hand_and_starts_what_was_stopped(
    lab: Lab, eventually: Callable[[Callable[[], bool], float], None]
) -> None:
    shop, other = lab.containers_of("web")[:2]
    cache = lab.host_of("redis")
    image = lab.facts["images"]["web"]
    lab.docker(other["name"], "stop")
    lab.on(cache, "systemctl", "stop", "docker.service")
    lab.on(shop["host"], "docker", "rm", "--force", shop["name"])
    lab.on(shop["host"], "docker", "create", "--name", shop["name"], image)
    by_hand = lab.on(shop["host"], "docker", "inspect", "--format", "{{.Id}}", shop["name"])
    try:
        with pytest.raises(AssertionError, match=f"{shop['host']}: its container {shop['name']} was made by hand"):
            fleet("deploy")
        assert lab.on(shop["host"], "docker", "inspect", "--format", "{{.Id}}", shop["name"]) == by_hand
        assert lab.on(cache, "systemctl", "is-active", "docker.service", check=False) == "inactive\n"
    finally:
        lab.on(shop["host"], "docker", "rm", "--force", shop["name"])
    fleet("deploy")
    eventually(lambda: not lab.unhealthy(), 60)
