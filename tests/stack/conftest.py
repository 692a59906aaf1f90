"""The whole shop, for tests of what only shows when all of it is there."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from full_stack import FullStack, running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullStack]:
    """The shop, with the seed's items."""
    with running(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="session")
def tls_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullStack]:
    """The same, with TLS between the containers."""
    with running(tmp_path_factory.mktemp("tls-stack"), internal_tls=True) as stack:
        yield stack
