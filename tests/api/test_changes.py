"""The log of changes, and the way back from a deletion."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from shop_stack import Client, Reply, Stack, item_path, wait_until


def undo(admin: Client, change: int | None) -> Reply:
    return admin.request("POST", f"/changes/{change}/undo")


def test_pages_are_newest_first_and_lose_nothing(admin: Client, name: str) -> None:
    ids = [admin.put(name, quantity=quantity, price="1").change for quantity in range(7)]
    newest = admin.get("/changes?size=3").json
    assert [change["id"] for change in newest["changes"]] == ids[:3:-1]
    assert newest["next"] == ids[4]
    # What happens meanwhile does not move the pages behind the first.
    admin.put(name, quantity=99)
    older = admin.get(f"/changes?size=3&before={newest['next']}").json
    assert [change["id"] for change in older["changes"]] == ids[3:0:-1]
    assert admin.get("/changes?before=1").json == {"changes": [], "next": None}


def test_the_whole_log_can_be_walked(stack: Stack, admin: Client, name: str) -> None:
    admin.put(name, quantity=1, price="1")
    seen: list[int] = []
    before = ""
    while True:
        page = admin.get(f"/changes?size=100{before}").json
        seen += [change["id"] for change in page["changes"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == int(stack.sql("SELECT COUNT(*) FROM shop.changes"))


@pytest.mark.parametrize("query", ["size=0", "size=101", "size=x", "size=1.0", "before=0", "before=-1", "before=x"])
def test_bad_query(admin: Client, query: str) -> None:
    reply = admin.get(f"/changes?{query}")
    assert (reply.status, list(reply.errors)) == (422, [query.partition("=")[0]])


def test_the_log_is_cached_until_the_next_write(admin: Client, second_admin: Client, name: str) -> None:
    for quantity in range(1, 10):
        change = (admin, second_admin)[quantity % 2].put(name, quantity=quantity, price="1").change
        first = admin.get("/changes?size=1")
        assert (first.cache, first.json["changes"][0]["id"]) == ("miss", change)
        assert (second_admin.get("/changes?size=1").cache, admin.get("/changes?size=1").body) == ("hit", first.body)


def test_the_api_knows_no_log(read: Client) -> None:
    assert read.get("/changes").status == 404
    assert read.request("POST", "/changes/1/undo").status == 404


def test_undo_brings_a_deleted_item_back(stack: Stack, admin: Client, read: Client, name: str) -> None:
    item = admin.put(name, quantity=3, price="2.99").json
    number = f"SELECT id FROM shop.items WHERE name = '{name}'"  # noqa: S608
    before = stack.sql(number)
    deleted = admin.delete(name)
    assert (read.item(name).status, admin.changes(name)[0]["undoable"]) == (404, True)
    undone = undo(admin, deleted.change)
    assert (undone.status, undone.json) == (200, item)
    assert read.item(name).json == item
    assert stack.sql(number) == before
    log = admin.changes(name)
    assert [(change["action"], change["undoable"]) for change in log] == [
        ("restored", False),
        ("deleted", False),
        ("created", False),
    ]
    assert log[0]["id"] == undone.change


def test_a_deletion_is_undone_once(admin: Client, name: str) -> None:
    admin.put(name, quantity=3, price="2.99")
    first = admin.delete(name).change
    assert undo(admin, first).status == 200
    again = undo(admin, first)
    assert (again.status, again.json["detail"]) == (409, "This deletion was undone already.")
    second = admin.delete(name).change
    assert undo(admin, first).status == 409
    assert admin.item(name).status == 404
    assert [change["id"] for change in admin.changes(name) if change["undoable"]] == [second]
    assert undo(admin, second).status == 200


def test_many_undo_at_once(stack: Stack, admin: Client, second_admin: Client, name: str) -> None:
    admin.put(name, quantity=3, price="2.99")
    change = admin.delete(name).change

    def taken(client: Client) -> int | None:
        # Who has waited in the writers' line for too long is told to come again.
        status = undo(client.fresh(), change).status
        return None if status == 503 else status

    clients = [admin, second_admin] * 8
    with ThreadPoolExecutor(8) as pool:
        statuses = pool.map(lambda client: wait_until(lambda: taken(client), "an undo is taken"), clients)
        assert sorted(statuses) == [200, *[409] * 15]
    assert stack.sql(f"SELECT COUNT(*) FROM shop.changes WHERE restores = {change}") == "1"  # noqa: S608
    # The database alone would prevent it, too.
    again = "INSERT INTO shop.changes (actor, action, item_id, new_name, restores) VALUES ('x', 'restored', 1, 'x', "
    with pytest.raises(RuntimeError, match="Duplicate entry"):
        stack.sql(f"{again}{change})")


def test_a_name_that_is_taken_again_stays(admin: Client, name: str) -> None:
    admin.put(name, quantity=3, price="2.99")
    change = admin.delete(name).change
    new = admin.put(name.upper(), quantity=1, price="1").json
    assert not next(line for line in admin.changes(name) if line["id"] == change)["undoable"]
    refused = undo(admin, change)
    assert (refused.status, refused.json["detail"]) == (409, "An item of this name exists again.")
    assert admin.item(name).json == new
    admin.delete(name)
    assert undo(admin, change).json == {"name": name, "quantity": 3, "price": "2.99"}


def test_only_a_deletion_can_be_undone(admin: Client, name: str) -> None:
    created = admin.put(name, quantity=3, price="2.99").change
    updated = admin.request("PATCH", item_path(name), {"quantity": 4}).change
    for change in (created, updated):
        refused = undo(admin, change)
        assert (refused.status, refused.json["detail"]) == (409, "Only a deletion can be undone.")
    assert admin.item(name).json["quantity"] == 4


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.0", "999999999999999999", "9" * 4000, "%D9%A3", "1%0A"])
def test_no_such_change(admin: Client, number: str) -> None:
    reply = admin.request("POST", f"/changes/{number}/undo")
    assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")


def test_a_change_has_one_number(admin: Client, name: str) -> None:
    admin.put(name, quantity=3, price="2.99")
    number = admin.delete(name).change
    for other in (f"0{number}", f"{number}0", "9" * 5000):
        assert admin.request("POST", f"/changes/{other}/undo").status == 404
    assert admin.request("POST", f"/changes/{number}/undo").status == 200


def test_bad_lines_are_left_out_and_logged(stack: Stack, admin: Client, name: str) -> None:
    stack.sql(
        "INSERT INTO shop.changes (actor, action, item_id, new_name, new_quantity, new_price)"
        " VALUES ('x', 'created', 1, CONCAT('bad', CHAR(7)), 1, 1)"
    )
    change = admin.put(name, quantity=3, price="2.99").change
    assert [line["id"] for line in admin.get("/changes?size=2").json["changes"]] == [change]
    left_out = [line for line in stack.logs("admin-api") if line["message"].startswith("change left out")]
    assert left_out[0]["fields"] == ["name"]
