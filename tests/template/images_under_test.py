"""The images that the lane has built."""

from __future__ import annotations

import os

import pytest


def image(name: str) -> str:
    """Look up the reference of an image under test.

    Args:
        name: Name of the environment variable that holds it.

    Returns:
        The reference.
    """
    reference = os.environ.get(name)
    if not reference:
        pytest.fail(f"{name} is not set: run these tests by ./fleet test, which builds the images first")
    return reference
