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


def test_nobody_is_told_to_stay_with_a_certificate_that_browsers_do_not_know(lab: Lab) -> None:
    page = requests.get(lab.https_url, verify=str(CA), timeout=10)
    assert "Strict-Transport-Security" not in page.headers
    assert requests.get(lab.url, allow_redirects=False, timeout=10).status_code == 200


def test_who_does_not_know_the_authority_does_not_trust_it(lab: Lab) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(lab.https_url, timeout=10)
