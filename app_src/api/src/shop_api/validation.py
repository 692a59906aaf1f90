"""What items, requests and rows must look like, and how people are told when they do not."""

import unicodedata
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal, TypedDict

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError

NAME_MAX = 120
QUANTITY_MAX = 1_000_000
PRICE_MAX = Decimal("9999999.99")
PAGE_MAX = 1_000_000
CURSOR_MAX = 1000
SIZE_MAX = 100
ID_DIGITS = 18

_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Zl", "Zp", "Cs"})
_INVISIBLE_CATEGORIES = frozenset({"Cf", "Mn", "Zs"})

MESSAGES = {
    "name": f"Name must be a text of 1 to {NAME_MAX} characters.",
    "quantity": "Quantity must be a whole number from 0 to 1,000,000.",
    "price": "Price must be an amount from 0.00 to 9,999,999.99 with at most two decimals, such as 2.99.",
    "mode": 'Mode must be "set" or "add".',
    "q": f"Search text must have at most {NAME_MAX} characters.",
    "sort": "Sort must be name, price or quantity.",
    "dir": "Direction must be asc or desc.",
    "cursor": "Cursor must come from a page of the same list.",
    "page": "Page must be a whole number from 1 to 1,000,000.",
    "size": "Size must be a whole number from 1 to 100.",
    "idempotency_key": "Idempotency-Key must be 1 to 200 visible ASCII characters.",
    "x_actor": "X-Actor must be 1 to 32 of a-z, 0-9, dot, underscore and hyphen, and begin with a letter or digit.",
    "before": "Before must be the id of a change.",
    "digest": "Digest must be the one of a plan.",
}


class FieldError(TypedDict):
    """What is wrong with one field."""

    field: str
    message: str


def normalise(text: str) -> str:
    """Return the one form of a text under which it is stored and looked up."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _clean_name(raw: str) -> str:
    # U+FFFD stands where bytes were not UTF-8: what was meant is lost already.
    if any(
        unicodedata.category(char) in _FORBIDDEN_CATEGORIES or char in _BIDI_CONTROLS or char == "\ufffd"
        for char in raw
    ):
        raise PydanticCustomError("name", "Name must not contain control characters.")
    name = normalise(raw)
    if all(unicodedata.category(char) in _INVISIBLE_CATEGORIES for char in name):
        raise PydanticCustomError("name", "Name must not be empty.")
    if len(name) > NAME_MAX:
        raise PydanticCustomError("name", f"Name must have at most {NAME_MAX} characters.")
    return name


def _stored_name(name: str) -> str:
    if name != _clean_name(name):
        raise PydanticCustomError("name", "Name is not in its normal form.")
    return name


def _two_decimals(price: str) -> str:
    return f"{Decimal(price):.2f}"


def digits(value: object) -> object:
    """Turn a text of digits into the number; leave all else to be refused."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= ID_DIGITS:
        return int(value)
    return value


Name = Annotated[str, AfterValidator(_clean_name)]
Quantity = Annotated[int, Field(ge=0, le=QUANTITY_MAX)]
PriceText = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,7}(\.[0-9]{1,2})?$"), AfterValidator(_two_decimals)]
Price = Annotated[
    Decimal,
    Field(ge=0, le=PRICE_MAX, decimal_places=2),
    PlainSerializer(lambda price: f"{price:.2f}", return_type=str),
]


class Strict(BaseModel):
    """A model that takes nothing for what it is not."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Item(Strict):
    """An item as it is stored and shown."""

    name: Annotated[str, AfterValidator(_stored_name)]
    quantity: Quantity
    price: Price


class ShownItem(Strict):
    """An item as it was answered; checked on hits of the cache, so without calls back into Python."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_MAX)]
    quantity: Quantity
    price: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,7}\.[0-9]{2}$")]


class ShownPage(Strict):
    """A page of items as it was answered."""

    items: Annotated[list[ShownItem], Field(max_length=SIZE_MAX)]
    total: Annotated[int, Field(ge=0)]
    total_exact: bool
    page: Annotated[int, Field(ge=1, le=PAGE_MAX)]
    size: Annotated[int, Field(ge=1, le=SIZE_MAX)]
    pages: Annotated[int, Field(ge=0)]
    next: str | None
    previous: str | None


class ShownProblem(Strict):
    """A problem document as it was answered."""

    type: str
    title: str
    status: int
    detail: str
    instance: str


class PutItem(Strict):
    """The body of PUT /items/{name}, with the name from the path."""

    name: Name
    quantity: Quantity
    price: PriceText | None = None
    mode: Literal["set", "add"] = "set"


class PatchItem(Strict):
    """The body of PATCH /items/{name}; what is absent stays as it is."""

    name: Name = ""
    quantity: Quantity = 0
    price: PriceText = ""


class ListQuery(Strict):
    """The parameters of GET /items."""

    q: Annotated[str, Field(max_length=NAME_MAX), AfterValidator(normalise)] = ""
    sort: Literal["name", "price", "quantity"] = "name"
    dir: Literal["asc", "desc"] = "asc"
    page: Annotated[int, Field(ge=1, le=PAGE_MAX), BeforeValidator(digits)] = 1
    size: Annotated[int, Field(ge=1, le=SIZE_MAX), BeforeValidator(digits)] = 50
    cursor: Annotated[str, Field(max_length=CURSOR_MAX)] = ""


class CsvRow(Strict):
    """A row of the catalogue file."""

    name: Name
    quantity: Annotated[Quantity, BeforeValidator(digits)]
    price: PriceText


@lru_cache(maxsize=256)
def is_document(model: type[Strict], body: bytes) -> bool:
    """Tell whether these bytes are such a document, in JSON; the same bytes are looked through once."""
    try:
        model.model_validate_json(body)
    except ValidationError:
        return False
    return True


def field_errors(error: ValidationError) -> list[FieldError]:
    """Say for people what is wrong, field by field, each field once."""
    messages: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        field = str(detail["loc"][0]) if detail["loc"] else "body"
        messages.setdefault(field, _message(field, dict(detail)))
    return [{"field": field, "message": message} for field, message in messages.items()]


def _message(field: str, detail: dict[str, Any]) -> str:
    kind = detail["type"]
    if kind == "missing":
        return f"{field.capitalize()} is required."
    if kind == "extra_forbidden":
        return "There is no such field."
    if kind == "name":
        return str(detail["msg"])
    return MESSAGES.get(field, "The request must be a JSON object.")
