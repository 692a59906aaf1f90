"""SQL that changes items one by one. Each change keeps the number of items and the log in the same transaction.

All of it runs after `repository.next_version`, under whose lock the values for the log are read; no statement that
changes an item depends on what was read.
"""

from decimal import Decimal
from http import HTTPStatus
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, cast, func, insert, select, update
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.sql.dml import UpdateBase

from shop_api import change_log
from shop_api.db import CHECK_VIOLATED, DUPLICATE, error_code
from shop_api.problems import ProblemError, invalid
from shop_api.repository import valid_items
from shop_api.tables import catalogue_version, items
from shop_api.validation import QUANTITY_MAX, Item, PutItem

NO_SUCH_ITEM = "There is no item of this name."


class Stored(NamedTuple):
    """An item with its id."""

    id: int
    item: Item


class Written(NamedTuple):
    """What a write did.

    Attributes:
        item: as it is now; as it was, when it was deleted.
        change_id: the line of the log; None when nothing is different from before.
        created: whether it is new.
    """

    item: Item
    change_id: int | None
    created: bool = False


def put(connection: Connection, actor: str, wanted: PutItem) -> Written:
    """Insert the item, or update the one of that name, in one statement.

    Args:
        connection: of the transaction.
        actor: who does it.
        wanted: the item.

    Raises:
        ProblemError: it is new and has no price, or its quantity would be too large.
    """
    old = _find(connection, wanted.name)
    try:
        done = connection.execute(_upsert(wanted))
    except OperationalError as error:
        if error_code(error) != CHECK_VIOLATED:
            raise
        raise invalid("quantity", f"Quantity would be more than {QUANTITY_MAX:,} then.") from None
    if not done.rowcount:
        raise invalid("price", "A new item needs a price.")
    new = _existing(connection, wanted.name)
    if old:
        return _updated(connection, actor, old, new.item)
    add_to_count(connection, 1)
    return Written(new.item, change_log.record(connection, actor, "created", new.id, None, new.item), created=True)


def patch(connection: Connection, actor: str, name: str, values: dict[str, str | int | Decimal]) -> Written:
    """Change some fields of an item.

    Args:
        connection: of the transaction.
        actor: who does it.
        name: of the item, before the change.
        values: the fields.

    Raises:
        ProblemError: there is no such item, or another one has the new name.
    """
    old = _existing(connection, name)
    statement = update(items).where(items.c.id == old.id).values(**values, revision=items.c.revision + 1)
    if not _executed_uniquely(connection, statement):
        raise invalid("name", "Another item has this name already.")
    return _updated(connection, actor, old, _existing(connection, str(values.get("name", name))).item)


def delete(connection: Connection, actor: str, name: str) -> Written:
    """Move an item out of the catalogue; the log keeps its values.

    Args:
        connection: of the transaction.
        actor: who does it.
        name: of the item.

    Raises:
        ProblemError: there is no such item.
    """
    old = _existing(connection, name)
    connection.execute(items.delete().where(items.c.id == old.id))
    add_to_count(connection, -1)
    return Written(old.item, change_log.record(connection, actor, "deleted", old.id, old.item, None))


def restore(connection: Connection, actor: str, change_id: int) -> Written:
    """Bring back what a change deleted.

    Args:
        connection: of the transaction.
        actor: who does it.
        change_id: the deletion.

    Raises:
        ProblemError: there is no such change, or it cannot be undone.
    """
    try:
        deleted = change_log.deleted(connection, change_id)
    except LookupError:
        raise ProblemError(HTTPStatus.NOT_FOUND, "There is no change of this number.") from None
    if deleted is None:
        raise ProblemError(HTTPStatus.CONFLICT, "Only a deletion can be undone.")
    if change_log.is_undone(connection, change_id):
        raise ProblemError(HTTPStatus.CONFLICT, "This deletion was undone already.")
    item_id, item = deleted
    statement = insert(items).values(id=item_id, name=item.name, quantity=item.quantity, price=item.price)
    if not _executed_uniquely(connection, statement):
        raise ProblemError(HTTPStatus.CONFLICT, "An item of this name exists again.")
    add_to_count(connection, 1)
    return Written(item, change_log.record(connection, actor, "restored", item_id, None, item, restores=change_id))


def add_to_count(connection: Connection, number: int) -> None:
    """Keep the number of items; what is deleted counts below zero."""
    # Where items were inserted by hand the number may be too small: no reason to refuse a deletion.
    counted = func.greatest(cast(catalogue_version.c.item_count, Integer) + number, 0)
    connection.execute(update(catalogue_version).values(item_count=counted))


def _upsert(wanted: PutItem) -> UpdateBase:
    adds = wanted.mode == "add"
    if wanted.price is None:
        quantity: Any = items.c.quantity + wanted.quantity if adds else wanted.quantity
        return update(items).where(items.c.name == wanted.name).values(quantity=quantity, revision=items.c.revision + 1)
    statement = mysql_insert(items).values(name=wanted.name, quantity=wanted.quantity, price=wanted.price)
    new = statement.inserted
    return statement.on_duplicate_key_update(
        quantity=items.c.quantity + new.quantity if adds else new.quantity,
        price=new.price,
        revision=items.c.revision + 1,
    )


def _updated(connection: Connection, actor: str, old: Stored, new: Item) -> Written:
    if new == old.item:
        return Written(new, None)
    return Written(new, change_log.record(connection, actor, "updated", old.id, old.item, new))


def _executed_uniquely(connection: Connection, statement: UpdateBase) -> bool:
    try:
        connection.execute(statement)
    except IntegrityError as error:
        if error_code(error) != DUPLICATE:
            raise
        return False
    return True


def _existing(connection: Connection, name: str) -> Stored:
    stored = _find(connection, name)
    if stored is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, NO_SUCH_ITEM)
    return stored


def _find(connection: Connection, name: str) -> Stored | None:
    columns = (items.c.id, items.c.name, items.c.quantity, items.c.price)
    row = connection.execute(select(*columns).where(items.c.name == name)).one_or_none()
    if row is None:
        return None
    valid = valid_items([row])
    if not valid:
        raise ProblemError(HTTPStatus.CONFLICT, "What is stored under this name is not valid; the log says why.")
    return Stored(row.id, valid[0])
