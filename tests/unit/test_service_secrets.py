"""Each service's secrets are its own."""

from __future__ import annotations

from plugin import load

service_secrets = load("filter/service_secrets.py")


def test_the_variables_of_all_services_are_named_once() -> None:
    services = {
        "web": {"secrets": {"service_key": "catalogue_web_key", "haproxy_key": "catalogue_haproxy_key"}},
        "admin": {"secrets": {"haproxy_key": "catalogue_haproxy_key", "edge.pem.key": "_catalogue_derived"}},
        "haproxy": {},
    }
    assert service_secrets.secret_variables(services) == ["catalogue_haproxy_key", "catalogue_web_key"]


def test_secrets_that_are_the_same_are_named_in_pairs_but_not_shown() -> None:
    secrets = {"catalogue_a": "sesame", "catalogue_b": "other", "catalogue_c": "sesame"}
    (fault,) = service_secrets.secret_faults(secrets)
    assert fault.startswith("catalogue_a and catalogue_c are the same: give each a value of its own")
    assert "sesame" not in fault


def test_secrets_of_their_own_are_no_fault() -> None:
    assert service_secrets.secret_faults({"catalogue_a": "sesame", "catalogue_b": "other"}) == []
