"""What holds for every form of the admin pages: whose it must be, once, and nothing typed is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlencode

import pytest
from web_stack import PASSWORD, USER, Browser, Fleet, Post, alerts, ask, notice, rows

TYPED = {"name": "<b>Kettle</b> \"XL\" & 'co' 🫖", "quantity": " -3 ", "price": "2.999", "mode": "add"}


def filled(browser: Browser, action: str, **values: str) -> Post:
    """Fill in a form of the page that is open."""
    return Post(browser.form(action).attributes["action"], {**browser.values(action), **values})


def add(browser: Browser, name: str) -> None:
    browser.get("/admin/")
    browser.save(name=name, quantity="7", price="2.99")


def saving(browser: Browser, name: str) -> Post:
    add(browser, name)
    return filled(browser, "/admin/", name=name, quantity="3", mode="add")


def editing(browser: Browser, name: str) -> Post:
    add(browser, name)
    browser.get("/admin/", params={"edit": name, "q": "thing"})
    return filled(browser, "/admin/", name=f"{name} II", quantity="4")


def deleting(browser: Browser, name: str) -> Post:
    add(browser, name)
    browser.get("/admin/delete", params={"name": name, "q": "thing"})
    return filled(browser, "/admin/delete")


def undoing(browser: Browser, name: str) -> Post:
    browser.send(deleting(browser, name))
    return filled(browser, "/admin/undo")


def undoing_in_the_log(browser: Browser, name: str) -> Post:
    browser.send(deleting(browser, name))
    page = browser.get("/admin/changes")
    return Post.of(page.by_id("changes").all("li")[0].one("form"))


def uploading(browser: Browser, name: str) -> Post:
    browser.get("/admin/import")
    content = f"name,quantity,price\n{name},3,2.99\n{name} II,3,2.99\n".encode()
    return Post("/admin/import", browser.values("/admin/import"), {"file": ("items.csv", content, "text/csv")})


def applying(browser: Browser, name: str) -> Post:
    browser.send(uploading(browser, name))
    return filled(browser, "/admin/import")


Form = Callable[[Browser, str], Post]
FORMS = [saving, editing, deleting, undoing, undoing_in_the_log, uploading, applying]
every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


def written(fleet: Fleet) -> list[int]:
    """Return the numbers of the version, of changes and of imports."""
    counts = """SELECT version, (SELECT COUNT(*) FROM shop.changes), (SELECT COUNT(*) FROM shop.imports)
                FROM shop.catalogue_version"""
    return [int(text) for text in fleet.stack.sql(counts).split()]


@every_form
@pytest.mark.parametrize("token", ["", "0" * 32, None])
def test_forms_without_the_token_are_refused(
    admin: Browser, fleet: Fleet, name: str, form: Form, token: str | None
) -> None:
    post = form(admin, name)
    before = written(fleet)
    data = {key: value for key, value in post.data.items() if key != "csrf"}
    admin.send(Post(post.path, data if token is None else {**data, "csrf": token}, post.files))
    assert admin.response.status_code == 403
    assert "nothing was changed" in alerts(admin)
    assert written(fleet) == before
    # What is shown instead can be sent: nothing has to be typed again, only a file has to be chosen again.
    if post.files is None:
        admin.submit(post.path.split("?")[0])
        assert admin.response.history[0].status_code == 303
        assert written(fleet) != before


@pytest.mark.parametrize("path", ["/admin/login", "/admin/logout"])
def test_session_forms_without_the_token_are_refused(admin: Browser, path: str) -> None:
    cookie = admin.session.cookies["shopfleet_admin"]
    form = {"username": USER, "password": PASSWORD, "csrf": "0" * 32}
    response = admin.session.post(f"{admin.url}{path}", data=form, timeout=5)
    assert response.status_code == 403
    assert admin.session.cookies["shopfleet_admin"] == cookie
    assert rows(admin.get("/admin/"))


@every_form
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://example.org"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_forms_of_other_sites_are_refused(
    admin: Browser, fleet: Fleet, name: str, form: Form, headers: dict[str, str]
) -> None:
    post = form(admin, name)
    before = written(fleet)
    admin.session.headers.update(headers)
    admin.send(post)
    assert admin.response.status_code == 403
    assert written(fleet) == before


@pytest.mark.parametrize("path", ["/admin/login", "/admin/logout"])
def test_session_forms_of_other_sites_are_refused(admin: Browser, path: str) -> None:
    admin.get("/admin/")
    form = {"username": USER, "password": PASSWORD, "csrf": admin.session.cookies["shopfleet_login"]}
    headers = {"Sec-Fetch-Site": "cross-site"}
    response = admin.session.post(f"{admin.url}{path}", data=form, headers=headers, timeout=5)
    assert response.status_code == 403
    assert rows(admin.get("/admin/"))


@pytest.mark.parametrize(
    ("headers", "form", "reason"),
    [({}, {"csrf": "0" * 32}, "token"), ({"Sec-Fetch-Site": "cross-site"}, {}, "another site")],
)
@pytest.mark.parametrize("path", ["/admin/", "/admin/login", "/admin/logout"])
def test_a_refused_form_is_recorded(
    admin: Browser, fleet: Fleet, path: str, headers: dict[str, str], form: dict[str, str], reason: str
) -> None:
    client = admin.session.headers["X-Forwarded-For"]
    admin.session.post(f"{admin.url}{path}", data={"username": USER, **form}, headers=headers, timeout=5)
    lines = [
        line for line in fleet.admin.log_lines() if line.get("message") == "form refused" and line["client"] == client
    ]
    assert [(line["level"], line["path"], line["reason"]) for line in lines] == [("warning", path, reason)]


@every_form
def test_form_of_this_site_is_answered_by_leading_on(admin: Browser, fleet: Fleet, name: str, form: Form) -> None:
    post = form(admin, name)
    before = written(fleet)
    admin.session.headers.update({"Sec-Fetch-Site": "same-origin", "Origin": fleet.admin.url})
    admin.send(post)
    assert [response.status_code for response in admin.response.history] == [303]
    assert admin.response.status_code == 200
    assert written(fleet) != before


@every_form
def test_sending_a_form_twice_takes_effect_once(admin: Browser, fleet: Fleet, name: str, form: Form) -> None:
    post = form(admin, name)
    other = Browser(fleet.admin.url)
    other.log_in()
    sessions = [dict(browser.session.cookies) for browser in (admin, other)]
    csrf = [post.data["csrf"], other.values("/admin/")["csrf"]]
    before = written(fleet)

    def send(number: int) -> int:
        # Two sessions, because requests of one session wait for each other.
        data = {**post.data, "csrf": csrf[number % 2]}
        response = ask(
            "POST",
            fleet.admin.url + post.path,
            data=data,
            files=post.files,
            cookies=sessions[number % 2],
            allow_redirects=False,
            timeout=10,
        )
        return response.status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(8))) == {303}
    changes = 2 if form is applying else 0 if form is uploading else 1
    assert [after - count for after, count in zip(written(fleet), before, strict=True)][1:] == [
        changes,
        1 if form is uploading else 0,
    ]
    if form is saving:
        assert [row[1] for row in rows(admin.get("/admin/", params={"q": name}))] == ["10"]


def place_after_login(post: Post) -> str:
    """Return where an admin is after the session ran out while a form was sent, and a new log-in."""
    path, _, query = post.path.partition("?")
    if path == "/admin/undo":
        about = urlencode({"change": post.data["change"]})
        return f"{path}?{query}&{about}" if query else f"{path}?{about}"
    return post.path


@every_form
def test_expired_session_loses_nothing(admin: Browser, fleet: Fleet, name: str, form: Form) -> None:
    post = form(admin, name)
    before = written(fleet)
    admin.session.cookies.clear()
    admin.send(post)
    assert admin.response.status_code == 401
    assert "Your session has run out" in alerts(admin)
    admin.submit("/admin/login", username=USER, password="wrong")
    assert admin.response.status_code == 401
    admin.submit("/admin/login", username=USER, password=PASSWORD)
    assert admin.response.url == fleet.admin.url + place_after_login(post)
    assert written(fleet) == before
    if post.files is None:
        kept = {key: value for key, value in post.data.items() if key not in {"csrf", "key"}}
        assert {key: admin.values(post.path.split("?")[0])[key] for key in kept} == kept
        admin.submit(post.path.split("?")[0])
        assert [response.status_code for response in admin.response.history] == [303]
        assert written(fleet) != before


def test_expired_session_keeps_what_was_typed_as_it_was_typed(admin: Browser, fleet: Fleet) -> None:
    admin.get("/admin/?q=knife")
    admin.session.cookies.clear()
    admin.save(**TYPED)
    assert "what you typed is kept" in alerts(admin)
    admin.submit("/admin/login", username=USER, password=PASSWORD)
    assert admin.response.url == f"{fleet.admin.url}/admin/?q=knife"
    values = admin.values("/admin/")
    assert {key: values[key] for key in TYPED} == TYPED
    assert "Check what you typed" in notice(admin)
    assert "<b>" not in admin.response.text


@pytest.mark.parametrize(
    "path", ["changes?before=7", "import?id=7", "undo?change=7", "delete?name=a%26b", "?edit=a%2Fb"]
)
def test_login_leads_to_the_page_that_was_asked_for(fleet: Fleet, path: str) -> None:
    browser = Browser(fleet.admin.url)
    browser.get(f"/admin/{path}")
    browser.submit("/admin/login", username=USER, password=PASSWORD)
    assert browser.response.history[0].headers["Location"] == f"/admin/{path}"


def test_every_write_tells_who_it_was(admin: Browser, fleet: Fleet, name: str) -> None:
    for number, form in enumerate(FORMS):
        admin.send(form(admin, f"{name} {number}"))
    entries = [entry.text for entry in admin.get("/admin/changes").by_id("changes").all("li") if name in entry.text]
    assert {
        action for action in ("added", "changed", "deleted", "brought back") for entry in entries if action in entry
    }
    assert all(f" by {USER}" in entry for entry in entries)
    assert fleet.stack.sql("SELECT actor FROM shop.imports ORDER BY id DESC LIMIT 1") == USER


def test_names_are_shown_as_text_everywhere(admin: Browser, name: str) -> None:
    evil = f"<script>alert(1)</script>\"'><img src=x onerror=alert(1)> & {{{{7*7}}}} {name}"[:110]
    shown = " ".join(evil.split())
    seen = []

    def harmless(what: str) -> None:
        assert admin.response.status_code in {200, 404, 409}, what
        assert "<script" not in admin.response.text, what
        assert "<img" not in admin.response.text, what
        seen.append((what, shown in admin.page.one("main").text or shown in str(admin.page.one("main"))))

    add(admin, evil)
    harmless("notice")
    admin.get("/admin/", params={"q": evil})
    harmless("list and search")
    admin.get("/admin/", params={"edit": evil})
    harmless("edit")
    admin.save(name=evil + "!", quantity="1")
    harmless("rename")
    admin.get("/admin/", params={"edit": evil})
    harmless("gone")
    admin.send(Post("/admin/import", *_upload(admin, evil + "!", evil)))
    harmless("plan")
    admin.submit("/admin/import")
    admin.get("/admin/changes")
    harmless("log")
    admin.get("/admin/delete", params={"name": evil})
    harmless("delete")
    admin.submit("/admin/delete")
    harmless("deleted")
    change = admin.values("/admin/undo")["change"]
    admin.get("/admin/undo", params={"change": change})
    harmless("undo")
    admin.submit("/admin/undo")
    harmless("undone")
    admin.session.cookies.clear()
    admin.get("/admin/delete?name=" + quote(evil))
    assert "<script" not in admin.response.text
    assert [what for what, is_shown in seen if not is_shown] == []


def _upload(browser: Browser, *names: str) -> tuple[dict[str, str], dict[str, tuple[str, bytes, str]]]:
    browser.get("/admin/import")
    lines = ["name,quantity,price", *('"{}",3,2.99'.format(name.replace('"', '""')) for name in names)]
    return browser.values("/admin/import"), {"file": ("<b>.csv", "\n".join(lines).encode(), "text/csv")}
