"""A request that comes again with its Idempotency-Key takes effect once."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from shop_stack import Client, Reply, Stack, item_path

CSV = {"Content-Type": "text/csv"}

Request = tuple[str, str, object, dict[str, str]]
"""Method, path, body and headers."""


def _put(_: Client, name: str) -> Request:
    return "PUT", item_path(name), {"quantity": 5, "mode": "add"}, {}


def _patch(_: Client, name: str) -> Request:
    return "PATCH", item_path(name), {"name": f"{name} new"}, {}


def _delete(_: Client, name: str) -> Request:
    return "DELETE", item_path(name), None, {}


def _undo(admin: Client, name: str) -> Request:
    return "POST", f"/changes/{admin.delete(name).change}/undo", None, {}


def _import(_: Client, name: str) -> Request:
    return "POST", "/imports", f"name,quantity,price\n{name},9,9\n".encode(), CSV


def _apply(admin: Client, name: str) -> Request:
    plan = admin.request(*_import(admin, name)).json
    return "POST", f"/imports/{plan['id']}/apply", {"digest": plan["digest"]}, {}


WRITES = [_put, _patch, _delete, _undo, _import, _apply]


def send(client: Client, request: Request, key: str) -> Reply:
    method, path, body, headers = request
    return client.request(method, path, body, {**headers, "Idempotency-Key": key})


def traces(stack: Stack) -> list[str]:
    """How many lines there are in the log, and how many imports."""
    return stack.sql("SELECT (SELECT COUNT(*) FROM shop.changes), (SELECT COUNT(*) FROM shop.imports)").split()


@pytest.mark.parametrize("prepare", WRITES)
def test_again(stack: Stack, admin: Client, name: str, prepare: Callable[[Client, str], Request]) -> None:
    admin.put(name, quantity=1, price="1")
    request, key = prepare(admin, name), secrets.token_hex(8)
    first = send(admin, request, key)
    assert first.status < 300
    assert (first.change is None) == (prepare is _import)
    after = traces(stack)
    again = send(admin.fresh(), request, key)
    assert (again.status, again.body, again.change) == (first.status, first.body, first.change)
    assert traces(stack) == after


@pytest.mark.parametrize("prepare", WRITES)
def test_many_times_at_once_to_two_processes(
    stack: Stack, admin: Client, second_admin: Client, name: str, prepare: Callable[[Client, str], Request]
) -> None:
    admin.put(name, quantity=1, price="1")
    request, key = prepare(admin, name), secrets.token_hex(8)
    before = traces(stack)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: send((admin, second_admin)[n % 2].fresh(), request, key), range(24)))
    assert {(reply.status, reply.body, reply.change) for reply in replies} == {
        (replies[0].status, replies[0].body, replies[0].change)
    }
    assert replies[0].status < 300
    assert sum(map(int, traces(stack))) == sum(map(int, before)) + 1


def test_a_key_belongs_to_one_request(stack: Stack, admin: Client, name: str) -> None:
    key = secrets.token_hex(8)
    body = {"quantity": 1, "price": "1"}
    assert send(admin, ("PUT", item_path(name), body, {}), key).status == 201
    after = traces(stack)
    others: list[Request] = [
        ("PUT", item_path(name), {**body, "quantity": 2}, {}),
        ("PUT", item_path(f"{name} x"), body, {}),
        ("PATCH", item_path(name), body, {}),
        ("DELETE", item_path(name), None, {}),
        ("PUT", item_path(name), body, {"Content-Type": "application/json; charset=utf-8"}),
        ("POST", "/imports", b"name,quantity,price\n", CSV),
    ]
    for other in others:
        reply = send(admin, other, key)
        assert (reply.status, list(reply.errors)) == (422, ["idempotency_key"])
    assert traces(stack) == after


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "a b", "\xfc"])
@pytest.mark.parametrize("prepare", WRITES)
def test_bad_key(admin: Client, name: str, key: str, prepare: Callable[[Client, str], Request]) -> None:
    admin.put(name, quantity=1, price="1")
    reply = send(admin, prepare(admin, name), key)
    assert (reply.status, list(reply.errors)) == (422, ["idempotency_key"])


def test_without_a_key_each_request_counts(admin: Client, name: str) -> None:
    admin.put(name, quantity=1, price="1")
    for quantity in (6, 11):
        assert admin.request(*_put(admin, name)).json["quantity"] == quantity
