"""One page of items: sorted, searched, found by its number or from a cursor. SQL that only reads."""

import base64
import binascii
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    asc,
    desc,
    func,
    literal,
    or_,
    select,
    true,
    union,
)

from shop_api.problems import ProblemError, invalid
from shop_api.repository import SHOWN, valid_items
from shop_api.tables import catalogue_version, item_words, items, word_parts
from shop_api.validation import MESSAGES, Item, ListQuery

COUNTED_MAX = 1000
"""Matches of a search are counted up to this many; of more it is only said that there are more."""

_PART = 16
"""How many characters of a word's parts are kept."""

_SELECTIVE_TERMS = 3

_SORTED_MAX = 100
"""So many matches are read and sorted; when there are more, the lists of the words are read, which are sorted."""

_MERGED_WORDS = 20
"""But not those of more words than this, for of each there is read as much as of a list with one word."""

_INDEXES = {"name": "items_name", "price": "items_price", "quantity": "items_quantity"}
_WORD_INDEXES = {"name": "PRIMARY", "price": "item_words_price", "quantity": "item_words_quantity"}
_CURSOR = re.compile(r"(name|price|quantity) (asc|desc) (next|previous) ([0-9]{1,20}) (.*)", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,2})?")


class Page(NamedTuple):
    """One page.

    Attributes:
        items: those of its rows that are valid.
        total: how many there are on all pages, `COUNTED_MAX` at most in a search.
        exact: False when there are more than `total`.
        next: cursor to the page after this one; None on the last one.
        previous: cursor to the page before this one; None on the first one.
    """

    items: list[Item]
    total: int
    exact: bool
    next: str | None
    previous: str | None


class Cursor(NamedTuple):
    """A place in a sorted list: just after an item, or just before it.

    Attributes:
        sort: what the list is sorted by.
        dir: its direction.
        way: which page is meant, seen from the item.
        id: of the item.
        value: of the item, in the column that is sorted by.
    """

    sort: str
    dir: str
    way: str
    id: int
    value: str

    def __str__(self) -> str:
        """Return the text that goes into a link."""
        return base64.urlsafe_b64encode(" ".join(map(str, self)).encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str, query: ListQuery) -> Self:
        """Read what `str` made.

        Args:
            text: the cursor.
            query: the list it is used for.

        Raises:
            ProblemError: it is no cursor of this list.
        """
        try:
            plain = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode()
        except (binascii.Error, UnicodeError):
            raise _no_cursor() from None
        found = _CURSOR.fullmatch(plain)
        if not found:
            raise _no_cursor()
        sort, direction, way, number, value = found.groups()
        cursor = cls(sort, direction, way, int(number), value)
        sortable = sort == "name" or _NUMBER.fullmatch(value)
        if (sort, direction) != (query.sort, query.dir) or not sortable or str(cursor) != text:
            raise _no_cursor()
        return cursor


class _Order:
    """The order of a list. Names differ from each other; equal prices and quantities are told apart by the id."""

    def __init__(self, query: ListQuery) -> None:
        self.query = query

    def by(self, *, backwards: bool = False, within: Table = items) -> list[ColumnElement[Any]]:
        direction = desc if (self.query.dir == "desc") != backwards else asc
        columns: list[ColumnElement[Any]] = [within.c[self.query.sort]]
        if self.query.sort != "name":
            columns.append(_id(within))
        return [direction(column) for column in columns]

    def beyond(self, cursor: Cursor, within: Table = items) -> ColumnElement[bool]:
        up = (cursor.dir == "asc") == (cursor.way == "next")
        column, number = within.c[cursor.sort], _id(within)
        if cursor.sort == "name":
            return column > cursor.value if up else column < cursor.value
        value = Decimal(cursor.value)
        further, later = (column > value, number > cursor.id) if up else (column < value, number < cursor.id)
        # So written, and not as a comparison of rows, MySQL reads it as two ranges of the index.
        return or_(further, and_(column == value, later))

    def cursor(self, row: Any, way: str) -> str:  # noqa: ANN401  a row of SHOWN
        return str(Cursor(self.query.sort, self.query.dir, way, row.id, str(getattr(row, self.query.sort))))


class _Part(NamedTuple):
    """Which rows of a list are wanted: so many, from its beginning or its end, or from a cursor on."""

    limit: int
    offset: int = 0
    cursor: Cursor | None = None
    backwards: bool = False


_Source = Callable[[_Part], Select[Any]]
"""Makes the statement that reads a part of a list."""


def page(connection: Connection, query: ListQuery, cursor: Cursor | None) -> Page:
    """Return one page of items.

    Args:
        connection: of a snapshot.
        query: which list, and which page of it when there is no cursor.
        cursor: where the page begins or ends.
    """
    order = _Order(query)
    offset = (query.page - 1) * query.size
    if not query.q:
        total = connection.execute(select(catalogue_version.c.item_count)).scalar_one()
        if cursor:
            return _from_cursor(connection, _scanned(order), order, cursor, total, exact=True)
        return _by_number(connection, order, offset, total)
    terms = sorted(set(query.q.split()), key=len, reverse=True)
    found = _find(connection, terms)
    total, exact = min(len(found), COUNTED_MAX), len(found) <= COUNTED_MAX
    source = _source(connection, order, terms, found)
    if cursor:
        return _from_cursor(connection, source, order, cursor, total, exact=exact)
    rows = connection.execute(source(_Part(query.size + 1, offset))).all()
    return _made(order, list(rows[: query.size]), total, exact, more=len(rows) > query.size, before=offset > 0)


def _scanned(order: _Order, condition: ColumnElement[bool] | None = None, index: str | None = None) -> _Source:
    """Read the items in the order of an index."""

    def source(part: _Part) -> Select[Any]:
        wanted = select(*SHOWN).with_hint(items, f"FORCE INDEX ({index or _INDEXES[order.query.sort]})", "mysql")
        if condition is not None:
            wanted = wanted.where(condition)
        if part.cursor:
            wanted = wanted.where(order.beyond(part.cursor))
        return wanted.order_by(*order.by(backwards=part.backwards)).limit(part.limit).offset(part.offset)

    return source


def _merged(order: _Order, words: list[str], others: list[str]) -> _Source:
    """Read the items that have one of a few words, each word's in the order of its index."""
    index = _WORD_INDEXES[order.query.sort]

    def source(part: _Part) -> Select[Any]:
        every = select(item_words.c.item_id).with_hint(item_words, f"FORCE INDEX ({index})", "mysql")
        every = every.where(_contain(others, item_words)).limit(part.offset + part.limit)
        every = every.order_by(*order.by(backwards=part.backwards, within=item_words))
        if part.cursor:
            every = every.where(order.beyond(part.cursor, item_words))
        # An item that has two of the words is there once.
        ids = union(*(every.where(item_words.c.word == word) for word in words)).subquery()
        wanted = select(*SHOWN).prefix_with("STRAIGHT_JOIN").select_from(ids).join(items, items.c.id == ids.c.item_id)
        return wanted.order_by(*order.by(backwards=part.backwards)).limit(part.limit).offset(part.offset)

    return source


def _made(order: _Order, rows: list[Any], total: int, exact: bool, *, more: bool, before: bool) -> Page:
    # Of all rows, valid or not: a row that is left out must not lead to its neighbours being left out.
    following = order.cursor(rows[-1], "next") if rows and more else None
    preceding = order.cursor(rows[0], "previous") if rows and before else None
    return Page(valid_items(rows), total, exact, following, preceding)


def _from_cursor(
    connection: Connection, source: _Source, order: _Order, cursor: Cursor, total: int, *, exact: bool
) -> Page:
    size, backwards = order.query.size, cursor.way == "previous"
    rows = list(connection.execute(source(_Part(size + 1, cursor=cursor, backwards=backwards))).all())
    if not backwards:
        return _made(order, rows[:size], total, exact, more=len(rows) > size, before=True)
    if len(rows) > size:
        return _made(order, rows[size - 1 :: -1], total, exact, more=True, before=True)
    # Nothing but the first page is so near the beginning, and it is a full one.
    rows = list(connection.execute(source(_Part(size + 1))).all())
    return _made(order, rows[:size], total, exact, more=len(rows) > size, before=False)


def _by_number(connection: Connection, order: _Order, offset: int, total: int) -> Page:
    # What is skipped is skipped in the index alone, from the end that is nearer.
    backwards = total // 2 < offset < total
    number = min(order.query.size, total - offset) if backwards else order.query.size
    skipped = total - offset - number if backwards else offset
    ids = (
        select(items.c.id)
        .with_hint(items, f"FORCE INDEX ({_INDEXES[order.query.sort]})", "mysql")
        .order_by(*order.by(backwards=backwards))
        .limit(number)
        .offset(skipped)
        .subquery()
    )
    rows = connection.execute(select(*SHOWN).join(ids, items.c.id == ids.c.id).order_by(*order.by())).all()
    return _made(order, list(rows), total, True, more=offset + number < total, before=offset > 0)


def _find(connection: Connection, terms: list[str]) -> list[int]:
    """Return the ids of all items whose names contain all terms, or of `COUNTED_MAX` and one of them."""
    for term in terms[:_SELECTIVE_TERMS]:
        found = _ids(connection, _having(term))
        if not found or len(terms) == 1:
            return found
        if len(found) <= COUNTED_MAX:
            among = select(items.c.id).with_hint(items, "FORCE INDEX (PRIMARY)", "mysql")
            return _ids(connection, among.where(items.c.id.in_(found), _contain(terms)))
    # Each alone is common; not so, perhaps, all together.
    return _ids(connection, _having(terms[0]).where(_contain(terms[1:], item_words)))


def _source(connection: Connection, order: _Order, terms: list[str], found: list[int]) -> _Source:
    """Choose how the items that were found are read in their order."""
    if len(found) > _SORTED_MAX:
        for term in terms:
            words = select(word_parts.c.word).distinct().where(*_beginning(term)).limit(_MERGED_WORDS + 1)
            having = list(connection.execute(words).scalars())
            if len(having) <= _MERGED_WORDS:
                return _merged(order, having, [other for other in terms if other != term])
    if len(found) <= COUNTED_MAX:
        return _scanned(order, items.c.id.in_(found), "PRIMARY")
    return _scanned(order, _contain(terms))


def _ids(connection: Connection, statement: Select[Any]) -> list[int]:
    ids = statement.limit(COUNTED_MAX + 1).subquery()
    # One row, for a thousand would cost the client as much as MySQL takes to find them.
    found: list[int] = json.loads(connection.execute(select(func.json_arrayagg(ids.c[0]))).scalar_one() or "[]")
    return found


def _having(term: str) -> Select[tuple[int]]:
    joined = select(item_words.c.item_id).distinct().prefix_with("STRAIGHT_JOIN").select_from(word_parts)
    return joined.join(item_words, item_words.c.word == word_parts.c.word).where(*_beginning(term))


def _beginning(term: str) -> list[ColumnElement[bool]]:
    conditions = [_like(word_parts.c.part, f"{_escaped(term[:_PART])}%")]
    if len(term) > _PART:
        conditions.append(_like(word_parts.c.word, f"%{_escaped(term)}%"))
    return conditions


def _contain(terms: list[str], within: Table = items) -> ColumnElement[bool]:
    name = func.lower(func.upper(within.c.name))
    return and_(true(), *(_like(name, f"%{_escaped(term)}%") for term in terms))


def _id(within: Table) -> ColumnElement[Any]:
    return items.c.id if within is items else item_words.c.item_id


def _no_cursor() -> ProblemError:
    return invalid("cursor", MESSAGES["cursor"])


def _escaped(text: str) -> str:
    return re.sub(r"([%_|])", r"|\1", text)


def _like(column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    # MySQL puts both sides into lower case by the same rules; from there on, characters are equal or not.
    lower = func.lower(func.upper(literal(pattern).collate("utf8mb4_0900_as_ci"))).collate("utf8mb4_0900_bin")
    return column.like(lower, escape="|")
