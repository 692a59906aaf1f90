"""The bodies, headers and answers of the routes that write, and of what they leave behind."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from shop_api.validation import ID_DIGITS, Item, Price, Quantity, Strict, digits

ACTOR_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,31}$"
NOBODY_KNOWN = "unknown"


class WriteHeaders(Strict):
    """The headers that every write may carry."""

    idempotency_key: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")] | None = None
    x_actor: Annotated[str, StringConstraints(pattern=ACTOR_PATTERN)] = NOBODY_KNOWN


class ChangesQuery(Strict):
    """The parameters of GET /changes."""

    before: Annotated[int, Field(ge=1, lt=10**ID_DIGITS), BeforeValidator(digits)] | None = None
    size: Annotated[int, Field(ge=1, le=100), BeforeValidator(digits)] = 50


class Change(Strict):
    """A line of the log: who did what to which item, and when."""

    id: int
    at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
    actor: str
    action: Literal["created", "updated", "deleted", "restored"]
    name: str
    old: Item | None
    new: Item | None
    import_id: Annotated[int | None, Field(alias="import")]
    undoable: bool


class ChangesPage(Strict):
    """The answer to GET /changes: newest first."""

    changes: list[Change]
    next: int | None


class Fault(Strict):
    """One reason why a row of a file cannot be taken."""

    line: int
    message: str


class Values(Strict):
    """What an import sets."""

    quantity: Quantity
    price: Price


class PlannedChange(Strict):
    """What an import does to one item."""

    line: int
    action: Literal["created", "updated"]
    name: str
    old: Values | None
    new: Values


class Plan(Strict):
    """What an import would do now; of an applied one, the counts of what it did."""

    id: int
    status: Literal["ready", "faulty", "applied"]
    rows: int
    created: int
    updated: int
    unchanged: int
    faults: list[Fault]
    changes: list[PlannedChange]
    digest: str


class ApplyImport(Strict):
    """The body of POST /imports/{id}/apply: the plan that was looked at."""

    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ImportOutcome(Strict):
    """The answer to POST /imports/{id}/apply."""

    id: int
    created: int
    updated: int
    unchanged: int


def values_of(quantity: int, price: Decimal | str) -> Values:
    """Return the values of an item or of a row of a file."""
    return Values(quantity=quantity, price=Decimal(price))
