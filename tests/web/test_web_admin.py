"""The admin page."""

import re
import secrets

import pytest
import requests
from web_stack import HOSTNAME, PASSWORD, USER, Answer, Browser, Fleet, StandInApi, rows

TYPED = {"name": "<b>Kettle</b> \"XL\" & 'co' 🫖", "quantity": " -3 ", "price": "2.999", "mode": "add"}


def alerts(browser: Browser) -> str:
    return " ".join(element.text for tag in ("p", "div") for element in browser.page.all(tag, role="alert"))


def notice(browser: Browser) -> str:
    return browser.page.one("p", role="status").text


def test_login_is_required(fleet: Fleet) -> None:
    browser = Browser(fleet.admin.url)
    page = browser.get("/admin")
    assert browser.response.url == f"{fleet.admin.url}/admin/login"
    assert page.by_id("hostname").text == HOSTNAME
    assert not page.all("table")
    browser.get("/admin/?q=knife&sort=price")
    page = browser.submit("/admin/login", username=USER, password=PASSWORD)
    assert browser.response.url == f"{fleet.admin.url}/admin/?q=knife&sort=price"
    assert page.by_id("hostname").text == HOSTNAME
    assert rows(page)


@pytest.mark.parametrize("address", ["https://example.org/", "//example.org/", "/admin/../", "/admin/\r\nX: y", "/"])
def test_login_leads_nowhere_else(fleet: Fleet, address: str) -> None:
    browser = Browser(fleet.admin.url)
    browser.get("/admin/login", params={"next": address})
    browser.submit("/admin/login", username=USER, password=PASSWORD, next=address)
    assert browser.response.url == f"{fleet.admin.url}/admin/"


@pytest.mark.parametrize(
    ("user", "password"), [(USER, "wrong"), ("nobody", PASSWORD), (USER, ""), ("", ""), ("<b>", "x")]
)
def test_wrong_password(fleet: Fleet, user: str, password: str) -> None:
    browser = Browser(fleet.admin.url)
    page = browser.log_in(password, user)
    assert browser.response.status_code == 401
    assert alerts(browser) == "User name or password is wrong."
    assert page.by_id("username").attributes["value"] == user
    assert "shopfleet_admin" not in browser.session.cookies


def test_cookie_is_strict(fleet: Fleet) -> None:
    for proto, secure in (("http", False), ("https", True)):
        browser = Browser(fleet.admin.url)
        browser.get("/admin/login")
        data = {**browser.values("/admin/login"), "username": USER, "password": PASSWORD}
        response = browser.session.post(
            f"{fleet.admin.url}/admin/login",
            data=data,
            headers={"X-Forwarded-Proto": proto},
            allow_redirects=False,
            timeout=5,
        )
        cookie = response.headers["Set-Cookie"]
        assert response.status_code == 303
        assert re.search(r"shopfleet_admin=[^;]+; path=/admin; (secure; )?HttpOnly; SameSite=Strict", cookie)
        assert ("; secure" in cookie) is secure


def test_login_renews_the_session(admin: Browser) -> None:
    before = admin.session.cookies["shopfleet_admin"]
    form = {"csrf": admin.session.cookies["shopfleet_login"], "username": USER, "password": PASSWORD}
    response = admin.session.post(f"{admin.url}/admin/login", data=form, timeout=5)
    assert response.status_code == 200
    assert admin.session.cookies["shopfleet_admin"] != before


def test_logging_out_ends_the_session(admin: Browser, fleet: Fleet) -> None:
    cookie = admin.session.cookies["shopfleet_admin"]
    admin.get("/admin/logout")
    assert admin.response.url == f"{fleet.admin.url}/admin/"
    assert rows(admin.page)
    admin.submit("/admin/logout")
    assert admin.response.url == f"{fleet.admin.url}/admin/login"
    stolen = Browser(fleet.admin.url)
    stolen.session.cookies.set("shopfleet_admin", cookie)
    stolen.get("/admin/")
    assert stolen.response.url == f"{fleet.admin.url}/admin/login"


@pytest.mark.parametrize("token", ["", "0" * 32])
def test_forms_without_the_token_are_refused(admin: Browser, name: str, token: str) -> None:
    admin.get("/admin/")
    page = admin.save(name=name, quantity="3", price="2.99", csrf=token)
    assert admin.response.status_code == 403
    assert "nothing was changed" in alerts(admin)
    assert page.by_id("name").attributes["value"] == name
    assert "No item matches" in admin.get("/admin/", params={"q": name}).one("main").text
    admin.submit("/admin/logout", csrf=token)
    assert admin.response.status_code == 403
    admin.get("/admin/delete?name=x")
    admin.submit("/admin/delete", csrf=token)
    assert admin.response.status_code == 403


def test_login_without_the_token_is_refused(fleet: Fleet) -> None:
    browser = Browser(fleet.admin.url)
    browser.get("/admin/login")
    browser.submit("/admin/login", username=USER, password=PASSWORD, csrf="0" * 32)
    assert browser.response.status_code == 403


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://example.org"}]
)
def test_forms_of_other_sites_are_refused(admin: Browser, name: str, headers: dict[str, str]) -> None:
    admin.session.headers.update(headers)
    admin.get("/admin/")
    admin.save(name=name, quantity="3", price="2.99")
    assert admin.response.status_code == 403


def test_insert_update_add_and_delete(admin: Browser, shop: Browser, name: str) -> None:
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
    assert [row[1:] for row in rows(page)] == [("Low stock 2", "€2.00")]
    assert rows(shop.get("/", params={"q": name})) == [(name, "Low stock 2", "€2.00")]

    edit, delete = (link.attributes["href"] for link in page.by_id("items").one("tbody").all("a"))
    admin.get(edit)
    assert {key: admin.values("/admin/")[key] for key in ("name", "quantity", "price", "mode")} == {
        "name": name,
        "quantity": "2",
        "price": "2.00",
        "mode": "set",
    }
    page = admin.get(delete)
    assert page.one("h1").text == f"Delete “{name}”?"
    page = admin.submit("/admin/delete")
    assert notice(admin) == f"“{name}” was deleted."
    assert "No item matches" in page.one("main").text
    admin.get(delete)
    admin.submit("/admin/delete")
    assert notice(admin) == f"There was no item “{name}” any more."


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


def test_sending_a_form_twice_takes_effect_once(admin: Browser, name: str) -> None:
    admin.get("/admin/")
    admin.save(name=name, quantity="5", price="2.99")
    form = {**admin.values("/admin/"), "name": name, "quantity": "5", "mode": "add"}
    for _ in range(2):
        admin.session.post(f"{admin.url}/admin/", data=form, timeout=5)
    assert rows(admin.get("/admin/", params={"q": name})) == [(name, "10", "€2.99")]


def test_expired_session_keeps_what_was_typed(admin: Browser, fleet: Fleet) -> None:
    admin.get("/admin/?q=knife")
    admin.session.cookies.clear()
    admin.save(**TYPED)
    assert admin.response.status_code == 401
    assert "what you typed is kept" in alerts(admin)
    admin.submit("/admin/login", username=USER, password="wrong")
    admin.submit("/admin/login", username=USER, password=PASSWORD)
    assert admin.response.url == f"{fleet.admin.url}/admin/?q=knife"
    values = admin.values("/admin/")
    assert {key: values[key] for key in TYPED} == TYPED
    assert "Check what you typed" in notice(admin)
    assert "<b>" not in admin.response.text


@pytest.mark.parametrize(("stamp", "seconds"), [("seen", 30 * 60 + 5), ("since", 12 * 3600 + 5)])
def test_session_has_limits(admin: Browser, fleet: Fleet, stamp: str, seconds: int) -> None:
    session = admin.session.cookies["shopfleet_admin"]
    for age, is_logged_in in ((seconds - 60, True), (seconds, False)):
        # The clock of a container cannot be turned, but the session can be made older.
        code = f"""$file = "/tmp/sess_{session}";
            $aged = preg_replace("/{stamp}.i:\\K[0-9]+/", (string) (time() - {age}), file_get_contents($file));
            file_put_contents($file, $aged);"""
        fleet.admin.execute("php", "-r", code)
        admin.get("/admin/")
        assert admin.response.url.endswith("/admin/") is is_logged_in


def test_unknown_session_id_is_not_taken_over(fleet: Fleet) -> None:
    chosen = {"Cookie": f"shopfleet_admin={secrets.token_hex(16)}"}
    browser = Browser(fleet.admin.url)
    browser.get("/admin/login")
    form = {**browser.values("/admin/login"), "username": USER, "password": PASSWORD}
    token = f"shopfleet_login={browser.session.cookies['shopfleet_login']}"
    headers = {"Cookie": f"{chosen['Cookie']}; {token}"}
    response = requests.post(f"{fleet.admin.url}/admin/login", form, headers=headers, allow_redirects=False, timeout=5)
    assert response.status_code == 303
    response = requests.get(f"{fleet.admin.url}/admin/", headers=chosen, allow_redirects=False, timeout=5)
    assert response.headers["Location"] == "/admin/login"


def test_admin_api_down_keeps_what_was_typed(other_admin: Browser, stand_in: StandInApi) -> None:
    other_admin.get("/admin/")
    stand_in.fails()
    for _ in range(2):
        key = other_admin.values("/admin/")["key"]
        other_admin.save(**TYPED)
        assert other_admin.response.status_code == 503
        assert "Nothing can be saved right now" in alerts(other_admin)
        values = other_admin.values("/admin/")
        assert {name: values[name] for name in TYPED} == TYPED
        assert values["key"] == key
    keys = {headers["Idempotency-Key"] for method, _, headers in stand_in.requests if method == "PUT"}
    assert len(keys) == 1


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


def test_strange_answer_to_a_write_is_no_success(other_admin: Browser, stand_in: StandInApi) -> None:
    other_admin.get("/admin/")
    stand_in.answer = Answer(200, {"name": "Lamp"})
    other_admin.save(name="Lamp", quantity="3")
    assert other_admin.response.status_code == 503


def test_huge_form_is_refused(admin: Browser) -> None:
    response = admin.session.post(f"{admin.url}/admin/", data={"name": "x" * 70_000}, timeout=5)
    assert response.status_code == 413


def test_admin_serves_nothing_else(fleet: Fleet) -> None:
    browser = Browser(fleet.admin.url)
    for path in ("/", "/items", "/admin/x", "/assets/style-0123456789abcdef.css", "/adminx"):
        browser.get(path)
        assert browser.response.status_code == 404, path
    browser.get("/admin/login")
    assert browser.page.one("link", rel="stylesheet").attributes["href"].startswith("/admin/assets/")
