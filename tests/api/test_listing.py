"""Pages of items, by number and by cursor, searched and sorted; and conditional reads."""

import base64
import itertools
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from shop_stack import Client, Reply, Stack, item_path

SORTS = [(sort, direction) for sort in ("name", "price", "quantity") for direction in ("asc", "desc")]


def fill(stack: Stack, rows: list[tuple[str, int, str]]) -> None:
    """Put rows into the table as they are, past all validation."""
    values = ",".join(f"(0x{name.encode().hex()}, {quantity}, {price})" for name, quantity, price in rows)
    stack.sql(
        f"INSERT INTO shop.items (name, quantity, price) VALUES {values};"  # noqa: S608  ours
        " UPDATE shop.catalogue_version"
        " SET version = version + 1, items = (SELECT COUNT(*) FROM shop.items)"
    )


def names(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.body
    return [item["name"] for item in reply.json["items"]]


def url(**query: object) -> str:
    return f"/items?{urlencode(query)}"


def walk(client: Client, way: str = "next", **query: Any) -> list[list[str]]:  # noqa: ANN401
    """Return the names on all pages, from one cursor to the next."""
    pages = []
    reply = client.get(url(**query))
    while True:
        pages.append(names(reply))
        cursor = reply.json[way]
        if cursor is None:
            return pages
        assert len(pages) < 100, "the cursors lead round in a circle"
        reply = client.get(url(**{**query, "page": len(pages) + 1, "cursor": cursor}))


@pytest.fixture
def shelf(stack: Stack, empty: None) -> list[str]:  # noqa: ARG001
    """Items of which many cost the same, and of each price some are bad; returns the names of the good ones."""
    rows = [(f"Thing {number:02}", number % 3, f"{number % 4}.50") for number in range(40)]
    bad = [(f"Thing {number:02} \x07", number % 3, f"{number % 4}.50") for number in range(0, 40, 5)]
    fill(stack, rows + bad)
    return [name for name, _, _ in rows]


@pytest.mark.parametrize(("sort", "direction"), SORTS)
@pytest.mark.parametrize("q", ["", "thing"])
def test_cursors_lead_through_all_pages_and_back(
    read: Client, shelf: list[str], sort: str, direction: str, q: str
) -> None:
    query: dict[str, Any] = {"sort": sort, "dir": direction, "size": 7, "q": q}
    forth = walk(read, **query)
    assert sorted(itertools.chain(*forth)) == shelf
    by_number = [names(read.get(url(**query, page=number))) for number in range(1, 8)]
    assert forth == by_number
    last = read.get(url(**query, page=7)).json
    assert last["next"] is None
    assert (
        list(itertools.chain(*forth[:-1]))[-10:]
        == list(itertools.chain(*reversed(walk(read, "previous", **query, cursor=last["previous"]))))[-10:]
    )


@pytest.mark.parametrize(("sort", "direction"), SORTS)
@pytest.mark.usefixtures("shelf")
def test_previous_leads_back_to_the_first_page(read: Client, sort: str, direction: str) -> None:
    query = {"sort": sort, "dir": direction, "size": 10}
    first, second = read.get(url(**query)), read.get(url(**query, page=2))
    back = read.get(url(**query, cursor=second.json["previous"]))
    assert (names(back), back.json["previous"]) == (names(first), None)
    assert read.get(url(**query, page=2, cursor=back.json["next"])).json["items"] == second.json["items"]


def test_a_page_by_number_counts_from_the_nearer_end(read: Client, shelf: list[str]) -> None:
    page = read.get(url(size=10, page=5)).json
    assert (page["total"], page["pages"], page["next"]) == (48, 5, None)
    assert [item["name"] for item in page["items"]] == [name for name in shelf if name >= "Thing 33"]
    assert read.get(url(size=10, page=6)).json["items"] == []


@pytest.mark.usefixtures("empty")
def test_what_changes_meanwhile_repeats_and_hides_nothing_else(read: Client, admin: Client) -> None:
    for letter in "bdfhjlnp":
        admin.put(letter, quantity=1, price="1")
    page = read.get(url(size=3)).json
    for change in ("a", "e", "g"):
        admin.put(change, quantity=1, price="1")
    for gone in ("f", "h"):
        admin.request("DELETE", item_path(gone))
    after = read.get(url(size=3, cursor=page["next"], page=2))
    assert names(after) == ["g", "j", "l"]
    assert names(read.get(url(size=3, cursor=after.json["previous"]))) == ["b", "d", "e"]


@pytest.mark.parametrize("number", ["1", "2", "7"])
@pytest.mark.usefixtures("shelf")
def test_with_a_cursor_the_page_is_only_echoed(read: Client, number: str) -> None:
    cursor = read.get(url(size=10)).json["next"]
    reply = read.get(url(size=10, cursor=cursor, page=number))
    assert (reply.json["page"], names(reply)[-1]) == (int(number), "Thing 15")


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "bad",
    [
        "x",
        "!",
        "é",
        "A" * 1001,
        cursor("name asc next 1"),
        cursor("name desc next 1 Tea"),
        cursor("price asc next 1 2.00"),
        cursor("name asc sideways 1 Tea"),
        cursor("name asc next x Tea"),
        cursor("name asc next 1 Tea") + "=",
        cursor("name asc next 1 Tea") + "\n",
    ],
)
def test_a_cursor_that_cannot_be_read(read: Client, bad: str) -> None:
    reply = read.get(url(cursor=bad))
    assert (reply.status, [error["field"] for error in reply.json["errors"]]) == (422, ["cursor"])


@pytest.mark.parametrize("bad", ["price asc next 1 Tea", "price asc next 1 1e5", "price asc next 1 NaN"])
def test_a_cursor_at_no_price(read: Client, bad: str) -> None:
    assert read.get(url(sort="price", cursor=cursor(bad))).status == 422


@pytest.mark.parametrize("query", ["colour=red", "Q=tea", "q=tea&limit=5"])
def test_a_parameter_that_is_not_known(read: Client, query: str) -> None:
    reply = read.get(f"/items?{query}")
    assert reply.status == 422
    assert reply.json["errors"][0]["message"] == "There is no such field."


SEARCHED = [
    "Stockpot, 8 l",
    "Pot holder",
    "Crème brûlée dish",
    "creme caramel",
    "Bread knife, serrated",
    "Chef's knife (20 cm)",
    "100 % cotton",
    "100_percent",
    "a|b\\c/d*e+f",
    "\"double\" and 'single'",
    "日本茶 急須",
    "👩‍💻 laptop ❤️",
    "STRASSE",
    "Straße",
    "ΟΔΟΣ ЁЛКА",
    "Donaudampfschifffahrtsgesellschaftskapitän",
    "x" * 60 + "y" + "x" * 59,
]
QUERIES = [
    *("pot", "POT", "pot pot", "pot zzz", "zzz", "k", "ife", "knife 20", "20 knife", "(20", "cm)", "l", "l l a"),
    *("creme", "crème", "CRÈME", "strasse", "straße", "οδος", "ΟΔΟΣ", "ёлка", "本", "茶", "本茶 急", "👩‍💻", "💻", "❤️"),
    *("%", "_", "0_p", "0 %", "|", "\\", "/", "*", "+", "*e", '"', "'", "-", ".", "+knife -bread", "kni*", "; DROP"),
    *("dampfschifffahrtsgesellschaft", "fahrtsgesellschaftskapitän", "xyx", "x" * 61, "x" * 59 + "y" + "x" * 59),
    *("NULL", "\x00", "\x07", "\ufffd"),
]


def expected(query: str) -> list[str]:
    def lower(text: str) -> str:
        return text.lower().replace("ς", "σ")

    return [name for name in SEARCHED if all(term in lower(name) for term in lower(query).split())]


@pytest.mark.usefixtures("empty")
def test_a_search_finds_what_contains_each_word(stack: Stack, read: Client) -> None:
    fill(stack, [(name, 1, "1") for name in SEARCHED])
    found = {query: names(read.get(url(q=query))) for query in QUERIES}
    assert {query: sorted(matches) for query, matches in found.items()} == {
        query: sorted(expected(query)) for query in QUERIES
    }


@pytest.mark.usefixtures("empty")
def test_a_search_follows_every_way_of_writing(stack: Stack, read: Client, admin: Client) -> None:
    def found(query: str) -> list[str]:
        drifted = stack.sql(
            "SELECT items.name, item_words.name, item_words.price, item_words.quantity"
            " FROM shop.items LEFT JOIN shop.item_words ON item_words.item_id = items.id"
            " WHERE NOT (BINARY items.name <=> BINARY item_words.name AND items.price <=> item_words.price"
            " AND items.quantity <=> item_words.quantity)"
        )
        assert drifted == "", "what lists are sorted by is not what the items say"
        return names(read.get(url(q=query)))

    admin.put("Teapot", quantity=1, price="1")
    admin.put("Teapot", quantity=2, price="3")
    admin.request("PATCH", item_path("Teapot"), {"price": "4"})
    admin.put("Coffeepot", quantity=1, price="1")
    assert (found("pot"), found("tea")) == (["Coffeepot", "Teapot"], ["Teapot"])
    admin.request("PATCH", item_path("Teapot"), {"name": "Kettle"})
    assert (found("pot"), found("tea"), found("ettl")) == (["Coffeepot"], [], ["Kettle"])
    admin.request("PATCH", item_path("Kettle"), {"name": "KETTLE"})
    assert found("ettl") == ["KETTLE"]
    deleted = admin.request("DELETE", item_path("Coffeepot"))
    assert found("pot") == []
    admin.request("POST", f"/changes/{deleted.headers['x-change-id']}/undo")
    assert found("pot") == ["Coffeepot"]
    plan = admin.request("POST", "/imports", b"name,quantity,price\nFlowerpot,1,1\n", {"Content-Type": "text/csv"}).json
    assert admin.request("POST", f"/imports/{plan['id']}/apply", {"digest": plan["digest"]}).status == 200
    assert found("pot") == ["Coffeepot", "Flowerpot"]
    stack.sql("UPDATE shop.items SET name = 'Saucer' WHERE name = 'Flowerpot'")
    admin.put("Cup", quantity=1, price="1")
    assert (found("pot"), found("sau")) == (["Coffeepot"], ["Saucer"])


Row = tuple[str, int, str]


@pytest.fixture(scope="module")
def crowd(stack: Stack) -> list[Row]:
    """So many items that some searches are answered in the other way."""
    words = ["red", "blue", "mug"]
    rows = [
        (f"{words[n % 2]} {words[2] if n % 3 else 'jug'} {n:04}", n * 17 % 11, f"{n * 13 % 700}.50")
        for n in range(3500)
    ]
    stack.sql("DELETE FROM shop.items")
    fill(stack, rows)
    return rows


@pytest.mark.parametrize(
    "q",
    [
        "mug",
        "u",
        "blue mug",
        "red jug",
        "0",
        "7",
        "77",
        "mug 77",
        "red blue",
        "red zzz",
        "mug zzz",
        "blue mug 1",
        "g 3",
    ],
)
@pytest.mark.parametrize(("sort", "direction"), SORTS)
def test_common_words(read: Client, crowd: list[Row], q: str, sort: str, direction: str) -> None:
    def key(row: Row) -> str | Decimal:
        return row[0] if sort == "name" else Decimal(row[1] if sort == "quantity" else row[2])

    down = direction == "desc"
    # What is equal stays in the order of the ids, or of the ids backwards.
    order = sorted(reversed(crowd) if down else crowd, key=key, reverse=down)
    matches = [row[0] for row in order if all(term in row[0] for term in q.split())]
    query: dict[str, Any] = {"q": q, "size": 20, "sort": sort, "dir": direction}
    reply = read.get(url(**query))
    assert names(reply) == matches[:20]
    assert (reply.json["total"], reply.json["total_exact"]) == (min(len(matches), 1000), len(matches) <= 1000)
    assert reply.json["pages"] == -(-min(len(matches), 1000) // 20)
    assert (reply.json["next"] is None) == (len(matches) <= 20)
    if len(matches) > 40:
        second = read.get(url(**query, page=2, cursor=reply.json["next"]))
        assert names(second) == names(read.get(url(**query, page=2))) == matches[20:40]
        third = read.get(url(**query, page=3))
        back = read.get(url(**query, page=2, cursor=third.json["previous"]))
        assert names(back) == matches[20:40]


def rows_read(stack: Stack) -> int:
    """Return how many rows MySQL has read."""
    status = stack.sql("SHOW GLOBAL STATUS LIKE 'Handler_read%'").splitlines()
    return sum(int(line.split()[1]) for line in status)


@pytest.mark.usefixtures("empty")
def test_a_common_word_is_found_without_a_look_at_other_items(
    stack: Stack, read: Client, redis_client: redis.Redis
) -> None:
    fill(stack, [(f"other {n:05}", n % 1000, f"{n}.00") for n in range(15_000)])
    # The last in every order.
    fill(stack, [(f"zebra {n:04}", 5000 + n, f"{20_000 + n}.00") for n in range(1500)])
    for sort in ("name", "price", "quantity"):
        redis_client.flushall()
        before = rows_read(stack)
        reply = read.get(url(q="zebra", size=50, sort=sort))
        assert (names(reply)[0], reply.json["total_exact"], reply.cache) == ("zebra 0000", False, "miss")
        assert rows_read(stack) - before < 5000


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=130), st.sampled_from(SORTS))
def test_any_text_can_be_searched(stack: Stack, text: str, order: tuple[str, str]) -> None:
    q = quote(text.encode(errors="surrogatepass"))
    reply = stack.read.get(f"/items?q={q}&sort={order[0]}&dir={order[1]}")
    assert reply.status in (200, 422)


@pytest.mark.usefixtures("shelf")
def test_a_read_is_answered_once_to_who_has_it(read: Client, admin: Client) -> None:
    for client, path in itertools.product((read, admin), ("/items", item_path("Thing 01"), "/openapi.json")):
        reply = client.get(path)
        tag = reply.headers["etag"]
        assert (tag[0], tag[-1], reply.headers["cache-control"]) == ('"', '"', "no-cache")
        for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = client.request("GET", path, headers={"If-None-Match": header})
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
            assert (again.headers["cache-control"], again.cache) == ("no-cache", reply.cache and "hit")
            assert "content-type" not in again.headers
        for header in ('"other"', 'W/"other"', ""):
            assert client.request("GET", path, headers={"If-None-Match": header}).status == 200


@pytest.mark.usefixtures("shelf")
def test_the_tag_changes_with_what_is_read(read: Client, admin: Client) -> None:
    before = {path: read.get(path).headers["etag"] for path in ("/items", item_path("Thing 01"))}
    admin.put("Thing 01", quantity=77)
    for path, tag in before.items():
        reply = read.request("GET", path, headers={"If-None-Match": tag})
        assert (reply.status, reply.headers["etag"] == tag) == (200, False)
    missing = read.request("GET", item_path("No such thing"), headers={"If-None-Match": "*"})
    assert (missing.status, missing.headers["cache-control"]) == (404, "no-cache")
    assert "etag" not in missing.headers


def test_bad_rows_are_reported_by_every_read(stack: Stack, read: Client, shelf: list[str]) -> None:
    def counted() -> float:
        lines = read.get("/metrics").body.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("shop_api_bad_rows_total"))

    ids = set(map(int, stack.sql("SELECT id FROM shop.items WHERE name LIKE CONCAT('%', CHAR(7))").split()))
    assert len(ids) == 8
    for path, left_out in (
        (url(size=100), ids),
        (url(q="hin", size=100), ids),
        ("/items/Thing%2000%20%07", None),
    ):
        before, lines = counted(), len(stack.logs("api"))
        reply = read.get(path)
        named = {line["item_id"] for line in stack.logs("api")[lines:] if line["message"].startswith("row left out")}
        if left_out is None:
            assert (reply.status, len(named)) == (404, 1)
            assert named < ids
        else:
            assert (names(reply), named) == (shelf, left_out)
        assert counted() - before == len(named)
