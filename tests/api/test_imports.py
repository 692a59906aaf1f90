"""A file of many items: looked at first, then taken as a whole or not at all."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from shop_stack import Client, Reply, Stack, item_path
from test_writes import counted, no_log

HEADER = "name,quantity,price\n"
CSV = {"Content-Type": "text/csv; charset=utf-8"}


def upload(admin: Client, text: str | bytes, **headers: str) -> Reply:
    content = text if isinstance(text, bytes) else text.encode()
    return admin.request("POST", "/imports", content, {**CSV, **headers})


def apply(admin: Client, plan: dict[str, object], digest: object = None) -> Reply:
    return admin.request("POST", f"/imports/{plan['id']}/apply", {"digest": digest or plan["digest"]})


def test_look_first_then_apply(stack: Stack, admin: Client, read: Client, name: str) -> None:
    admin.put(f"{name} old", quantity=1, price="1")
    admin.put(f"{name} same", quantity=2, price="2")
    before, listed = counted(stack), admin.get(f"/items?q={name[5:]}").json
    text = f"{HEADER}{name} OLD,5,1.50\n{name} same,2,2\n\n  {name}   new ,3,0.07\n"
    reply = upload(admin, text)
    plan = reply.json
    changes = [
        {
            "line": 2,
            "action": "updated",
            "name": f"{name} old",
            "old": {"quantity": 1, "price": "1.00"},
            "new": {"quantity": 5, "price": "1.50"},
        },
        {
            "line": 5,
            "action": "created",
            "name": f"{name} new",
            "old": None,
            "new": {"quantity": 3, "price": "0.07"},
        },
    ]
    assert (reply.status, reply.change) == (201, None)
    counts = {"created": 1, "updated": 1, "unchanged": 1}
    assert plan == {
        "id": plan["id"],
        "status": "ready",
        "rows": 3,
        **counts,
        "faults": [],
        "changes": changes,
        "digest": plan["digest"],
    }
    assert (counted(stack), admin.get(f"/items?q={name[5:]}").json) == (before, listed)
    assert admin.get(f"/imports/{plan['id']}").json == plan

    applied = admin.request("POST", f"/imports/{plan['id']}/apply", {"digest": plan["digest"]}, {"X-Actor": "ann"})
    assert (applied.status, applied.json) == (200, {"id": plan["id"], **counts})
    assert read.item(f"{name} old").json == {"name": f"{name} old", "quantity": 5, "price": "1.50"}
    assert read.item(f"{name} new").json == {"name": f"{name} new", "quantity": 3, "price": "0.07"}
    assert counted(stack) == (before[0] + 1, before[1] + 1)
    log = admin.get("/changes?size=2").json["changes"]
    assert log[0]["id"] == applied.change
    assert [(line["actor"], line["action"], line["import"], line["old"], line["new"]) for line in reversed(log)] == [
        ("ann", change["action"], plan["id"], old, {"name": change["name"], **change["new"]})  # type: ignore[dict-item]
        for change, old in zip(changes, [{"name": f"{name} old", "quantity": 1, "price": "1.00"}, None], strict=True)
    ]
    again = admin.get(f"/imports/{plan['id']}").json
    assert again == {**plan, "status": "applied", "changes": []}


def test_every_bad_row_with_every_reason(stack: Stack, admin: Client, name: str) -> None:
    before = counted(stack)
    text = (
        f'\ufeff{HEADER}{name},1,1\n"{name}\ntwo",1,1\n\n{name.upper()},x,1\n,-1,2.999\nshort,1\n{name} e\u0301,1,1\n'
        f"{name} É,1,1\n{name} e,1,1\n{name} straße,1,1\n{name} STRASSE,1,1\n"
    ).replace("\n", "\r\n")
    plan = upload(admin, text).json
    assert [(fault["line"], fault["message"]) for fault in plan["faults"]] == [
        (3, "Name must not contain control characters."),
        (6, "Quantity must be a whole number from 0 to 1,000,000."),
        (6, "Name is the same as in line 2."),
        (7, "Name must not be empty."),
        (7, "Quantity must be a whole number from 0 to 1,000,000."),
        (7, "Price must be an amount from 0.00 to 9,999,999.99 with at most two decimals, such as 2.99."),
        (8, "3 columns are needed, 2 found."),
        (10, "Name is the same as in line 9."),
    ]
    # An accent makes another name, and so do two letters instead of one: as in the catalogue.
    assert (plan["status"], plan["rows"], plan["created"]) == ("faulty", 10, 5)
    refused = apply(admin, plan)
    assert (refused.status, refused.json["detail"]) == (409, "The file has faults: nothing was changed.")
    assert counted(stack) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The first line must be name,quantity,price."),
        (b"name,price\n", "The first line must be name,quantity,price."),
        (b"name,quantity,price\n\xff,1,1\n", "Line 2 is not UTF-8."),
        (b'name,quantity,price\n"x,1,1\n', "The row that begins in line 2 is not CSV: unexpected end of data."),
        (HEADER.encode() + b"x,1,1\n" * 5001, "A file must have at most 5,000 rows."),
    ],
)
def test_what_is_no_catalogue(stack: Stack, admin: Client, content: bytes, message: str) -> None:
    before = stack.sql("SELECT COUNT(*) FROM shop.imports")
    reply = upload(admin, content)
    assert (reply.status, reply.errors) == (422, {"file": message})
    assert stack.sql("SELECT COUNT(*) FROM shop.imports") == before


def test_other_types_and_too_much(admin: Client, name: str) -> None:
    for kind in ("application/json", "text/plain", "text/csv; charset=latin-1", "multipart/form-data; boundary=x"):
        reply = upload(admin, HEADER, **{"Content-Type": kind})
        assert (reply.status, reply.headers["content-type"]) == (415, "application/problem+json")
    row = f"{name},1,1\n".encode()
    padded = HEADER.encode() + row + b"\n" * (512 * 1024 - len(HEADER) - len(row))
    assert upload(admin, padded).json["created"] == 1
    assert upload(admin.fresh(), padded + b"\n").status == 413


def test_the_plan_must_be_the_one_that_was_looked_at(admin: Client, name: str) -> None:
    admin.put(name, quantity=1, price="1")
    plan = upload(admin, f"{HEADER}{name},5,1\n").json
    admin.put(name, quantity=2)
    late = apply(admin, plan)
    assert (late.status, late.json["detail"]) == (409, "The catalogue was changed meanwhile: look at the plan again.")
    assert admin.item(name).json["quantity"] == 2
    new = admin.get(f"/imports/{plan['id']}").json
    assert new["changes"][0]["old"]["quantity"] == 2
    assert new["digest"] != plan["digest"]
    # A change of an item that is not in the file does not matter.
    admin.put(f"{name} other", quantity=1, price="1")
    assert apply(admin, new).status == 200
    assert admin.item(name).json["quantity"] == 5


def test_a_plan_sees_what_was_deleted_or_created_meanwhile(admin: Client, name: str) -> None:
    admin.put(name, quantity=1, price="1")
    plan = upload(admin, f"{HEADER}{name},1,1\n").json
    assert (plan["unchanged"], plan["changes"]) == (1, [])
    admin.delete(name)
    assert apply(admin, plan).status == 409
    assert admin.get(f"/imports/{plan['id']}").json["created"] == 1
    admin.put(name, quantity=1, price="1")
    nothing = apply(admin, plan)
    assert (nothing.json["unchanged"], nothing.change) == (1, None)


def test_applied_once(stack: Stack, admin: Client, second_admin: Client, name: str) -> None:
    plan = upload(admin, f"{HEADER}{name},5,1\n").json
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: apply((admin, second_admin)[n % 2].fresh(), plan), range(16)))
    outcome = {"id": plan["id"], "created": 1, "updated": 0, "unchanged": 0}
    assert [(reply.status, reply.json) for reply in replies] == [(200, outcome)] * 16
    assert sum(reply.change is not None for reply in replies) == 1
    # It is not applied again over what was done since.
    admin.put(name, quantity=9)
    assert apply(admin, plan, "0" * 64).json == outcome
    assert admin.item(name).json["quantity"] == 9
    query = f"SELECT COUNT(*) FROM shop.changes WHERE import_id = {plan['id']}"  # noqa: S608
    assert stack.sql(query) == "1"


def test_all_or_nothing(stack: Stack, admin: Client, name: str) -> None:
    admin.put(f"{name} 0", quantity=7, price="7")
    before = counted(stack)
    plan = upload(admin, HEADER + "".join(f"{name} {n},1,1\n" for n in range(20))).json
    with no_log(stack):
        assert apply(admin, plan).status == 503
    assert counted(stack) == before
    assert admin.item(f"{name} 0").json["quantity"] == 7
    assert admin.get(f"/imports/{plan['id']}").json == plan
    assert apply(admin, plan).json["created"] == 19


@pytest.mark.usefixtures("empty")
def test_what_is_exported_can_be_imported(admin: Client) -> None:
    names = ['"quoted", with a comma', "=1+1", " ".join("spaces"), "Müsli 🥣", "'; DROP TABLE items; --", "a\\b", "2"]
    for number, name in enumerate(names):
        admin.put(name, quantity=number, price="0.10")
    export = admin.get("/export.csv")
    assert (export.status, export.cache) == (200, "bypass")
    assert export.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert export.body.startswith(b"name,quantity,price\r\n")
    plan = upload(admin, export.body).json
    assert (plan["status"], plan["unchanged"], plan["changes"]) == ("ready", len(names), [])
    for name in names:
        admin.delete(name)
    apply(admin, admin.get(f"/imports/{plan['id']}").json)
    assert admin.get("/export.csv").body == export.body


@pytest.mark.usefixtures("empty")
def test_five_thousand_rows(stack: Stack, admin: Client, read: Client) -> None:
    mark = secrets.token_hex(3)
    text = HEADER + "".join(f"Product {mark} number {n:05},{n},{n}.99\n" for n in range(5000))
    start = time.monotonic()
    plan = upload(admin, text).json
    planned = time.monotonic()
    assert apply(admin, plan).json["created"] == 5000
    applied = time.monotonic()
    assert upload(admin, text.replace(".99", ".98")).json["updated"] == 5000
    print(f"planned in {planned - start:.2f} s, applied in {applied - planned:.2f} s")
    assert read.get("/items?size=1").json["total"] == 5000
    assert counted(stack) == (5000, 5000)
    # More than one portion of the export.
    admin.put("Zebra", quantity=1, price="1")
    assert admin.get("/export.csv").body.count(b"\r\n") == 5002


def test_an_import_is_found_as_soon_as_it_is_there(admin: Client) -> None:
    newest = int(upload(admin, HEADER).json["id"])
    missing = admin.get(f"/imports/{newest + 1}")
    assert (missing.status, missing.json["detail"]) == (404, "There is no import of this number.")
    assert apply(admin, {"id": newest + 1, "digest": "0" * 64}).status == 404
    created = upload(admin, HEADER).json
    assert created["id"] == newest + 1
    first = admin.get(f"/imports/{created['id']}")
    assert (first.status, first.cache, first.json) == (200, "miss", created)
    assert admin.get(f"/imports/{created['id']}").cache == "hit"


@pytest.mark.parametrize("digest", [None, "", "0" * 63, "G" * 64, "A" * 64, 5, ["0" * 64]])
def test_bad_digest(admin: Client, digest: object) -> None:
    plan = upload(admin, HEADER).json
    reply = admin.request("POST", f"/imports/{plan['id']}/apply", {"digest": digest})
    assert (reply.status, list(reply.errors)) == (422, ["digest"])
    assert admin.request("POST", f"/imports/{plan['id']}/apply", {}).errors == {"digest": "Digest is required."}


def test_the_api_imports_nothing(read: Client) -> None:
    assert upload(read, HEADER).status == 404
    assert read.get("/imports/1").status == read.get("/export.csv").status == 404


def test_a_row_that_is_not_valid_is_a_fault(stack: Stack, admin: Client, name: str) -> None:
    stack.sql(f"INSERT INTO shop.items (name, quantity, price) VALUES (CONCAT('{name}', CHAR(7)), 1, 1)")  # noqa: S608
    try:
        plan = upload(admin, f"{HEADER}{name},1,1\n").json
        message = "What is stored under this name is not valid; the log says why."
        assert plan["faults"] == [{"line": 2, "message": message}]
        assert name.encode() not in admin.get("/export.csv").body
    finally:
        stack.sql(f"DELETE FROM shop.items WHERE name = '{name}'")  # noqa: S608


def test_names_with_slashes_and_markup_come_through(admin: Client, name: str) -> None:
    odd = f"{name}/<b>&amp;</b>"
    plan = upload(admin, f"{HEADER}{odd},1,1\n").json
    assert plan["changes"][0]["name"] == odd
    apply(admin, plan)
    assert admin.get(item_path(odd)).json["name"] == odd
