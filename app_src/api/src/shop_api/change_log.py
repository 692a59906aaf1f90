"""SQL on the log of changes. Rows are only ever added: what was undone shows by the row that restores it."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError
from sqlalchemy import Connection, Row, and_, insert, select

from shop_api.documents import Change, ChangesPage, ChangesQuery
from shop_api.observability import BAD_ROWS
from shop_api.tables import changes, items
from shop_api.validation import Item

log = logging.getLogger(__name__)

_restoring = changes.alias("restoring")
_present = items.alias("present")


class Deleted(NamedTuple):
    """What a change deleted."""

    item_id: int
    item: Item


def record(
    connection: Connection,
    actor: str,
    action: Literal["created", "updated", "deleted", "restored"],
    item_id: int,
    old: Item | None,
    new: Item | None,
    restores: int | None = None,
) -> int:
    """Log a change of one item in the transaction that makes it.

    Args:
        connection: of the transaction.
        actor: who.
        action: what was done.
        item_id: to which item; a restored one has its old id.
        old: the item before; None if there was none.
        new: the item after; None if there is none.
        restores: the deletion that this change takes back.

    Returns:
        The change's id.
    """
    row: dict[str, Any] = {"actor": actor, "action": action, "item_id": item_id, "restores": restores}
    for prefix, item in (("old", old), ("new", new)):
        if item:
            row |= {f"{prefix}_name": item.name, f"{prefix}_quantity": item.quantity, f"{prefix}_price": item.price}
    return int(connection.execute(insert(changes).values(row)).lastrowid)


def page(connection: Connection, query: ChangesQuery) -> ChangesPage:
    """Return a page of the log, newest first."""
    older = [changes.c.id < query.before] if query.before else []
    rows = connection.execute(
        select(changes, _restoring.c.id.label("undone_by"), _present.c.id.label("present_id"))
        .select_from(
            changes.outerjoin(_restoring, _restoring.c.restores == changes.c.id).outerjoin(
                _present, and_(changes.c.action == "deleted", _present.c.name == changes.c.old_name)
            )
        )
        .where(*older)
        .order_by(changes.c.id.desc())
        .limit(query.size + 1)
    ).all()
    shown = rows[: query.size]
    return ChangesPage(changes=_valid_changes(shown), next=shown[-1].id if len(rows) > query.size else None)


def deleted(connection: Connection, change_id: int) -> Deleted | None:
    """Return what a change deleted.

    Args:
        connection: of the transaction.
        change_id: the change.

    Raises:
        LookupError: there is no such change.

    Returns:
        The item; None if the change was no deletion.
    """
    row = connection.execute(select(changes).where(changes.c.id == change_id)).one_or_none()
    if row is None:
        raise LookupError(change_id)
    old = _item(row, "old")
    return Deleted(row.item_id, old) if row.action == "deleted" and old else None


def is_undone(connection: Connection, change_id: int) -> bool:
    """Tell whether a later change restored what this one deleted."""
    return connection.scalar(select(changes.c.id).where(changes.c.restores == change_id)) is not None


def _valid_changes(rows: Sequence[Row[*tuple[Any, ...]]]) -> list[Change]:
    valid = []
    for row in rows:
        try:
            valid.append(_change(row))
        except ValidationError as error:
            BAD_ROWS.inc()
            fields = sorted({str(detail["loc"][0]) for detail in error.errors()})
            log.error("change left out: not valid", extra={"change_id": row.id, "fields": fields})
    return valid


def _change(row: Row[*tuple[Any, ...]]) -> Change:
    values = {
        "id": row.id,
        "at": _utc(row.at),
        "actor": row.actor,
        "action": row.action,
        "name": row.old_name if row.new_name is None else row.new_name,
        "old": _item(row, "old"),
        "new": _item(row, "new"),
        "import": row.import_id,
        "undoable": row.action == "deleted" and row.undone_by is None and row.present_id is None,
    }
    return Change.model_validate(values)


def _item(row: Row[*tuple[Any, ...]], prefix: str) -> Item | None:
    columns = row._mapping
    if columns[f"{prefix}_name"] is None:
        return None
    return Item(**{name: columns[f"{prefix}_{name}"] for name in Item.model_fields})


def _utc(at: datetime) -> str:
    return f"{at.isoformat(timespec='milliseconds')}Z"
