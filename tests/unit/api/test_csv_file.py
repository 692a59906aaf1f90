"""The catalogue as a file: what is taken, and the words in which the rest is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shop_api.csv_file import CsvError, parse, render
from shop_api.validation import Item, PutItem

HEADER = "name,quantity,price\n"


def rows(text: str | bytes) -> list[tuple[int, str, int, str]]:
    file = parse(text if isinstance(text, bytes) else text.encode())
    assert file.faults == []
    return [(line, row.name, row.quantity, row.price) for line, row in file.rows.items()]


def faults(text: str) -> list[tuple[int, str]]:
    return [(fault.line, fault.message) for fault in parse(text.encode()).faults]


def test_a_good_file() -> None:
    text = '\ufeffname,quantity,price\r\n"A, ""b""",0,1\r\n\r\n Green   tea ,12,2.5\r\ne\u0301,007,0.10'
    assert rows(text) == [(2, 'A, "b"', 0, "1.00"), (4, "Green tea", 12, "2.50"), (5, "é", 7, "0.10")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_whatever_ends_the_lines(end: str) -> None:
    assert rows(HEADER.strip() + end + f"a,1,1{end}{end}b,2,2{end}") == [(2, "a", 1, "1.00"), (4, "b", 2, "2.00")]


def test_a_file_without_rows() -> None:
    assert rows(HEADER) == rows(HEADER.strip()) == []


def test_every_bad_row_has_every_reason() -> None:
    text = HEADER + '"two\nlines",1,1\ngood,1,1\n\n,1.5,1e3\nx,1\nx,1,1,1\n ,-1,2.999\n  \n'
    assert faults(text) == [
        (2, "Name must not contain control characters."),
        (6, "Name must not be empty."),
        (6, "Quantity must be a whole number from 0 to 1,000,000."),
        (6, "Price must be an amount from 0.00 to 9,999,999.99 with at most two decimals, such as 2.99."),
        (7, "3 columns are needed, 2 found."),
        (8, "3 columns are needed, 4 found."),
        (9, "Name must not be empty."),
        (9, "Quantity must be a whole number from 0 to 1,000,000."),
        (9, "Price must be an amount from 0.00 to 9,999,999.99 with at most two decimals, such as 2.99."),
        (10, "3 columns are needed, 1 found."),
    ]
    assert parse(text.encode()).count == 7


def test_the_name_of_a_bad_row_is_known() -> None:
    file = parse(f"{HEADER}  Tea ,x,1\n,1,1\n".encode())
    assert (file.names, file.rows) == ({2: "Tea"}, {})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The first line must be name,quantity,price."),
        (b"\nname,quantity,price\n", "The first line must be name,quantity,price."),
        (b"name;quantity;price\n", "The first line must be name,quantity,price."),
        (b"Name,Quantity,Price\n", "The first line must be name,quantity,price."),
        (b"PK\x03\x04", "The first line must be name,quantity,price."),
        (b"name,quantity,price\nx,1,1\n\xff,1,1\n", "Line 3 is not UTF-8."),
        (HEADER.encode("utf-16"), "Line 1 is not UTF-8."),
        (b'name,quantity,price\nx,1,1\n"open,1,1\ny,1,1\n', "The row that begins in line 3 is not CSV: "),
        (b'name,quantity,price\n"a"b,1,1\n', "The row that begins in line 2 is not CSV: "),
        (b"name,quantity,price\n" + b"x" * 200_000 + b",1,1\n", "The row that begins in line 2 is not CSV: "),
    ],
)
def test_what_is_no_catalogue(content: bytes, says: str) -> None:
    with pytest.raises(CsvError) as caught:
        parse(content)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


@given(st.binary() | st.text().map(lambda text: (HEADER + text).encode(errors="surrogatepass")))
def test_any_bytes_are_a_file_or_none(content: bytes) -> None:
    try:
        file = parse(content)
    except CsvError:
        return
    assert file.count == len(file.rows) + len({fault.line for fault in file.faults})
    assert set(file.rows) <= set(file.names)


def _is_name(text: str) -> bool:
    try:
        return PutItem(name=text, quantity=0).name == text
    except ValidationError:
        return False


_ITEMS = st.builds(
    Item,
    name=st.text(min_size=1).filter(_is_name),
    quantity=st.integers(0, 1_000_000),
    price=st.decimals(min_value=0, max_value=Decimal("9999999.99"), places=2),
)


@given(st.lists(_ITEMS))
def test_what_is_written_is_read_again(items: list[Item]) -> None:
    expected = [(item.name, item.quantity, f"{item.price:.2f}") for item in items]
    assert [(row[1], row[2], row[3]) for row in rows(render(items))] == expected
