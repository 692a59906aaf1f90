"""Fixtures of the tests on the running lab."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from lab import ROOT, Lab

sys.path.append(str(Path(__file__).parents[1] / "unit"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab that ./fleet up has made; what it has logged is kept when a test fails."""
    lab = Lab.read(tmp_path_factory.mktemp("facts"))
    yield lab
    if request.session.testsfailed:
        lab.keep_logs(ROOT / ".fleet" / "test-logs" / "hosts")


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool], float], None]:
    """Wait until something holds; fails after the given number of seconds."""

    def wait(holds: Callable[[], bool], seconds: float) -> None:
        deadline = monotonic() + seconds
        while not holds():
            assert monotonic() < deadline, f"did not come true within {seconds} s"
            sleep(0.5)

    return wait
