"""What a file would do to the catalogue."""

import hashlib
import json
from typing import NamedTuple

from sqlalchemy import Connection

from shop_api import import_store
from shop_api.csv_file import CsvFile
from shop_api.documents import Fault, Plan, PlannedChange, values_of
from shop_api.import_store import Import, Match
from shop_api.repository import valid_items
from shop_api.validation import CsvRow


class Draft(NamedTuple):
    """What a file would do, and what is wrong with it.

    Attributes:
        changes: for each good row that changes something.
        unchanged: how many good rows change nothing.
        faults: of the bad rows, by line.
    """

    changes: list[PlannedChange]
    unchanged: int
    faults: list[Fault]


def draft(connection: Connection, file: CsvFile) -> Draft:
    """Compare a file with the catalogue.

    Args:
        connection: of a snapshot or a transaction.
        file: what was read.
    """
    lines = list(file.names)
    faults, changes, unchanged = list(file.faults), [], 0
    for line, match in zip(lines, import_store.match(connection, list(file.names.values())), strict=True):
        if lines[match.first] != line:
            faults.append(Fault(line=line, message=f"Name is the same as in line {lines[match.first]}."))
        elif match.row is not None and not valid_items([match.row]):
            faults.append(Fault(line=line, message="What is stored under this name is not valid; the log says why."))
        elif line in file.rows:
            change = _change(line, file.rows[line], match)
            unchanged += change.old == change.new
            changes += [change] if change.old != change.new else []
    return Draft(changes, unchanged, sorted(faults, key=lambda fault: fault.line))


def plan(connection: Connection, import_id: int, file: CsvFile) -> Plan:
    """Say what an import would do now.

    Args:
        connection: of a snapshot or a transaction.
        import_id: the import.
        file: what is in it.
    """
    changes, unchanged, faults = draft(connection, file)
    document = json.dumps([change.model_dump() for change in changes])
    created = sum(change.action == "created" for change in changes)
    return Plan(
        id=import_id,
        status="faulty" if faults else "ready",
        rows=file.count,
        created=created,
        updated=len(changes) - created,
        unchanged=unchanged,
        faults=faults,
        changes=changes,
        digest=hashlib.sha256(document.encode()).hexdigest(),
    )


def applied(kept: Import) -> Plan | None:
    """Say what an import did; None if it is not applied. The changes themselves are in the log."""
    outcome = kept.outcome
    if outcome is None or kept.digest is None:
        return None
    rows = outcome.created + outcome.updated + outcome.unchanged
    counts = outcome.model_dump()
    return Plan(status="applied", rows=rows, faults=[], changes=[], digest=kept.digest, **counts)


def _change(line: int, row: CsvRow, match: Match) -> PlannedChange:
    new = values_of(row.quantity, row.price)
    if match.row is None:
        return PlannedChange(line=line, action="created", name=row.name, old=None, new=new)
    old = values_of(match.row.quantity, match.row.price)
    return PlannedChange(line=line, action="updated", name=match.row.name, old=old, new=new)
