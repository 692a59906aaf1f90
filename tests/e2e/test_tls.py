"""The deployed MySQL and Redis speak by TLS only, with certificates that are renewed in time."""

from __future__ import annotations

from datetime import timedelta

from lab import ROOT, Lab, fleet
from plugin import load

certificate = load("lookup/certificate.py")
STORE = ROOT / ".fleet" / "secrets" / "lab" / "certificates"


def ask(lab: Lab, container: str, *command: str, **environment: str) -> str:
    """Run a client inside a container and return what it said."""
    settings = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
    program = ["sh", "-c", '"$@" 2>&1 || true', "sh", *command]
    return lab.on(lab.host_of(container), "docker", "exec", *settings, container, *program)


def test_mysql_takes_the_apis_login_by_tls_only(lab: Lab) -> None:
    password = ask(lab, "api", "cat", "/etc/shopfleet/shop_mysql_password").strip()
    client = ["mysql", "--no-defaults", "--host=127.0.0.1", "--user=api", "--execute=SELECT 'welcome'"]
    by_tls = ["--ssl-mode=VERIFY_IDENTITY", "--ssl-ca=/etc/shopfleet/ca.pem"]
    assert "welcome" in ask(lab, "mysql", *client, *by_tls, MYSQL_PWD=password)
    refusal = ask(lab, "mysql", *client, "--ssl-mode=DISABLED", "--get-server-public-key", MYSQL_PWD=password)
    assert "Access denied" in refusal


def test_redis_answers_by_tls_only(lab: Lab) -> None:
    assert "NOAUTH" in ask(lab, "redis", "redis-cli", "--tls", "--cacert", "/etc/shopfleet/ca.pem", "ping")
    assert "Connection reset by peer" in ask(lab, "redis", "redis-cli", "ping")


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
