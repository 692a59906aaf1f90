"""SQL on imports and on many items at once. Rows go to MySQL as one JSON text, so that a file takes few statements."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, insert, select, text, update

from shop_api.documents import ImportOutcome, Plan, PlannedChange
from shop_api.item_writes import add_to_count
from shop_api.tables import changes, imports

# So many that a statement stays far below the time that the client waits for one.
_PORTION = 100

# The index is named because the statistics of a table that was empty a moment ago speak for scanning it.
_NAME = "name VARCHAR(120) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_as_ci PATH"

# MySQL says which names are equal: here by the collation of the index that keeps them unique.
_MATCH = text(
    f"""
    SELECT given.position, MIN(given.position) OVER (PARTITION BY given.name) AS first_position,
      items.id, items.name, items.quantity, items.price
    FROM JSON_TABLE(:names, '$[*]' COLUMNS (position FOR ORDINALITY, {_NAME} '$')) AS given
    LEFT JOIN items FORCE INDEX (items_name) ON items.name = given.name
    ORDER BY given.position
    """  # noqa: S608  made of constants only
)

_PLANNED = f"""
    JSON_TABLE(:planned, '$[*]' COLUMNS (
      position FOR ORDINALITY,
      action VARCHAR(8) PATH '$.action',
      {_NAME} '$.name',
      quantity INT PATH '$.new.quantity',
      price DECIMAL(9, 2) PATH '$.new.price',
      old_quantity INT PATH '$.old.quantity',
      old_price DECIMAL(9, 2) PATH '$.old.price'
    )) AS planned
    """

_UPSERT = text(
    f"""
    INSERT INTO items (name, quantity, price)
    SELECT planned.name, planned.quantity, planned.price FROM {_PLANNED}
    ON DUPLICATE KEY UPDATE
      quantity = planned.quantity, price = planned.price, revision = items.revision + 1
    """  # noqa: S608  made of constants only
)

_LOG = text(
    f"""
    INSERT INTO changes (actor, action, item_id, old_name, old_quantity, old_price, new_name, new_quantity, new_price,
      import_id)
    SELECT :actor, planned.action, items.id, IF(planned.action = 'created', NULL, items.name), planned.old_quantity,
      planned.old_price, items.name, items.quantity, items.price, :import_id
    FROM {_PLANNED} STRAIGHT_JOIN items FORCE INDEX (items_name) ON items.name = planned.name
    ORDER BY planned.position
    """  # noqa: S608  made of constants only
)


class Match(NamedTuple):
    """What there is to a name of a file.

    Attributes:
        first: the place in the list where a name equal to this one comes first.
        row: the item of this name; None if there is none.
    """

    first: int
    row: Row[*tuple[Any, ...]] | None


class Import(NamedTuple):
    """An import as it is kept.

    Attributes:
        csv: the file.
        outcome: what it did; None if it is not applied.
        digest: of the plan that was applied.
    """

    csv: bytes
    outcome: ImportOutcome | None
    digest: str | None


def match(connection: Connection, names: list[str]) -> list[Match]:
    """Find the items of these names, and the names that are equal among themselves.

    Args:
        connection: of the transaction.
        names: in their normal form.

    Returns:
        A match for each name, in their order.
    """
    rows = connection.execute(_MATCH, {"names": json.dumps(names, ensure_ascii=False)})
    return [Match(row.first_position - 1, None if row.id is None else row) for row in rows]


def write_all(connection: Connection, actor: str, planned: list[PlannedChange], import_id: int | None = None) -> None:
    """Insert and update items, count them and log it all.

    Args:
        connection: of the transaction.
        actor: who does it.
        planned: changes that are true of the items as they are.
        import_id: the import that they come from.
    """
    for portion in _portions(planned):
        parameters = {"planned": json.dumps([change.model_dump() for change in portion], ensure_ascii=False)}
        connection.execute(_UPSERT, parameters)
        connection.execute(_LOG, {**parameters, "actor": actor, "import_id": import_id})
    add_to_count(connection, sum(change.action == "created" for change in planned))


def _portions(planned: list[PlannedChange]) -> Iterator[list[PlannedChange]]:
    for start in range(0, len(planned), _PORTION):
        yield planned[start : start + _PORTION]


def keep(connection: Connection, actor: str, csv: bytes) -> int:
    """Keep a file that is to be imported, perhaps; return its number."""
    return int(connection.execute(insert(imports).values(actor=actor, csv=csv)).lastrowid)


def kept(connection: Connection, import_id: int) -> Import | None:
    """Return an import."""
    row = connection.execute(select(imports).where(imports.c.id == import_id)).one_or_none()
    if row is None:
        return None
    counts = {"created": row.created, "updated": row.updated, "unchanged": row.unchanged}
    outcome = None if row.applied_at is None else ImportOutcome(id=row.id, **counts)
    return Import(row.csv, outcome, row.digest)


def apply(connection: Connection, actor: str, plan: Plan) -> int | None:
    """Do what a plan says, and keep what it did.

    Args:
        connection: of the transaction.
        actor: who does it.
        plan: made in this transaction.

    Returns:
        The last line that was added to the log; None if nothing was to be done.
    """
    write_all(connection, actor, plan.changes, plan.id)
    counts = {"created": plan.created, "updated": plan.updated, "unchanged": plan.unchanged}
    connection.execute(
        update(imports).where(imports.c.id == plan.id).values(applied_at=func.now(6), digest=plan.digest, **counts)
    )
    last: int | None = connection.scalar(select(func.max(changes.c.id)).where(changes.c.import_id == plan.id))
    return last
