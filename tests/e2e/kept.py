"""The secrets that the controller keeps for the lab."""

from __future__ import annotations

import json
from pathlib import Path

from lab import ROOT

_FOLDER = ROOT / ".fleet" / "secrets" / "lab"
_SSH_KEY = ROOT / ".fleet" / "lab" / "id_ed25519"


def words_of(file: Path) -> list[str]:
    """The secrets in a file: a password, the passwords of a JSON object, or a line of a private key."""
    text = file.read_text()
    if file.suffix == ".json":
        return [str(value) for value in json.loads(text).values()]
    if "PRIVATE KEY" in text:
        key = text.partition("PRIVATE KEY-----")[2].splitlines()
        return [key[len(key) // 2]]
    return [] if "-----BEGIN" in text else text.split()


def secrets_kept() -> dict[str, str]:
    """All of them by where the controller keeps them, such as `web_key` and `certificates/ca.pem.key`."""
    files = [file for file in _FOLDER.rglob("*") if file.is_file()]
    found = {str(file.relative_to(_FOLDER)): words_of(file) for file in files} | {_SSH_KEY.name: words_of(_SSH_KEY)}
    assert len(found) >= 8
    assert min(len(word) for words in found.values() for word in words) >= 12
    return {
        name if len(words) == 1 else f"{name} {number}": word
        for name, words in found.items()
        for number, word in enumerate(words)
    }
