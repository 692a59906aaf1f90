"""What admins do; with JavaScript switched off, as nothing here needs it. What was typed is never lost."""

import re
import secrets
from collections.abc import Iterator

import pytest
from full_stack import FullStack
from playwright.sync_api import Route, expect
from web_stack import PASSWORD, USER
from window import OpenWindow, Window

WRONG = {"name": "<b>Lamp</b> \"XL\" & 'co' 🫖", "quantity": "-3", "price": "2.999", "mode": "add"}
RIGHT = {"quantity": "7", "price": "24.50", "mode": "add"}
THROTTLE = "/tmp/login-throttle"  # noqa: S108  in a container of our own


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"Thing {secrets.token_hex(6)}"


@pytest.fixture
def forgiven(stack: FullStack) -> Iterator[None]:
    """Failed log-ins of this test are forgotten after it."""
    yield
    stack.webs["admin"].execute("rm", "-f", THROTTLE)


def alert(window: Window) -> str:
    return " ".join(window.page.get_by_role("alert").all_inner_texts())


def notice(window: Window) -> str:
    text: str = window.page.get_by_role("status").inner_text()
    return text


def quantity(stack: FullStack, name: str) -> int | None:
    reply = stack.admin.item(name)
    return reply.json["quantity"] if reply.status == 200 else None


def test_login_leads_where_one_wanted_to_go(shop: Window) -> None:
    shop.open("/admin/?q=knife")
    assert shop.path.startswith("/admin/login")
    assert shop.page.locator("table").count() == 0
    expect(shop.page.get_by_label("User name")).to_be_focused()
    shop.give_password()
    assert shop.path == "/admin/?q=knife"
    assert shop.rows()


@pytest.mark.usefixtures("forgiven")
def test_wrong_password_does_not_tell_what_is_wrong(shop: Window) -> None:
    for user, password in ((USER, "wrong"), ("nobody", PASSWORD)):
        shop.log_in(password, user)
        assert alert(shop) == "User name or password is wrong."
        expect(shop.page.get_by_label("User name")).to_have_value(user)
        expect(shop.page.get_by_label("Password")).to_have_value("")
        expect(shop.page.get_by_label("Password")).to_be_focused()


@pytest.mark.usefixtures("forgiven")
def test_guessing_passwords_is_slowed_down(shop: Window) -> None:
    shop.open("/admin/login")
    for _ in range(40):
        shop.give_password("wrong")
        if shop.document.status == 429:
            break
    assert "Please wait" in alert(shop)
    shop.give_password()
    assert shop.document.status == 429


def test_logging_out_ends_the_session(admin: Window) -> None:
    cookies = admin.context.cookies()
    admin.page.get_by_role("button", name="Log out").click()
    assert admin.path == "/admin/login"
    admin.context.add_cookies(cookies)
    admin.open("/admin/")
    assert admin.path == "/admin/login"


def test_item_is_added_updated_and_renamed_and_customers_see_it(admin: Window, shop: Window, name: str) -> None:
    admin.save(name=name, quantity="7", price="1234.5")
    assert name in notice(admin)
    admin.save(name=name.upper(), quantity="3", mode="add", price="")
    admin.search(name)
    [row] = admin.rows()
    assert row["name"] == name
    assert "10" in row["quantity"]
    shop.open(f"/?q={name}")
    shop.reload_until(lambda: shop.rows() == [row], "customers see the item")

    admin.page.get_by_role("link", name=f"Edit {name}").click()
    assert admin.typed()["name"] == name
    admin.save(name=f"{name} XL", quantity="0", price="5")
    assert f"{name} XL" in notice(admin)
    admin.search(name)
    [row] = admin.rows()
    assert row["name"] == f"{name} XL"
    assert "Out of stock" in row["quantity"]
    shop.reload_until(lambda: shop.rows() == [row], "customers see the new name")


def test_wrong_values_keep_what_was_typed(admin: Window) -> None:
    admin.save(**WRONG)
    assert admin.typed() == WRONG
    expect(admin.page.locator("#quantity")).to_be_focused()
    for field in ("quantity", "price"):
        control = admin.page.locator(f"#{field}")
        expect(control).to_have_attribute("aria-invalid", "true")
        expect(admin.page.locator(f"#{field}-error")).to_be_visible()
    admin.page.get_by_role("alert").get_by_role("link").last.click()
    expect(admin.page.locator("#price")).to_be_focused()


def test_wrong_values_of_an_edited_item_keep_what_was_typed(admin: Window, stack: FullStack, name: str) -> None:
    stack.admin.put(name, quantity=3, price="2.50")
    stack.admin.put(f"{name} taken", quantity=3, price="2.50")
    admin.open(f"/admin/?edit={name}")
    admin.save(name=f"{name} taken", quantity="5", price="9")
    assert admin.document.status == 422
    assert admin.typed() == {"name": f"{name} taken", "quantity": "5", "price": "9"}
    assert quantity(stack, name) == 3


@pytest.mark.parametrize("lost", ["cookie", "file"])
def test_session_that_ran_out_keeps_what_was_typed(admin: Window, stack: FullStack, name: str, lost: str) -> None:
    admin.open("/admin/?q=knife")
    typed = {"name": name, **RIGHT}
    admin.fill(**typed)
    if lost == "cookie":
        admin.context.clear_cookies()
    else:
        stack.webs["admin"].execute("sh", "-c", "rm /tmp/sess_*")
    admin.page.get_by_role("button", name="Save").click()
    assert "what you typed is kept" in alert(admin)
    admin.give_password()
    assert admin.path == "/admin/?q=knife"
    assert admin.typed() == typed
    assert quantity(stack, name) is None
    admin.save()
    assert quantity(stack, name) == 7


def test_double_click_saves_once(admin: Window, stack: FullStack, name: str) -> None:
    stack.admin.put(name, quantity=1, price="2.50")
    admin.fill(name=name, **RIGHT)
    admin.page.get_by_role("button", name="Save").dblclick()
    expect(admin.page.get_by_role("status")).to_contain_text(name)
    assert quantity(stack, name) == 8


def test_form_that_reaches_the_server_twice_is_saved_once(admin: Window, stack: FullStack, name: str) -> None:
    stack.admin.put(name, quantity=1, price="2.50")
    answers = []

    def repeat(route: Route) -> None:
        if route.request.method == "POST":
            answers.append(route.fetch(max_redirects=0).status)
        route.continue_()

    admin.page.route("**/admin/*", repeat)
    admin.save(name=name, **RIGHT)
    expect(admin.page.get_by_role("status")).to_contain_text(name)
    assert answers == [303]
    assert quantity(stack, name) == 8


def test_reloading_after_saving_does_not_save_again(admin: Window, stack: FullStack, name: str) -> None:
    admin.save(name=name, **RIGHT)
    expect(admin.page.get_by_role("status")).to_contain_text("was added")
    admin.page.wait_for_load_state()
    admin.page.reload()
    admin.page.go_back()
    admin.page.go_forward()
    assert quantity(stack, name) == 7


def test_item_is_deleted_and_brought_back(admin: Window, shop: Window, stack: FullStack, name: str) -> None:
    stack.admin.put(name, quantity=7, price="2.50")
    admin.open(f"/admin/?q={name}")
    admin.page.get_by_role("link", name=f"Delete {name}").click()
    expect(admin.page.get_by_role("heading", level=1)).to_contain_text(name)
    assert quantity(stack, name) == 7
    admin.page.get_by_role("button", name="Delete").click()
    assert f"“{name}” was deleted" in notice(admin)
    assert quantity(stack, name) is None
    shop.open(f"/?q={name}")
    shop.reload_until(lambda: not shop.rows(), "customers do not see the item any more")
    admin.page.get_by_role("button", name="Undo").click()
    assert f"“{name}” is back" in notice(admin)
    shop.reload_until(shop.rows, "customers see the item again")
    [row] = shop.rows()
    assert (row["name"], row["quantity"]) == (name, "7")


def test_deletion_is_undone_from_the_log_of_changes_too(admin: Window, stack: FullStack, name: str) -> None:
    stack.admin.put(name, quantity=7, price="2.50")
    stack.admin.request("DELETE", f"/items/{name.replace(' ', '%20')}")
    admin.open("/admin/")
    admin.page.get_by_role("link", name="Changes").click()
    admin.page.get_by_role("button", name=f"Undo the deletion of {name}").click()
    assert f"“{name}” is back" in notice(admin)
    assert quantity(stack, name) == 7


def test_log_of_changes_tells_who_when_and_what(admin: Window, name: str) -> None:
    admin.save(name=name, quantity="7", price="24.50")
    admin.save(name=name, quantity="9", price="")
    admin.open("/admin/changes")
    entries = admin.page.locator("#changes > li").filter(has_text=name)
    latest, first = (re.sub(r"\s+", " ", text) for text in entries.all_inner_texts())
    assert "7 → to 9" in latest
    assert f"by {USER}" in latest
    assert re.search(r"\d{1,2} \w{3} \d{4}, \d\d:\d\d:\d\d", latest)
    assert "24.50" in first


def test_import_shows_first_what_it_would_do(admin: Window, stack: FullStack, name: str) -> None:
    stack.admin.put(name, quantity=7, price="2.50")
    admin.check_file(f"name,quantity,price\n{name},9,2.50\n{name} new,1,10.00\n")
    expect(admin.page.locator("#changed")).to_contain_text(name)
    expect(admin.page.locator("#added")).to_contain_text(f"{name} new")
    assert (quantity(stack, name), quantity(stack, f"{name} new")) == (7, None)
    admin.page.get_by_role("button", name="Apply 2 changes").click()
    expect(admin.page.get_by_role("status")).to_be_visible()
    assert (quantity(stack, name), quantity(stack, f"{name} new")) == (9, 1)


def test_import_with_faults_names_every_bad_row_and_changes_nothing(admin: Window, stack: FullStack, name: str) -> None:
    admin.check_file(f"name,quantity,price\n{name},9,2.50\n{name} a,-1,2.50\n{name} b,1,2.999\n")
    rows = admin.page.locator("#faults tbody tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == ["3", "4"]
    assert admin.page.get_by_role("button", name="Apply").count() == 0
    assert quantity(stack, name) is None


@pytest.mark.parametrize("content", ["", "no,such,columns\n1,2,3\n", "\x00\x01"])
def test_file_that_is_no_catalogue_is_refused(admin: Window, content: str) -> None:
    admin.check_file(content)
    assert "Nothing was changed" in alert(admin)


def test_import_is_refused_when_the_stock_has_changed_meanwhile(admin: Window, stack: FullStack, name: str) -> None:
    stack.admin.put(name, quantity=7, price="2.50")
    admin.check_file(f"name,quantity,price\n{name},9,2.50\n")
    stack.admin.put(name, quantity=8)
    admin.page.get_by_role("button", name="Apply").click()
    assert alert(admin)
    assert quantity(stack, name) == 8
    admin.page.get_by_role("button", name="Apply").click()
    assert quantity(stack, name) == 9


def test_export_can_be_imported_again(admin: Window, stack: FullStack) -> None:
    admin.open("/admin/import")
    with admin.page.expect_download() as download:
        admin.page.get_by_role("link", name="Download the items").click()
    content = download.value.path().read_text()
    assert content.count("\n") > stack.admin.get("/items").json["total"]
    assert content.startswith("name,quantity,price")
    admin.check_file(content)
    expect(admin.page.get_by_role("main")).to_contain_text("There is nothing to do")


def test_shop_and_admin_lists_agree(admin: Window, open_window: OpenWindow) -> None:
    shop = open_window()
    for path in ("?q=knife", "?sort=price&dir=desc&size=25&page=2"):
        admin.open(f"/admin/{path}")
        shop.open(f"/{path}")
        shop.reload_until(lambda: shop.rows() == admin.rows(), "both lists are the same")
