"""The admin page."""

import pytest
from shop_stack import item_path
from web_stack import Answer, Browser, Fleet, Post, StandInApi, alerts, notice, rows

TYPED = {"name": "<b>Kettle</b> \"XL\" & 'co' 🫖", "quantity": " -3 ", "price": "2.999", "mode": "add"}


def add(browser: Browser, name: str) -> None:
    browser.get("/admin/")
    browser.save(name=name, quantity="7", price="2.99")


def test_insert_update_add_delete_and_undo(admin: Browser, shop: Browser, name: str) -> None:
    name = f'{name} <i>é</i> & "co" / 50% ../ 🦊'
    admin.get("/admin/?sort=price&dir=desc")
    admin.save(name=name, quantity="7", price="1234.5")
    assert admin.response.history[0].status_code == 303
    assert admin.response.url.endswith("/admin/?sort=price&dir=desc")
    assert notice(admin) == f"“{name}” was added: quantity 7, price €1,234.50."
    admin.save(name=f"  {name.upper()} ", quantity="3", mode="add")
    assert notice(admin) == f"“{name}” was updated: quantity 10, price €1,234.50."
    admin.save(name=name, quantity="2", price="2")
    assert notice(admin) == f"“{name}” was updated: quantity 2, price €2.00."
    page = admin.get("/admin/", params={"q": name})
    assert [row[1:] for row in rows(page)] == [("2 Low stock", "€2.00")]
    assert rows(shop.get("/", params={"q": name})) == [(name, "2 Low stock", "€2.00")]

    edit, delete = (link.attributes["href"] for link in page.by_id("items").one("tbody").all("a"))
    admin.get(edit)
    values = admin.values("/admin/")
    assert [values[field] for field in ("name", "quantity", "price")] == [name, "2", "2.00"]
    page = admin.get(delete)
    assert page.one("h1").text == f"Delete “{name}”?"
    page = admin.submit("/admin/delete")
    assert notice(admin) == f"“{name}” was deleted."
    assert "No item matches" in page.one("main").text
    page = admin.submit("/admin/undo")
    assert notice(admin) == f"“{name}” is back: quantity 2, price €2.00."
    assert [row[0] for row in rows(page)] == [name]
    for done in (f"“{name}” was deleted.", f"There was no item “{name}” any more."):
        admin.get(delete)
        admin.submit("/admin/delete")
        assert notice(admin) == done


def test_edit_changes_name_quantity_and_price(admin: Browser, name: str) -> None:
    add(admin, name)
    page = admin.get("/admin/", params={"edit": name, "sort": "price"})
    assert page.by_id("form-title").text == f"Edit “{name}”"
    assert "autofocus" in page.by_id("quantity").attributes
    assert not page.all("fieldset")
    admin.save(name=f" {name}  II ", quantity="1000", price="3.5")
    assert admin.response.url.endswith("/admin/?sort=price")
    assert notice(admin) == f"“{name}” is now called “{name} II”: quantity 1,000, price €3.50."
    assert rows(admin.get("/admin/", params={"q": name})) == [(f"{name} II", "1,000", "€3.50")]
    admin.get("/admin/", params={"edit": f"{name} II"})
    admin.save(price="4")
    assert notice(admin) == f"“{name} II” was updated: quantity 1,000, price €4.00."


def test_edit_leaves_alone_what_was_not_changed_in_the_form(admin: Browser, fleet: Fleet, name: str) -> None:
    add(admin, name)
    admin.get("/admin/", params={"edit": name})
    fleet.stack.admin.fresh().put(name, quantity=1, mode="add")
    admin.save(price="3")
    assert notice(admin) == f"“{name}” was updated: quantity 8, price €3.00."


def test_edit_without_a_change_writes_nothing(admin: Browser, name: str) -> None:
    add(admin, name)
    newest = admin.get("/admin/changes").by_id("changes").all("li")[0].text
    admin.get("/admin/", params={"edit": name})
    admin.save()
    assert notice(admin) == f"Nothing was changed, so “{name}” stays as it is."
    assert admin.get("/admin/changes").by_id("changes").all("li")[0].text == newest


def test_edit_to_a_name_that_is_taken(admin: Browser, name: str) -> None:
    add(admin, name)
    add(admin, f"{name} II")
    admin.get("/admin/", params={"edit": name})
    page = admin.save(name=f"{name} ii", quantity="9")
    assert admin.response.status_code == 422
    assert "has this name already" in page.by_id("name-error").text
    assert page.by_id("form-title").text == f"Edit “{name}”"
    admin.save(name=f"{name} III")
    assert notice(admin) == f"“{name}” is now called “{name} III”: quantity 9, price €2.99."


@pytest.mark.parametrize("when", ["opened", "saved"])
def test_edit_of_an_item_that_is_gone(admin: Browser, fleet: Fleet, name: str, when: str) -> None:
    add(admin, name)
    admin.get("/admin/", params={"edit": name})
    fleet.stack.admin.fresh().request("DELETE", item_path(name))
    page = admin.get("/admin/", params={"edit": name}) if when == "opened" else admin.save(quantity="5", price="1")
    assert admin.response.status_code == 404
    assert f"There is no item “{name}” any more" in alerts(admin)
    assert page.by_id("name").attributes["value"] == name
    admin.save(quantity="5", price="1")
    assert notice(admin) == f"“{name}” was added: quantity 5, price €1.00."


@pytest.mark.parametrize("later", ["undone", "taken"])
def test_undo_that_is_not_possible_says_why(admin: Browser, name: str, later: str) -> None:
    add(admin, name)
    admin.get("/admin/delete", params={"name": name})
    admin.submit("/admin/delete")
    change = admin.values("/admin/undo")["change"]
    if later == "taken":
        add(admin, name)
    else:
        admin.submit("/admin/undo")
    page = admin.get("/admin/undo", params={"change": change})
    assert admin.response.status_code == 409
    assert "cannot be undone any more" in alerts(admin)
    assert not page.one("main").all("button")
    admin.send(Post("/admin/undo", {"csrf": admin.values("/admin/undo")["csrf"], "change": change}))
    assert admin.response.status_code == 409
    assert alerts(admin)
    assert admin.page.one("h1").text == f"Bring back “{name}”?"


@pytest.mark.parametrize("change", ["999999999", "9" * 17, "1"])
def test_undo_of_what_was_no_deletion(admin: Browser, change: str) -> None:
    admin.get("/admin/undo", params={"change": change})
    assert admin.response.status_code in {404, 409}
    admin.submit("/admin/undo")
    assert admin.response.status_code in {404, 409}
    assert alerts(admin)


def test_errors_stand_by_the_fields_and_keep_what_was_typed(admin: Browser) -> None:
    admin.get("/admin/")
    page = admin.save(**TYPED)
    assert admin.response.status_code == 422
    values = admin.values("/admin/")
    assert {key: values[key] for key in TYPED} == TYPED
    summary = page.one("div", role="alert")
    assert [link.attributes["href"] for link in summary.all("a")] == ["#quantity", "#price"]
    for field in ("quantity", "price"):
        control = page.by_id(field)
        assert control.attributes["aria-invalid"] == "true"
        assert f"{field}-error" in control.attributes["aria-describedby"].split()
        assert page.by_id(f"{field}-error").text.startswith(f"Error: {field.capitalize()} must be")
    assert "aria-invalid" not in page.by_id("name").attributes
    assert "autofocus" in page.by_id("quantity").attributes
    assert page.one("title").text.startswith("Error: ")
    assert "<b>" not in admin.response.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("name", value) for value in ("", "   ", "x" * 121, "🦊" * 5000, "a\u202eb", "a\x00b", "\u200b")],
        *[("quantity", value) for value in ("", "-1", "1.5", "1e3", "ten", "1000001", "9" * 40, "٣")],
        *[("price", value) for value in ("", "-1", "1e9", "2.999", "2,99", "€2", "10000000", "9" * 40)],
    ],
)
def test_bad_values_are_refused_by_their_field(admin: Browser, name: str, field: str, value: str) -> None:
    admin.get("/admin/")
    page = admin.save(**{"name": name, "quantity": "3", "price": "2.99", field: value})
    assert admin.response.status_code == 422
    assert page.by_id(f"{field}-error").text
    assert len(page.one("div", role="alert").all("li")) == 1
    assert page.by_id(field).attributes["value"] == value.replace("\x00", "\ufffd")


def test_bytes_that_are_not_utf8_are_refused(admin: Browser) -> None:
    values = {**admin.values("/admin/"), "name": b"caf\xe9", "quantity": "3", "price": "2.99"}
    response = admin.session.post(f"{admin.url}/admin/", data=values, timeout=5)
    assert response.status_code == 422


LAMP = {"name": "Lamp", "quantity": 1, "price": "2.99"}
DELETION = {"id": 7, "at": "2026-11-22T18:00:00.123Z", "actor": "maria", "action": "deleted", "name": "Lamp"}
DELETION |= {"old": LAMP, "new": None, "import": None, "undoable": True}
PLAN = {"id": 7, "status": "ready", "rows": 1, "created": 0, "updated": 1, "unchanged": 0, "faults": []}
PLAN |= {"changes": [{"line": 2, "action": "updated", "name": "Lamp", "old": LAMP, "new": {**LAMP, "quantity": 2}}]}
PLAN |= {"digest": "d" * 64}


def knows_a_lamp(stand_in: StandInApi) -> None:
    """Let the stand-in answer all that it is asked before the database goes down."""
    stand_in.lists(LAMP)
    stand_in.routes[("GET", "/items/Lamp")] = Answer(document=LAMP)
    stand_in.routes[("GET", "/changes")] = Answer(document={"changes": [DELETION], "next": None})
    stand_in.routes[("GET", "/imports/7")] = Answer(document=PLAN)


@pytest.mark.parametrize(
    ("address", "action", "typed"),
    [
        ("/admin/", "/admin/", TYPED),
        ("/admin/?edit=Lamp", "/admin/", {"name": "Lámp <2>", "quantity": "-7", "price": "x"}),
        ("/admin/delete?name=Lamp", "/admin/delete", {}),
        ("/admin/undo?change=7", "/admin/undo", {}),
        ("/admin/changes", "/admin/undo", {}),
        ("/admin/import?id=7", "/admin/import", {}),
    ],
)
def test_admin_api_down_loses_nothing(
    other_admin: Browser, stand_in: StandInApi, address: str, action: str, typed: dict[str, str]
) -> None:
    knows_a_lamp(stand_in)
    other_admin.get(address)
    filled = {**other_admin.values(action), **typed}
    stand_in.fails()
    for _ in range(2):
        other_admin.submit(action, **typed)
        assert other_admin.response.status_code == 503
        assert other_admin.response.headers["Retry-After"]
        assert "database does not answer" in alerts(other_admin)
        values = other_admin.values(action)
        assert {name: values[name] for name in filled} == filled
    sent = [headers for method, _, headers in stand_in.requests if method != "GET"]
    assert len(sent) == 2
    assert len({headers["Idempotency-Key"] for headers in sent}) == 1
    assert {headers["X-Actor"] for headers in sent} == {"admin"}


def test_admin_api_down_while_a_file_is_sent(other_admin: Browser, stand_in: StandInApi) -> None:
    other_admin.get("/admin/import")
    stand_in.fails()
    other_admin.upload(b"name,quantity,price\nLamp,1,2.99\n")
    assert other_admin.response.status_code == 503
    assert "choose the file again" in alerts(other_admin)
    assert stand_in.bodies[-1] == b"name,quantity,price\nLamp,1,2.99\n"


@pytest.mark.parametrize("path", ["changes", "import?id=7", "export", "undo?change=7", "?edit=Lamp"])
def test_pages_say_when_nothing_can_be_read(other_admin: Browser, stand_in: StandInApi, path: str) -> None:
    stand_in.fails()
    page = other_admin.get(f"/admin/{path}")
    assert other_admin.response.status_code == 503
    assert page.one("h1").text
    assert page.one("nav", **{"aria-label": "Admin"}).all("a")


@pytest.mark.parametrize("state", ["down", "stale"])
def test_page_says_when_nothing_can_be_saved(other_admin: Browser, stand_in: StandInApi, state: str) -> None:
    if state == "down":
        stand_in.fails()
    else:
        stand_in.lists({"name": "Lamp", "quantity": 1, "price": "2.99"}, **{"X-Cache": "stale", "Age": "9"})
    page = other_admin.get("/admin/")
    assert other_admin.response.status_code == 503
    assert "Nothing can be saved right now" in alerts(other_admin)
    assert ("9 seconds ago" in page.one("main").text) is (state == "stale")


STRANGE: list[object] = [{}, [], {"name": "Lamp"}, {"changes": [{}], "next": None}, {"changes": 1}, b"<html>"]
STRANGE += [{"changes": [{**DELETION, "old": None}], "next": None}, {"changes": [{**DELETION, "at": "now"}]}]
STRANGE += [
    {**PLAN, "changes": [{"line": "2"}]},
    {**PLAN, "status": "?"},
    {**PLAN, "created": -1},
    {**PLAN, "faults": [7]},
]


@pytest.mark.parametrize("document", STRANGE, ids=str)
def test_strange_answers_are_no_success_and_no_fault(
    other_admin: Browser, stand_in: StandInApi, document: object
) -> None:
    knows_a_lamp(stand_in)
    forms = [("/admin/", "/admin/"), ("/admin/?edit=Lamp", "/admin/"), ("/admin/undo?change=7", "/admin/undo")]
    posts = []
    for page, action in forms:
        other_admin.get(page)
        values = {**other_admin.values(action), "name": "Lamp", "quantity": "3"}
        posts.append(Post(other_admin.form(action).attributes["action"], values))
    stand_in.routes.clear()
    stand_in.answer = Answer(document=document)
    for post in posts:
        other_admin.send(post)
        assert other_admin.response.status_code == 503
    for path in ("changes", "import?id=7", "export"):
        other_admin.get(f"/admin/{path}")
        assert other_admin.response.status_code == 503


@pytest.mark.parametrize("path", ["", "?edit=x", "delete?name=x", "undo", "login", "logout"])
@pytest.mark.parametrize("kind", ["form", "file"])
def test_nothing_but_a_file_for_import_may_be_large(admin: Browser, path: str, kind: str) -> None:
    field = {"data": {"name": "x" * 70_000}} if kind == "form" else {"files": {"file": ("x.csv", b"x" * 70_000)}}
    response = admin.session.post(f"{admin.url}/admin/{path}", timeout=5, **field)
    assert response.status_code == 413


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["", "delete", "undo", "changes", "import", "export", "login", "logout"])
def test_other_methods_are_refused(admin: Browser, path: str, method: str) -> None:
    response = admin.session.request(method, f"{admin.url}/admin/{path}", timeout=5)
    assert response.status_code == 405
    assert response.headers["Allow"] == ("GET, HEAD" if path in {"changes", "export"} else "GET, HEAD, POST")


@pytest.mark.parametrize("path", ["changes", "export"])
def test_what_only_shows_takes_no_form(admin: Browser, path: str) -> None:
    assert admin.session.post(f"{admin.url}/admin/{path}", timeout=5).status_code == 405


def test_admin_serves_nothing_else(fleet: Fleet) -> None:
    browser = Browser(fleet.admin.url)
    for path in ("/", "/items", "/admin/x", "/assets/style-0123456789abcdef.css", "/adminx"):
        browser.get(path)
        assert browser.response.status_code == 404, path
    browser.get("/admin/login")
    assert browser.page.one("link", rel="stylesheet").attributes["href"].startswith("/admin/assets/")
