"""What the API and the admin API promise over HTTP, apart from the cache."""

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from shop_stack import Client, Stack, item_path

QUANTITY = "Quantity must be a whole number from 0 to 1,000,000."
PRICE = "Price must be an amount from 0.00 to 9,999,999.99 with at most two decimals, such as 2.99."
NAMES = [
    "a/b",
    "/leading and trailing/",
    "a//b///c",
    "..",
    "../../etc/passwd",
    "./x",
    "100 % cotton",
    "%2F",
    "what?",
    "a&b=c#d;e",
    "50+1",
    "\"double\" and 'single'",
    "back\\slash",
    "'; DROP TABLE items; --",
    "<script>alert(1)</script>",
    "Crème brûlée",
    "日本茶",
    "👩‍💻 laptop ❤️",
    "x" * 120,
    "😀" * 120,
]


def field_errors(body: dict[str, object]) -> dict[str, str]:
    errors = body["errors"]
    assert isinstance(errors, list)
    return {error["field"]: error["message"] for error in errors}


def test_put_creates_then_updates(read: Client, admin: Client, name: str) -> None:
    created = admin.put(name, quantity=3, price="2.9")
    assert (created.status, created.json) == (201, {"name": name, "quantity": 3, "price": "2.90"})
    updated = admin.put(name, quantity=5)
    assert (updated.status, updated.json) == (200, {"name": name, "quantity": 5, "price": "2.90"})
    added = admin.put(name, quantity=2, mode="add", price="3")
    assert (added.status, added.json) == (200, {"name": name, "quantity": 7, "price": "3.00"})
    added = admin.put(name, quantity=1, mode="add")
    assert (added.status, added.json) == (200, {"name": name, "quantity": 8, "price": "3.00"})
    assert read.item(name).json == admin.item(name).json == added.json


def test_put_same_values_is_an_update(admin: Client, name: str) -> None:
    assert admin.put(name, quantity=3, price="2.99").status == 201
    assert admin.put(name, quantity=3, price="2.99").status == 200


def test_new_item_needs_a_price(read: Client, admin: Client, name: str) -> None:
    for mode in ("set", "add"):
        reply = admin.put(name, quantity=3, mode=mode)
        assert reply.status == 422
        assert field_errors(reply.json) == {"price": "A new item needs a price."}
    assert read.item(name).status == 404


def test_names_differ_by_more_than_case(read: Client, admin: Client, name: str) -> None:
    admin.put(name, quantity=1, price="1")
    assert admin.put(f"  {name.upper()} ", quantity=2).json == {"name": name, "quantity": 2, "price": "1.00"}
    assert read.item(name.lower()).json["quantity"] == 2
    assert admin.put(f"{name} é", quantity=1, price="1").status == 201
    assert admin.put(f"{name} e", quantity=1, price="1").status == 201
    # The same letter, composed in another way.
    assert admin.put(f"{name}   e\u0301", quantity=7).json == {"name": f"{name} é", "quantity": 7, "price": "1.00"}


@pytest.mark.parametrize("text", NAMES)
@pytest.mark.usefixtures("empty")
def test_any_text_is_a_name(read: Client, admin: Client, text: str) -> None:
    assert admin.put(text, quantity=1, price="0.10").status == 201
    item = {"name": text, "quantity": 1, "price": "0.10"}
    assert read.item(text).json == item
    assert read.get("/items").json["items"] == [item]
    assert read.get(f"/items?q={item_path(text)[7:]}").json["items"] == [item]
    assert admin.request("PATCH", item_path(text), {"quantity": 2}).json == {**item, "quantity": 2}
    assert admin.request("DELETE", item_path(text)).status == 204
    assert read.item(text).status == 404


@pytest.mark.parametrize("path", ["/items/a/b//c/../d/", "/items//x", "/items/.."])
def test_slashes_may_come_as_they_are(read: Client, admin: Client, path: str) -> None:
    assert admin.request("PUT", path, {"quantity": 1, "price": "1"}).status == 201
    assert read.get(path).json["name"] == path.removeprefix("/items/")
    assert admin.request("DELETE", path).status == 204


BAD_QUANTITIES = ["", "abc", "1e3", "5", " 5", -1, 1_000_001, 1.5, 1.0, 1e9, True, None, [], {}, 10**400]
BAD_PRICES = [
    "",
    "abc",
    "1e9",
    "-1",
    "2.999",
    "2.",
    ".5",
    "1,50",
    "12345678",
    "٣",
    "2.99\n",
    " 2",
    2.99,
    2,
    True,
    [],
    "NaN",
]
BAD_NAMES = {
    "%20": "Name must not be empty.",
    "%E2%80%8D": "Name must not be empty.",
    "x" * 121: "Name must have at most 120 characters.",
    "a%00b": "Name must not contain control characters.",
    "a%0Ab": "Name must not contain control characters.",
    "tab%09": "Name must not contain control characters.",
    "a%E2%80%A8b": "Name must not contain control characters.",
    "a%E2%80%AEb": "Name must not contain control characters.",
    "a%FFb": "Name must not contain control characters.",
}


@pytest.mark.parametrize("quantity", BAD_QUANTITIES, ids=str)
def test_bad_quantity(admin: Client, name: str, quantity: object) -> None:
    for reply in (
        admin.put(name, quantity=quantity, price="1"),
        admin.request("PATCH", item_path(name), {"quantity": quantity}),
    ):
        assert reply.status == 422
        assert field_errors(reply.json) == {"quantity": QUANTITY}
    assert admin.item(name).status == 404


@pytest.mark.parametrize("price", BAD_PRICES, ids=str)
def test_bad_price(admin: Client, name: str, price: object) -> None:
    for reply in (
        admin.put(name, quantity=1, price=price),
        admin.request("PATCH", item_path(name), {"price": price}),
    ):
        assert reply.status == 422
        assert field_errors(reply.json) == {"price": PRICE}
    assert admin.item(name).status == 404


@pytest.mark.parametrize(("raw", "message"), BAD_NAMES.items())
def test_bad_name(admin: Client, raw: str, message: str) -> None:
    before = admin.get("/items").json["total"]
    reply = admin.request("PUT", f"/items/{raw}", {"quantity": 1, "price": "1"})
    assert reply.status == 422
    assert field_errors(reply.json) == {"name": message}
    assert admin.get("/items").json["total"] == before


def test_each_bad_field_is_named(admin: Client) -> None:
    reply = admin.request("PUT", "/items/%20", {"quantity": "x", "price": "x", "mode": "x", "colour": "red"})
    assert reply.status == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(field_errors(reply.json)) == {"name", "quantity", "price", "mode", "colour"}
    assert field_errors(admin.put("x").json) == {"quantity": "Quantity is required."}
    assert set(reply.json) == {"type", "title", "status", "detail", "instance", "errors"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"", {}, 400),
        (b"[]", {}, 400),
        (b"[" * 30000, {}, 400),
        (b"\xff", {}, 400),
        (b'{"quantity": 1, "price": "1"}', {"Content-Type": "text/plain"}, 415),
        (b'{"quantity": 1, "price": "1", "name": "y"}', {}, 422),
        (b'{"quantity": NaN, "price": "1"}', {}, 422),
        (b'{"quantity": 1, "price": "\\ud800"}', {}, 422),
        (b" " * 70_000, {}, 413),
    ],
)
def test_bad_body(admin: Client, name: str, body: bytes, headers: dict[str, str], status: int) -> None:
    reply = admin.request("PUT", item_path(name), body, headers)
    assert (reply.status, reply.json["status"]) == (status, status)
    assert ("errors" in reply.json) == (status == 422)
    assert admin.item(name).status == 404


def test_quantity_cannot_grow_beyond_the_limit(admin: Client, name: str) -> None:
    admin.put(name, quantity=1_000_000, price="9999999.99")
    for more in ({}, {"price": "1"}):
        reply = admin.put(name, quantity=1, mode="add", **more)
        assert reply.status == 422
        assert field_errors(reply.json) == {"quantity": "Quantity would be more than 1,000,000 then."}
    assert admin.item(name).json == {"name": name, "quantity": 1_000_000, "price": "9999999.99"}


def test_concurrent_upserts_of_a_new_name(admin: Client, stack: Stack, name: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda n: admin.fresh().put(name, quantity=n, price="1", mode="add"), range(1, 101)))
    assert sorted({reply.status for reply in replies}) == [200, 201]
    assert sum(reply.status == 201 for reply in replies) == 1
    query = f"SELECT COUNT(*), SUM(quantity), MAX(revision) FROM shop.items WHERE name = '{name}'"  # noqa: S608
    assert stack.sql(query).split() == ["1", "5050", "100"]


def test_a_key_takes_effect_once(admin: Client, name: str) -> None:
    key = secrets.token_hex(8)
    first = admin.put(name, key=key, quantity=5, price="1", mode="add")
    admin.put(name, quantity=1, mode="add")
    again = admin.put(name, key=key, quantity=5, price="1", mode="add")
    assert (again.status, again.body) == (first.status, first.body) == (201, first.body)
    assert admin.item(name).json["quantity"] == 6
    other = admin.put(name, key=key, quantity=9, price="1", mode="add")
    assert other.status == 422
    assert set(field_errors(other.json)) == {"idempotency_key"}
    assert admin.item(name).json["quantity"] == 6


def test_a_key_sent_many_times_at_once_takes_effect_once(admin: Client, name: str) -> None:
    key = secrets.token_hex(8)
    with ThreadPoolExecutor(8) as pool:
        replies = list(
            pool.map(lambda _: admin.fresh().put(name, key=key, quantity=5, price="1", mode="add"), range(24))
        )
    assert {(reply.status, reply.body) for reply in replies} == {(201, replies[0].body)}
    assert admin.item(name).json["quantity"] == 5


def test_a_refused_request_does_not_use_its_key_up(admin: Client, name: str) -> None:
    key = secrets.token_hex(8)
    assert admin.put(name, key=key, quantity=5).status == 422
    assert admin.put(name, key=key, quantity=5, price="1").status == 201
    assert admin.put(name, key="ü", quantity=5, price="1").status == 422
    assert admin.put(name, key="x" * 201, quantity=5, price="1").status == 422


def test_patch(admin: Client, read: Client, name: str) -> None:
    admin.put(name, quantity=1, price="1")
    admin.put(f"{name} other", quantity=1, price="1")
    changed = admin.request("PATCH", item_path(name), {"name": f"{name} new", "quantity": 4, "price": "4.5"})
    assert (changed.status, changed.json) == (200, {"name": f"{name} new", "quantity": 4, "price": "4.50"})
    assert read.item(name).status == 404
    assert read.item(f"{name} new").json == changed.json
    assert admin.request("PATCH", item_path(f"{name} new"), {"name": f"{name} NEW"}).json["name"] == f"{name} NEW"
    taken = admin.request("PATCH", item_path(f"{name} new"), {"name": f"{name} other"})
    assert (taken.status, field_errors(taken.json)) == (422, {"name": "Another item has this name already."})
    assert admin.request("PATCH", item_path(f"{name} new"), {}).status == 422
    assert admin.request("PATCH", item_path(f"{name} new"), {"price": None}).status == 422
    assert admin.request("PATCH", item_path(name), {"quantity": 1}).status == 404


def test_delete(admin: Client, read: Client, name: str) -> None:
    admin.put(name, quantity=1, price="1")
    deleted = admin.request("DELETE", item_path(name))
    assert (deleted.status, deleted.body) == (204, b"")
    assert read.item(name).status == admin.item(name).status == 404
    assert admin.request("DELETE", item_path(name)).status == 404


@pytest.mark.usefixtures("empty")
def test_list(admin: Client, read: Client) -> None:
    nothing = {"items": [], "total": 0, "total_exact": True, "page": 1, "size": 50, "pages": 0}
    assert read.get("/items").json == {**nothing, "next": None, "previous": None}
    for name, quantity, price in (("b", 2, "10"), ("A", 3, "9.5"), ("c", 1, "9.5"), ("100%", 1, "1"), ("x_y", 0, "2")):
        admin.put(name, quantity=quantity, price=price)

    def names(query: str) -> list[str]:
        return [item["name"] for item in read.get(f"/items?{query}").json["items"]]

    assert names("") == ["100%", "A", "b", "c", "x_y"]
    assert names("dir=desc") == ["x_y", "c", "b", "A", "100%"]
    assert names("sort=price") == ["100%", "x_y", "A", "c", "b"]
    assert names("sort=price&dir=desc") == ["b", "c", "A", "x_y", "100%"]
    assert names("sort=quantity") == ["x_y", "c", "100%", "b", "A"]
    assert names("q=B") == ["b"]
    assert names("q=%25") == ["100%"]
    assert names("q=_") == ["x_y"]
    assert names("q=/") == names("q=nothing") == []
    page = read.get("/items?size=2&page=3").json
    assert page == {
        "items": [{"name": "x_y", "quantity": 0, "price": "2.00"}],
        "total": 5,
        "total_exact": True,
        "page": 3,
        "size": 2,
        "pages": 3,
        "next": None,
        "previous": page["previous"],
    }
    assert read.get("/items?size=2&page=4").json == {**page, "items": [], "page": 4, "previous": None}


@pytest.mark.parametrize(
    "query",
    [
        "sort=id",
        "dir=up",
        "page=0",
        "page=x",
        "page=1e3",
        "page=-1",
        "page=99999999",
        "size=0",
        "size=101",
        "q=" + "x" * 121,
    ],
)
def test_bad_query(read: Client, query: str) -> None:
    reply = read.get(f"/items?{query}")
    assert (reply.status, reply.headers["content-type"]) == (422, "application/problem+json")
    assert list(field_errors(reply.json)) == [query.partition("=")[0]]


@pytest.mark.parametrize("query", ["page=1&page=2", "q=a&sort=name&q=a", "page=1&p%61ge=1"])
def test_a_parameter_that_is_given_twice(read: Client, query: str) -> None:
    reply = read.get(f"/items?{query}")
    assert reply.status == 422
    assert field_errors(reply.json) == {query.partition("=")[0]: "A parameter must be given once."}


def test_the_api_does_not_write(read: Client, name: str) -> None:
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        reply = read.request(method, item_path(name), {"quantity": 1, "price": "1"})
        assert (reply.status, reply.headers["content-type"]) == (405, "application/problem+json")
        assert "GET" in reply.headers["allow"]


@pytest.mark.parametrize("path", ["/", "/items/", "/item", "/static/x"])
def test_unknown_path(read: Client, path: str) -> None:
    reply = read.get(path)
    assert (reply.status, reply.headers["content-type"], reply.json["instance"]) == (
        404,
        "application/problem+json",
        path,
    )


@pytest.mark.usefixtures("empty")
def test_bad_rows_are_left_out_and_logged(stack: Stack, read: Client, admin: Client) -> None:
    admin.put("good", quantity=1, price="1")
    stack.sql(
        "INSERT INTO shop.items (name, quantity, price) VALUES (CONCAT('bad', CHAR(7)), 1, 1), (' spaces ', 1, 1);"
        "UPDATE shop.catalogue_version SET version = version + 1"
    )
    admin.put("other", quantity=1, price="1")
    assert [item["name"] for item in read.get("/items").json["items"]] == ["good", "other"]
    assert read.get("/items/bad%07").status == 404
    left_out = [line for line in stack.logs("api") if line["message"].startswith("row left out")]
    assert len(left_out) >= 2
    assert left_out[0]["level"] == "error"
    assert left_out[0]["fields"] == ["name"]


def test_logs_carry_the_request_id(stack: Stack, admin: Client, name: str) -> None:
    given = secrets.token_hex(8)
    reply = admin.request("GET", item_path(name), headers={"X-Request-ID": given})
    assert reply.headers["x-request-id"] == given
    forged = admin.request("GET", item_path(name), headers={"X-Request-ID": 'a" b'})
    assert len(forged.headers["x-request-id"]) == 32
    time.sleep(0.2)
    line = next(line for line in stack.logs("admin-api") if line.get("request_id") == given)
    assert (line["method"], line["path"], line["status"], line["cache"]) == ("GET", f"/items/{name}", 404, "miss")
    assert line["duration_ms"] > 0
    assert stack.password not in json.dumps(stack.logs("admin-api"))


def test_operations(read: Client, admin: Client) -> None:
    for client in (read, admin):
        assert client.get("/healthz").status == 200
        ready = client.get("/readyz")
        assert (ready.status, ready.json["dependencies"]) == (200, {"mysql": "ok", "redis": "ok"})
    metrics = read.get("/metrics").body.decode()
    for metric in ("requests_total", "request_duration_seconds_bucket", "cache_results_total"):
        assert f"shop_api_{metric}{{" in metrics
