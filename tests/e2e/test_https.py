"""The shop by https, with a certificate of the deployment's own authority."""

from __future__ import annotations

import pytest
import requests
from lab import ROOT, Lab

CA = ROOT / ".fleet/secrets/lab/certificates/ca.pem"


def test_the_shop_is_served_by_https(lab: Lab) -> None:
    page = requests.get(lab.https_url, verify=str(CA), timeout=10)
    assert page.status_code == 200
    assert '<table id="items"' in page.text


def test_the_certificate_names_every_address_at_which_the_shop_is_published(lab: Lab) -> None:
    edges = {cell["address"]: cell["version"] for cell in lab.facts["reachability"] if cell["network"] == "edge"}
    assert set(edges.values()) == {4, 6}
    for address, version in edges.items():
        # Any answer will do: none would come without trust in the certificate.
        requests.get(f"https://{address if version == 4 else f'[{address}]'}/", verify=str(CA), timeout=10)


def test_nobody_is_told_to_stay_with_a_certificate_that_browsers_do_not_know(lab: Lab) -> None:
    page = requests.get(lab.https_url, verify=str(CA), timeout=10)
    assert "Strict-Transport-Security" not in page.headers
    assert requests.get(lab.url, allow_redirects=False, timeout=10).status_code == 200


def test_who_does_not_know_the_authority_does_not_trust_it(lab: Lab) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(lab.https_url, timeout=10)
