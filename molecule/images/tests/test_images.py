"""Each host has the images that its containers need, and no other."""

from __future__ import annotations

import re

from testinfra.host import Host

NEEDED = {"front": {"haproxy"}, "back": {"web", "api", "redis", "mysql"}}


def repositories(host: Host) -> list[str]:
    return [
        line.split()[0] for line in host.check_output("docker images --format '{{.Repository}} {{.Tag}}'").splitlines()
    ]


def test_the_host_has_just_the_images_it_needs(host: Host) -> None:
    name = host.ansible.get_variables()["inventory_hostname"]
    assert {repository.rsplit("/", 1)[1] for repository in repositories(host)} == NEEDED[name]


def test_images_are_tagged_by_what_they_are_made_of(host: Host) -> None:
    tags = host.check_output("docker images --format '{{.Tag}}'").splitlines()
    assert all(re.fullmatch(r"[0-9a-f]{12}", tag) for tag in tags)


def test_a_host_can_put_nothing_into_the_registry(host: Host) -> None:
    """It could give the other hosts images of its own. The tunnel stays for a while after a deploy."""
    ask = "import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], method=sys.argv[2]), timeout=5)"
    registry = "http://127.0.0.1:5010/v2"
    host.check_output(f"python3 -c '{ask}' {registry}/_catalog GET")
    refused = host.run(f"python3 -c '{ask}' {registry}/shopfleet/web/blobs/uploads/ POST")
    assert "405" in refused.stderr


def test_the_way_to_the_registry_is_closed_to_all_but_the_host_itself(host: Host) -> None:
    assert not [
        line for line in host.check_output("ss -Hltn").splitlines() if ":5010" in line and "127.0.0.1" not in line
    ]
