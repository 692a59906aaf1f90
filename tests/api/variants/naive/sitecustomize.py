"""Makes the API cache the way most do: get, set, and delete after the commit."""

import os
from collections.abc import Callable

from shop_api.cache import ENTRY, Cache, Entry, Lookup

# The cache's own user may do what the real one does, and this one does other things.
os.environ["SHOP_REDIS_USER"] = "default"


def _lookup(self: Cache, key: str, check: Callable[[Entry], bool]) -> Lookup:  # noqa: ARG001
    raw = self.client.get(ENTRY + key)
    entry = Entry.unpack(raw) if isinstance(raw, bytes) else None
    return Lookup(reached=True, current=entry is not None, entry=entry)


def _fill(self: Cache, key: str, lookup: Lookup, entry: Entry) -> None:  # noqa: ARG001
    self.client.set(ENTRY + key, entry.pack())


def _announce(self: Cache) -> str:  # noqa: ARG001
    return ""


def _publish(self: Cache, version: int, tokens: list[str]) -> bool:  # noqa: ARG001
    entries = self.client.keys(ENTRY + "*")
    if entries:
        self.client.delete(*entries)
    return True


for _name, _method in (("lookup", _lookup), ("fill", _fill), ("announce", _announce), ("publish", _publish)):
    setattr(Cache, _name, _method)
