"""Loads the project's Ansible plugins, which lie in no package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def load(path: str) -> ModuleType:
    """Load a plugin.

    Args:
        path: Its file below plugins/.

    Returns:
        The module.
    """
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / "plugins" / path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # where dataclasses look for it
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
