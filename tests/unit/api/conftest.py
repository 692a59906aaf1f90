"""Makes the application's package importable without installing it."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parents[3] / "app_src/api/src"))

# How long an example takes says more about the machine than about what is tried.
settings.register_profile("shopfleet", deadline=None)
settings.load_profile("shopfleet")


@pytest.fixture(autouse=True)
def import_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_IMPORT_MAX_KIB", "512")
    monkeypatch.setenv("SHOP_IMPORT_MAX_ROWS", "5000")
