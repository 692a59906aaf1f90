"""What the validators promise of any input at all: what they take, and that nothing else passes or breaks them."""

import contextlib
import json
import re
import unicodedata
from decimal import Decimal
from random import Random
from typing import Any

import malformed
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shop_api.documents import ApplyImport, ChangesQuery, WriteHeaders
from shop_api.listing import Cursor
from shop_api.problems import ProblemError
from shop_api.validation import (
    CsvRow,
    FieldError,
    Item,
    ListQuery,
    PatchItem,
    PutItem,
    ShownItem,
    ShownPage,
    Strict,
    field_errors,
    is_document,
    normalise,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MODELS = [PutItem, PatchItem, ListQuery, CsvRow, Item, WriteHeaders, ChangesQuery, ApplyImport, ShownItem, ShownPage]


def faults(model: type[Strict], values: dict[str, Any]) -> list[FieldError]:
    """Return what is said against these values."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        return field_errors(error)
    return []


def taken(model: type[Strict], **values: object) -> Any:  # noqa: ANN401
    """Return the model of these values, None when they are refused."""
    return None if faults(model, values) else model.model_validate(values)


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_any_document_is_taken_or_refused_in_words(model: type[Strict], data: st.DataObject) -> None:
    names = st.sampled_from([*model.model_fields, "other"])
    values = data.draw(st.dictionaries(names, JSON, max_size=5))
    errors = faults(model, values)
    assert len({fault["field"] for fault in errors}) == len(errors)
    assert all(re.fullmatch(r"[A-Z].*\.", fault["message"]) for fault in errors)


@given(JSON | st.integers(-3, 3) | st.integers(999_997, 1_000_003))
def test_a_quantity_is_a_whole_number_in_its_range(value: object) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1_000_000
    assert (taken(PutItem, name="x", quantity=value) is not None) == whole
    assert (taken(PatchItem, quantity=value) is not None) == whole


@given(
    JSON
    | st.from_regex(r"[0-9]{0,10}(\.[0-9]{0,4})?", fullmatch=True)
    | st.from_regex(r"[0-9]{7,8}(\.[0-9]{2,3})?", fullmatch=True)
)
def test_a_price_is_an_amount_as_text(value: object) -> None:
    right = isinstance(value, str) and re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,2})?", value, re.ASCII) is not None
    item = taken(PutItem, name="x", quantity=1, price=value)
    assert (item is not None) == (right or value is None)
    if right:
        assert re.fullmatch(r"[0-9]{1,7}\.[0-9]{2}", item.price)
        assert Decimal(item.price) == Decimal(str(value))


@given(st.text(max_size=130))
def test_a_name_is_kept_in_one_form_or_refused(text: str) -> None:
    item = taken(PutItem, name=text, quantity=1)
    if item is None:
        return
    assert item.name == normalise(text) == normalise(item.name)
    assert 1 <= len(item.name) <= 120
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text)
    assert taken(PatchItem, name=item.name).name == item.name
    assert taken(CsvRow, name=item.name, quantity="1", price="1").name == item.name
    assert taken(Item, name=item.name, quantity=1, price=Decimal("1.00")).name == item.name
    assert is_document(ShownItem, json.dumps({"name": item.name, "quantity": 1, "price": "1.00"}).encode())


@given(st.text(max_size=20) | st.integers().map(str))
def test_numbers_in_a_query_are_plain_digits(text: str) -> None:
    digits = re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) is not None
    number = int(text) if digits else 0
    assert (taken(ListQuery, page=text) is not None) == (1 <= number <= 1_000_000)
    assert (taken(ListQuery, size=text) is not None) == (1 <= number <= 100)
    assert (taken(ChangesQuery, before=text) is not None) == (number >= 1)
    assert (taken(CsvRow, name="x", quantity=text, price="1") is not None) == (digits and number <= 1_000_000)


@given(
    st.text(max_size=220) | st.text("az09._-A ", min_size=30, max_size=34) | st.text("!~ ", min_size=198, max_size=202)
)
def test_headers_of_writes(text: str) -> None:
    key, actor = taken(WriteHeaders, idempotency_key=text), taken(WriteHeaders, x_actor=text)
    assert (key is not None) == (1 <= len(text) <= 200 and all("!" <= char <= "~" for char in text))
    assert (actor is not None) == (re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,31}", text, re.ASCII) is not None)


@given(st.text(st.sampled_from("0123456789abcdefABCg\n"), min_size=62, max_size=66))
def test_a_digest_is_64_hexadecimal_digits(text: str) -> None:
    assert (taken(ApplyImport, digest=text) is not None) == (re.fullmatch(r"[0-9a-f]{64}", text) is not None)


SORTS = st.sampled_from(["name", "price", "quantity"])
DIRECTIONS = st.sampled_from(["asc", "desc"])


@given(SORTS, DIRECTIONS, st.sampled_from(["next", "previous"]), st.integers(0, 2**64 - 1), st.data())
def test_a_cursor_comes_back_as_it_was(sort: str, direction: str, way: str, number: int, data: st.DataObject) -> None:
    values = {
        "name": st.text(st.characters(exclude_categories=["Cs"]), max_size=120),
        "price": st.decimals(-(10**7), 10**7, places=2).map(str),
        "quantity": st.integers(-(10**6), 10**6).map(str),
    }
    cursor = Cursor(sort, direction, way, number, data.draw(values[sort]))
    text = str(cursor)
    assert len(text) <= 1000
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    query = ListQuery.model_validate({"sort": sort, "dir": direction, "cursor": text})
    assert Cursor.parse(query.cursor, query) == cursor
    other = ListQuery.model_validate({"sort": sort, "dir": "asc" if direction == "desc" else "desc"})
    with pytest.raises(ProblemError):
        Cursor.parse(text, other)


@given(st.text(max_size=60), SORTS, DIRECTIONS)
def test_any_other_text_is_no_cursor(text: str, sort: str, direction: str) -> None:
    query = ListQuery.model_validate({"sort": sort, "dir": direction})
    cursor = str(Cursor(sort, direction, "next", 1, "2"))
    for other in (text, cursor + text, f"{cursor}=", f"{cursor}\n", cursor[:-1], f"{cursor} "):
        with contextlib.suppress(ProblemError):
            assert str(Cursor.parse(other, query)) == other


def test_what_is_malformed_on_purpose_is_refused() -> None:
    random = Random(5)  # noqa: S311  no secrets are made of it
    for _ in range(3000):
        assert taken(PutItem, name=malformed.bad_name(random), quantity=1) is None
        assert taken(CsvRow, name="x", quantity=malformed.bad_quantity(random), price="1") is None
        assert taken(CsvRow, name="x", quantity="1", price=malformed.bad_price(random)) is None
        assert taken(PutItem, name="x", **malformed.bad_item(random)) is None
