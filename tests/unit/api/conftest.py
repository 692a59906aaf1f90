"""Fixtures of the application's units."""

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about what is tried.
settings.register_profile("shopfleet", deadline=None)
settings.load_profile("shopfleet")


@pytest.fixture(autouse=True)
def import_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_IMPORT_MAX_KIB", "512")
    monkeypatch.setenv("SHOP_IMPORT_MAX_ROWS", "5000")
