"""SQL on items. Nothing here commits."""

import json
import logging
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, Row, asc, desc, func, insert, select, update
from sqlalchemy.dialects.mysql import insert as mysql_insert

from shop_api.observability import BAD_ROWS
from shop_api.tables import catalogue_version, idempotency_keys, items
from shop_api.validation import Item, ListQuery, PutItem

log = logging.getLogger(__name__)

_SHOWN = (items.c.id, items.c.name, items.c.quantity, items.c.price)


class StoredAnswer(NamedTuple):
    """What was answered to a request with an Idempotency-Key."""

    fingerprint: str
    status: int
    body: str


def version(connection: Connection) -> int:
    """Return the catalogue's version as this transaction sees it."""
    number: int = connection.execute(select(catalogue_version.c.version)).scalar_one()
    return number


def next_version(connection: Connection) -> int:
    """Raise the catalogue's version.

    Comes first in every write: the row's lock puts writers in a line, so that versions are committed in their order
    and writers cannot deadlock.
    """
    connection.execute(update(catalogue_version).values(version=catalogue_version.c.version + 1))
    return version(connection)


def _valid(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Item]:
    valid = []
    for row in rows:
        try:
            valid.append(Item(name=row.name, quantity=row.quantity, price=row.price))
        except ValidationError as error:
            BAD_ROWS.inc()
            fields = sorted({str(detail["loc"][0]) for detail in error.errors()})
            log.error("row left out: not valid", extra={"item_id": row.id, "fields": fields})
    return valid


def page(connection: Connection, query: ListQuery) -> tuple[list[Item], int]:
    """Return one page of items, and how many there are on all pages."""
    matches: list[ColumnElement[bool]] = []
    if query.q:
        matches.append(items.c.name.contains(query.q, autoescape=True))
    direction = asc if query.dir == "asc" else desc
    rows = connection.execute(
        select(*_SHOWN)
        .where(*matches)
        .order_by(direction(items.c[query.sort]), direction(items.c.id))
        .limit(query.size)
        .offset((query.page - 1) * query.size)
    ).all()
    total = connection.execute(select(func.count()).select_from(items).where(*matches)).scalar_one()
    return _valid(rows), total


def one(connection: Connection, name: str) -> Item | None:
    """Return the item of that name."""
    found = _valid(connection.execute(select(*_SHOWN).where(items.c.name == name)))
    return found[0] if found else None


def put(connection: Connection, item: PutItem) -> bool | None:
    """Insert the item, or update the one of that name, in one statement.

    Returns:
        Whether it was created; None when it is new and has no price, so that nothing was done.
    """
    if item.price is None:
        quantity: Any = item.quantity if item.mode == "set" else items.c.quantity + item.quantity
        result = connection.execute(
            update(items).where(items.c.name == item.name).values(quantity=quantity, revision=items.c.revision + 1)
        )
        return False if result.rowcount else None
    statement = mysql_insert(items).values(name=item.name, quantity=item.quantity, price=item.price, revision=1)
    new = statement.inserted
    connection.execute(
        statement.on_duplicate_key_update(
            quantity=new.quantity if item.mode == "set" else items.c.quantity + new.quantity,
            price=new.price,
            revision=items.c.revision + 1,
        )
    )
    revision = connection.execute(select(items.c.revision).where(items.c.name == item.name)).scalar_one()
    return bool(revision == 1)


def patch(connection: Connection, name: str, changes: dict[str, str | int | Decimal]) -> bool:
    """Change some fields of an item; return whether there is one of that name."""
    values: dict[str, Any] = {**changes, "revision": items.c.revision + 1}
    return connection.execute(update(items).where(items.c.name == name).values(**values)).rowcount == 1


def delete(connection: Connection, name: str) -> bool:
    """Delete an item; return whether there was one."""
    return connection.execute(items.delete().where(items.c.name == name)).rowcount == 1


def stored_answer(connection: Connection, key: str) -> StoredAnswer | None:
    """Return what was answered to the request with this Idempotency-Key."""
    columns = (idempotency_keys.c.fingerprint, idempotency_keys.c.status, idempotency_keys.c.body)
    row = connection.execute(select(*columns).where(idempotency_keys.c.idempotency_key == key)).one_or_none()
    return StoredAnswer(*row) if row else None


def store_answer(connection: Connection, key: str, answer: StoredAnswer) -> None:
    """Keep what is answered, to answer it again."""
    connection.execute(insert(idempotency_keys).values(idempotency_key=key, **answer._asdict()))


def to_json(item: Item) -> bytes:
    """Render an item."""
    return json.dumps(item.model_dump(), ensure_ascii=False).encode()
