"""The deployed MySQL and Redis speak by TLS only, with certificates that are renewed in time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from lab import ROOT, Lab, fleet
from plugin import load

certificate = load("lookup/certificate.py")
STORE = ROOT / ".fleet" / "secrets" / "lab" / "certificates"


@pytest.mark.parametrize(
    ("container", "ask", "by_tls", "without"),
    [
        (
            "mysql",
            ["mysql", "--no-defaults", "--host=127.0.0.1", "--user=nobody"],
            ["--ssl-mode=VERIFY_CA", "--ssl-ca=/etc/shopfleet/ca.pem"],
            ["--ssl-mode=DISABLED"],
        ),
        ("redis", ["redis-cli"], ["--tls", "--cacert", "/etc/shopfleet/ca.pem", "ping"], ["ping"]),
    ],
)
def test_a_client_without_tls_does_not_get_as_far_as_the_login(
    lab: Lab, container: str, ask: list[str], by_tls: list[str], without: list[str]
) -> None:
    def answer(*options: str) -> str:
        command = ["docker", "exec", container, "sh", "-c", '"$@" 2>&1 || true', "sh", *ask, *options]
        return lab.on(lab.host_of(container), *command)

    refused = ("Access denied", "NOAUTH")
    assert any(word in answer(*by_tls) for word in refused)
    assert not any(word in answer(*without) for word in refused)


def test_what_runs_out_is_renewed_and_just_its_container_made_anew(lab: Lab) -> None:
    name = f"{lab.host_of('redis')}-redis"
    paths = STORE / f"{name}.pem", STORE / f"{name}.pem.key"
    kept = certificate.read(*paths)
    names = [str(each.value) for each in kept.names]
    old = certificate.issue(certificate.Store(STORE).authority(), names, timedelta(days=29))
    paths[0].write_text(certificate.pem(old.certificate, *old.issuers))
    paths[1].write_text(old.key_pem)
    before = lab.started()
    assert [line.split()[0] for line in fleet("certificates").splitlines() if line.endswith(", renewed")] == [name]
    after = lab.started()
    assert {each for each in before if before[each] != after[each]} == {"redis"}
    shown = lab.on(lab.host_of("redis"), "docker", "exec", "redis", "cat", "/etc/shopfleet/certificate.pem")
    assert shown == certificate.read(*paths).chain
    assert "renewed" not in fleet("certificates")
