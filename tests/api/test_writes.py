"""What every write promises: a line in the log in the same transaction, exact money, an exact number of items."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from shop_stack import Client, Stack, item_path

BAD_ACTORS = ["Ann", "", "a b", "-ann", "a" * 33, "ann\xfc", "ann@example", "a,b"]


def counted(stack: Stack) -> tuple[int, int]:
    """The number of items as it is kept, and as it is."""
    query = "SELECT items, (SELECT COUNT(*) FROM shop.items) FROM shop.catalogue_version"
    kept, real = stack.sql(query).split()
    return int(kept), int(real)


@contextmanager
def no_log(stack: Stack) -> Iterator[None]:
    """Make the last step of every write impossible."""
    stack.sql("REVOKE INSERT ON shop.changes FROM admin_api@'%'")
    try:
        yield
    finally:
        stack.sql("GRANT INSERT ON shop.changes TO admin_api@'%'")


def test_the_log_says_who_when_and_what(admin: Client, name: str) -> None:
    before = datetime.now(UTC)
    ann, bob = {"X-Actor": "ann"}, {"X-Actor": "bob.b_2-x"}
    first = {"name": name, "quantity": 3, "price": "2.90"}
    second = {"name": name, "quantity": 5, "price": "2.90"}
    new_name = f"{name} new"
    third = {"name": new_name, "quantity": 5, "price": "3.00"}
    replies = [
        admin.request("PUT", item_path(name), {"quantity": 3, "price": "2.9"}, ann),
        admin.put(name, quantity=2, mode="add"),
        admin.request("PATCH", item_path(name), {"name": new_name, "price": "3"}, bob),
        admin.request("DELETE", item_path(new_name), headers=ann),
    ]
    replies.append(admin.request("POST", f"/changes/{replies[-1].change}/undo", headers=bob))
    log = admin.get("/changes?size=5").json["changes"]
    assert [change["id"] for change in log] == [reply.change for reply in reversed(replies)]
    lines = [(change["actor"], change["action"], change["name"], change["old"], change["new"]) for change in log]
    assert lines == [
        ("bob.b_2-x", "restored", third["name"], None, third),
        ("ann", "deleted", third["name"], third, None),
        ("bob.b_2-x", "updated", third["name"], second, third),
        ("unknown", "updated", name, first, second),
        ("ann", "created", name, None, first),
    ]
    assert {change["import"] for change in log} == {None}
    for change in log:
        assert change["at"].endswith("Z")
        at = datetime.fromisoformat(change["at"])
        assert before - timedelta(seconds=5) <= at <= datetime.now(UTC) + timedelta(seconds=5)


def test_a_write_that_changes_nothing_is_not_logged(admin: Client, name: str) -> None:
    admin.put(name, quantity=3, price="2.99")
    for same in (
        admin.put(name, quantity=3, price="2.99"),
        admin.put(name.upper(), quantity=3),
        admin.put(name, quantity=0, mode="add"),
        admin.request("PATCH", item_path(name), {"name": name, "quantity": 3, "price": "2.99"}),
    ):
        assert (same.status, same.json["quantity"], same.change) == (200, 3, None)
    assert len(admin.changes(name)) == 1
    assert admin.request("PATCH", item_path(name), {"name": name.upper()}).change is not None


def test_a_refused_write_leaves_nothing(stack: Stack, admin: Client, name: str) -> None:
    admin.put(name, quantity=1_000_000, price="1")
    admin.put(f"{name} other", quantity=1, price="1")
    query = "SELECT (SELECT COUNT(*) FROM shop.changes), version FROM shop.catalogue_version"
    before = stack.sql(query)
    path = item_path(name)
    refused = [
        admin.put(name, quantity=1, mode="add"),
        admin.put(f"{name} new", quantity=1),
        admin.request("PATCH", path, {"name": f"{name} OTHER"}),
        admin.request("PATCH", path, {"quantity": 1.0}),
        admin.request("PATCH", item_path(f"{name} none"), {"quantity": 1}),
        admin.request("DELETE", item_path(f"{name} none")),
        admin.request("POST", "/changes/999999999/undo"),
        admin.request("POST", f"/changes/{admin.changes(name)[0]['id']}/undo"),
    ]
    assert [reply.status for reply in refused] == [422, 422, 422, 422, 404, 404, 404, 409]
    assert {reply.headers["content-type"] for reply in refused} == {"application/problem+json"}
    assert {reply.change for reply in refused} == {None}
    assert stack.sql(query) == before


@pytest.mark.parametrize("actor", BAD_ACTORS)
def test_bad_actor(admin: Client, name: str, actor: str) -> None:
    headers = {"X-Actor": actor}
    kept = admin.request("POST", "/imports", b"name,quantity,price\n", {"Content-Type": "text/csv"}).json["id"]
    for reply in (
        admin.request("PUT", item_path(name), {"quantity": 1, "price": "1"}, headers),
        admin.request("PATCH", item_path(name), {"quantity": 1}, headers),
        admin.request("DELETE", item_path(name), headers=headers),
        admin.request("POST", "/changes/1/undo", headers=headers),
        admin.request("POST", "/imports", b"name,quantity,price\n", {**headers, "Content-Type": "text/csv"}),
        admin.request("POST", f"/imports/{kept}/apply", {"digest": "0" * 64}, headers),
    ):
        assert (reply.status, list(reply.errors)) == (422, ["x_actor"]), reply.body
    assert admin.item(name).status == 404


def test_what_cannot_be_logged_does_not_happen(stack: Stack, admin: Client, name: str) -> None:
    item = admin.put(name, quantity=1, price="1").json
    key = secrets.token_hex(8)
    with no_log(stack):
        failed = [
            admin.put(name, quantity=2, key=key),
            admin.put(f"{name} new", quantity=2, price="1"),
            admin.request("PATCH", item_path(name), {"quantity": 3}),
            admin.delete(name),
        ]
    assert [reply.status for reply in failed] == [503] * 4
    assert admin.item(name).json == item
    assert admin.item(f"{name} new").status == 404
    kept, real = counted(stack)
    assert kept == real
    # Nor was the key used up.
    assert admin.put(name, quantity=2, key=key).json["quantity"] == 2


def test_many_writers_of_new_names_make_one_row_each(stack: Stack, admin: Client, second_admin: Client) -> None:
    """Names that differ by case only are one name, also for those who insert it at the same moment."""
    names = [f"Rush {secrets.token_hex(6)}" for _ in range(5)]
    spelt = [change(name) for name in names for change in (str.upper, str.lower, str.title, str.swapcase)] * 2

    def put(job: tuple[int, str]) -> int:
        client = (admin, second_admin)[job[0] % 2].fresh()
        return client.put(job[1], quantity=1, price="0.10", mode="add").status

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(put, enumerate(spelt)))
    assert sorted(statuses) == [*[200] * 35, *[201] * 5]
    assert [admin.item(name).json["quantity"] for name in names] == [8] * 5
    log = [
        change for change in admin.get("/changes?size=40").json["changes"] if change["name"].lower().startswith("rush")
    ]
    assert [change["action"] for change in log].count("created") == 5
    # Each line of the log goes on where the one before it ended.
    for name in names:
        lines = [change for change in reversed(log) if change["name"].lower() == name.lower()]
        assert [line["new"]["quantity"] for line in lines] == list(range(1, 9))
        assert [line["old"] for line in lines] == [None, *(line["new"] for line in lines[:-1])]
    kept, real = counted(stack)
    assert kept == real


def test_the_number_of_items_stays_exact(stack: Stack, admin: Client, name: str) -> None:
    before, real = counted(stack)
    assert before == real

    def live(number: int) -> None:
        client, own = admin.fresh(), f"{name} {number % 4}"
        client.put(own, quantity=number, price="1")
        deleted = client.delete(own).change
        client.put(own, quantity=number, price="1")
        client.request("POST", f"/changes/{deleted or 999_999_999}/undo")
        client.request("PATCH", item_path(own), {"name": f"{name} 0"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(live, range(24)))
    kept, real = counted(stack)
    assert kept == real
    assert 0 < kept - before <= 4


@pytest.mark.parametrize("price", ["0.07", "0.10", "0.29", "1.15", "4.35", "8.20", "1000000.01", "9999999.99"])
def test_money_is_exact_on_every_way(admin: Client, read: Client, name: str, price: str) -> None:
    """Each of these is another number as a float, or becomes one when it is multiplied by 100."""
    admin.put(name, quantity=1, price=price)
    assert read.item(name).json["price"] == price
    assert f'"price": "{price}"'.encode() in read.item(name).body
    admin.put(name, quantity=1, price="1")
    assert admin.request("PATCH", item_path(name), {"price": price}).json["price"] == price
    deleted = admin.delete(name)
    assert admin.changes(name)[0]["old"]["price"] == price
    assert admin.request("POST", f"/changes/{deleted.change}/undo").json["price"] == price
    assert f"{name},1,{price}\r\n".encode() in admin.get("/export.csv").body


def test_a_row_that_is_not_valid_stops_a_write_of_its_name(stack: Stack, admin: Client, name: str) -> None:
    # MySQL takes the two names for equal: a control character has no weight.
    stack.sql(f"INSERT INTO shop.items (name, quantity, price) VALUES (CONCAT('{name}', CHAR(7)), 1, 1)")  # noqa: S608
    try:
        for reply in (
            admin.put(name, quantity=1, price="1"),
            admin.request("PATCH", item_path(name), {"quantity": 1}),
            admin.delete(name),
        ):
            assert (reply.status, reply.headers["content-type"]) == (409, "application/problem+json")
    finally:
        stack.sql(f"DELETE FROM shop.items WHERE name = '{name}'")  # noqa: S608


@pytest.mark.parametrize(("size", "kind", "status"), [(10, "text/plain", 415), (70_000, "application/json", 413)])
def test_a_refused_body_costs_nobody_the_connection(
    admin: Client, name: str, size: int, kind: str, status: int
) -> None:
    client = admin.fresh()
    replies = [client.request("PUT", item_path(name), b" " * size, {"Content-Type": kind}) for _ in range(200)]
    assert {reply.status for reply in replies} == {status}
