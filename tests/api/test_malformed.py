"""10,000 requests that are not valid to each path that writes: each is refused in good form, and nothing is written."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random

import malformed
import pytest
from malformed import Malformed
from shop_stack import Client, Stack, item_path

NUMBER = 10_000
THREADS = 6
REFUSED = {400, 404, 409, 413, 415, 422}
COUNTED = ("items", "changes", "idempotency_keys", "item_words", "word_parts")


def state(stack: Stack) -> str:
    """Return what a write would change."""
    counts = ", ".join(f"(SELECT COUNT(*) FROM shop.{table})" for table in COUNTED)  # noqa: S608
    sums = "(SELECT SUM(CRC32(CONCAT_WS('|', id, name, quantity, price, revision))) FROM shop.items)"
    return stack.sql(f"SELECT version, items, {counts}, {sums} FROM shop.catalogue_version")  # noqa: S608


def faults(client: Client, requests: list[Malformed]) -> Counter[str]:
    """Send all of them, and count what is not as it should be."""
    found: Counter[str] = Counter()

    def send(request: Malformed) -> str | None:
        reply = client.request(request.method, request.path, request.body, request.headers)
        if reply.status == 201 and request.path == "/imports" and reply.json["status"] == "faulty":
            return None
        if reply.status not in REFUSED:
            return f"answered {reply.status}: {request}"
        if reply.headers["content-type"] != "application/problem+json" or reply.json["status"] != reply.status:
            return f"no problem document: {request}"
        return None

    with ThreadPoolExecutor(THREADS) as pool:
        found.update(fault for fault in pool.map(send, requests) if fault)
    return found


@pytest.fixture(scope="module")
def generators(stack: Stack) -> dict[str, Callable[[Random], Malformed]]:
    """For each path, what makes its requests; there is something that each of them could hit."""
    admin = stack.admin
    admin.put("Victim", quantity=5, price="1.00")
    admin.put("Gone", quantity=5, price="1.00")
    change = int(admin.request("DELETE", item_path("Gone")).headers["x-change-id"])
    plan = admin.request("POST", "/imports", b"name,quantity,price\nVictim,6,1\n", malformed.CSV).json
    return {
        "PUT item": malformed.bad_put,
        "PATCH item": lambda random: malformed.bad_patch(random, "Victim"),
        "DELETE item": lambda random: malformed.bad_delete(random, "Victim"),
        "POST undo": lambda random: malformed.bad_undo(random, change),
        "POST import": malformed.bad_import,
        "POST apply": lambda random: malformed.bad_apply(random, plan["id"], plan["digest"]),
    }


@pytest.mark.parametrize("path", ["PUT item", "PATCH item", "DELETE item", "POST undo", "POST import", "POST apply"])
def test_what_is_not_valid_is_refused(
    stack: Stack, admin: Client, generators: dict[str, Callable[[Random], Malformed]], path: str
) -> None:
    requests = list(malformed.many(generators[path], NUMBER, seed=3))
    before = state(stack)
    found = faults(admin, requests)
    assert not found, "\n".join(list(found)[:20])
    assert state(stack) == before
    assert len(set(map(str, requests))) > NUMBER // 20


def test_a_fault_would_be_found(stack: Stack, generators: dict[str, Callable[[Random], Malformed]]) -> None:
    client = stack.api("lax", "admin", variant="lax")
    try:
        before = state(stack)
        found = faults(client, list(malformed.many(generators["PUT item"], 1000, seed=3)))
    finally:
        stack.remove("lax")
    assert {fault.partition(":")[0] for fault in found} >= {"answered 201", "answered 500"}
    assert state(stack) != before
