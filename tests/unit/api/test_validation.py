"""What is taken for an item, and the words in which the rest is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shop_api.validation import Item, ListQuery, PatchItem, PutItem, field_errors, normalise


def errors_of(model: type[PutItem | PatchItem | ListQuery | Item], **values: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    return {error["field"]: error["message"] for error in field_errors(caught.value)}


@pytest.mark.parametrize(
    ("given", "kept"),
    [("  a \u00a0 b ", "a b"), ("e\u0301", "é"), ("x" * 120, "x" * 120), ("👩‍💻", "👩‍💻"), ("❤️", "❤️"), ("<b>", "<b>")],
)
def test_names_have_one_form(given: str, kept: str) -> None:
    assert PutItem(name=given, quantity=1).name == kept


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "Name must not be empty."),
        (" \u00a0 ", "Name must not be empty."),
        ("\u200d\ufe0f", "Name must not be empty."),
        ("x" * 121, "Name must have at most 120 characters."),
        ("a\tb", "Name must not contain control characters."),
        ("a\n", "Name must not contain control characters."),
        ("a\x00", "Name must not contain control characters."),
        ("a\x85b", "Name must not contain control characters."),
        ("a\u2028b", "Name must not contain control characters."),
        ("a\u2029b", "Name must not contain control characters."),
        ("a\u202eb", "Name must not contain control characters."),
        ("a\u2066b", "Name must not contain control characters."),
        ("a" + chr(0xD800), "Name must not contain control characters."),
        ("a\ufffdb", "Name must not contain control characters."),
        (5, "Name must be a text of 1 to 120 characters."),
    ],
)
def test_bad_names(name: object, message: str) -> None:
    assert errors_of(PutItem, name=name, quantity=1) == {"name": message}


@given(st.text())
def test_a_name_that_is_taken_is_in_its_normal_form(text: str) -> None:
    try:
        name = PutItem(name=text, quantity=1).name
    except ValidationError:
        return
    assert name == normalise(name)
    assert PutItem(name=name, quantity=1).name == name
    assert 1 <= len(name) <= 120
    assert Item(name=name, quantity=1, price=Decimal(1)).name == name


@pytest.mark.parametrize("quantity", [-1, 1_000_001, 1.0, True, "5", None, 10**30, float("nan")])
def test_bad_quantities(quantity: object) -> None:
    message = "Quantity must be a whole number from 0 to 1,000,000."
    assert errors_of(PutItem, name="x", quantity=quantity) == {"quantity": message}


@pytest.mark.parametrize(
    ("price", "kept"), [("0", "0.00"), ("2.9", "2.90"), ("9999999.99", "9999999.99"), ("007", "7.00")]
)
def test_prices_have_two_decimals(price: str, kept: str) -> None:
    assert PutItem(name="x", quantity=1, price=price).price == kept


@pytest.mark.parametrize(
    "price", ["", "-1", "1e9", "2.999", ".5", "5.", "1,5", "12345678", "٣", "1\n", 2.99, 2, Decimal(2)]
)
def test_bad_prices(price: object) -> None:
    assert list(errors_of(PutItem, name="x", quantity=1, price=price)) == ["price"]


@given(st.decimals(min_value=0, max_value=Decimal("9999999.99"), places=2))
def test_prices_are_exact(price: Decimal) -> None:
    assert PutItem(name="x", quantity=1, price=str(price)).price == str(price)
    assert Item(name="x", quantity=1, price=price).model_dump()["price"] == str(price)


def test_absent_and_unknown_fields() -> None:
    assert errors_of(PutItem, name="x", colour="red") == {
        "quantity": "Quantity is required.",
        "colour": "There is no such field.",
    }
    assert PatchItem(quantity=1).model_dump(exclude_unset=True) == {"quantity": 1}
    assert list(errors_of(PatchItem, price=None)) == ["price"]


@pytest.mark.parametrize(
    "row", [{"name": " x"}, {"name": ""}, {"quantity": -1}, {"price": 1.5}, {"price": Decimal("-1")}]
)
def test_rows_are_judged(row: dict[str, object]) -> None:
    good = {"name": "x", "quantity": 1, "price": Decimal("1.00")}
    assert list(errors_of(Item, **{**good, **row})) == list(row)


def test_list_parameters() -> None:
    query = ListQuery.model_validate({"q": " a  b ", "page": "2", "size": "100"})
    assert (query.q, query.page, query.size, query.sort, query.dir) == ("a b", 2, 100, "name", "asc")
    bad = errors_of(ListQuery, q="x" * 121, sort="id", dir="up", page="1.0", size="٣")
    assert set(bad) == {"q", "sort", "dir", "page", "size"}
