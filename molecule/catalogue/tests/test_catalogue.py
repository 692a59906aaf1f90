"""The catalogue only describes: it leaves no trace on a host."""

from __future__ import annotations

from testinfra.host import Host


def test_nothing_is_written_on_a_host(host: Host) -> None:
    assert not host.file("/etc/shopfleet").exists
    assert host.check_output("docker ps --all --quiet") == ""
