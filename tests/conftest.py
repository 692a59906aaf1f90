"""What tests of several folders share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def image(name: str) -> str:
    """Look up the image under test that the lane has built.

    Args:
        name: Name of the environment variable that holds its reference.

    Returns:
        The reference.
    """
    reference = os.environ.get(name)
    if not reference:
        pytest.fail(f"{name} is not set: run these tests by ./fleet test, which builds the images first")
    return reference
