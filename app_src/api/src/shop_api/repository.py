"""SQL that reads items, and the catalogue's version. Nothing here commits."""

import json
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, Row, func, select, update

from shop_api.observability import BAD_ROWS
from shop_api.tables import catalogue_version, items
from shop_api.validation import Item

log = logging.getLogger(__name__)

SHOWN = (items.c.id, items.c.name, items.c.quantity, items.c.price)
_PORTION = 5000


def version(connection: Connection) -> int:
    """Return the catalogue's version as this transaction sees it."""
    number: int = connection.execute(select(catalogue_version.c.version)).scalar_one()
    return number


def next_version(connection: Connection) -> int:
    """Raise the catalogue's version.

    Comes first in every write: the row's lock puts writers in a line, so that versions are committed in their order
    and writers cannot deadlock. What a writer reads after it stays as it is until the commit: the snapshot is taken
    by the first SELECT, when the lock is held already, and nobody else changes an item before it is given back.
    """
    # One statement tells the number, too: all that a writer does, the next one waits for.
    raised = func.last_insert_id(catalogue_version.c.version + 1)
    return int(connection.execute(update(catalogue_version).values(version=raised)).lastrowid)


def hold_version(connection: Connection) -> None:
    """Wait in the writers' line without a change of items, so that no cached answer becomes old."""
    connection.execute(select(catalogue_version.c.version).with_for_update())


def valid_items(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Item]:
    """Return the items in these rows; a row that is not valid is reported and left out."""
    valid = []
    for row in rows:
        try:
            valid.append(Item(name=row.name, quantity=row.quantity, price=row.price))
        except ValidationError as error:
            BAD_ROWS.inc()
            fields = sorted({str(detail["loc"][0]) for detail in error.errors()})
            log.error("row left out: not valid", extra={"item_id": row.id, "fields": fields})
    return valid


def one(connection: Connection, name: str) -> Item | None:
    """Return the item of that name."""
    found = valid_items(connection.execute(select(*SHOWN).where(items.c.name == name)))
    return found[0] if found else None


def everything(connection: Connection) -> Iterator[Item]:
    """Yield all items by name, read in portions that MySQL answers quickly."""
    after: list[ColumnElement[bool]] = []
    while rows := connection.execute(select(*SHOWN).where(*after).order_by(items.c.name).limit(_PORTION)).all():
        yield from valid_items(rows)
        after = [items.c.name > rows[-1].name]


def to_json(item: Item) -> bytes:
    """Render an item."""
    return json.dumps(item.model_dump(), ensure_ascii=False).encode()
