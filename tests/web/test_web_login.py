"""Log-in, its throttle, sessions, and several admins."""

import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import argon2
import pytest
from web_stack import HOSTNAME, PASSWORD, USER, Browser, Fleet, WebContainer, alerts, ask, rows, web_secrets

BURST_OF_AN_ADDRESS = 10
BURST_OF_A_USER = 20


def hashed(**passwords: str) -> str:
    """Return what admins.json holds for these users."""
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    return json.dumps({user: hasher.hash(password) for user, password in passwords.items()})


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The admins.json of a container of this module's own."""
    return web_secrets(tmp_path_factory.mktemp("accounts")) / "admins.json"


@pytest.fixture(scope="module")
def own_web(fleet: Fleet, accounts: Path) -> Iterator[WebContainer]:
    """A container whose accounts can be changed, and whose throttle nobody else feels."""
    accounts.write_text(hashed(admin=PASSWORD))
    url = fleet.stand_in.url
    web = fleet.another({"SHOP_ROLE": "admin", "SHOP_API_URL": url, "SHOP_ADMIN_API_URL": url}, accounts.parent)
    try:
        web.wait()
        yield web
    finally:
        web.remove()


@pytest.fixture
def web(own_web: WebContainer, accounts: Path, fleet: Fleet) -> WebContainer:
    """The same with the accounts admin and maria, and no failures remembered."""
    fleet.stand_in.lists()
    accounts.write_text(hashed(admin=PASSWORD, maria="another horse"))
    own_web.execute("rm", "-f", "/tmp/login-throttle")  # noqa: S108
    return own_web


def is_logged_in(browser: Browser) -> bool:
    """Tell whether the admin page opens."""
    browser.get("/admin/")
    return browser.response.url == f"{browser.url}/admin/"


def fail(web: WebContainer, times: int, user: str = USER, each_from_elsewhere: bool = False) -> Browser:
    """Log in with a wrong password, so many times."""
    browser = Browser(web.url)
    for _ in range(times):
        browser = Browser(web.url) if each_from_elsewhere else browser
        browser.log_in("wrong", user)
        assert browser.response.status_code == 401
    return browser


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


@pytest.mark.parametrize("path", ["", "delete?name=x", "undo?change=1", "changes", "import?id=1", "export", "logout"])
def test_nothing_is_shown_without_a_session(fleet: Fleet, path: str) -> None:
    response = ask("GET", f"{fleet.admin.url}/admin/{path}", allow_redirects=False, timeout=5)
    assert response.status_code == 303
    assert response.headers["Location"].startswith("/admin/login")
    assert response.text == ""


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
    assert set(browser.session.cookies.keys()) == {"shopfleet_login"}


def test_each_admin_has_an_own_session(web: WebContainer) -> None:
    for user, password in ((USER, PASSWORD), ("maria", "another horse")):
        browser = Browser(web.url)
        page = browser.log_in(password, user)
        assert page.one("form", action="/admin/logout").one("span", **{"class": "user"}).text.endswith(user)
    assert Browser(web.url).log_in("another horse", USER).all("input", id="password")


def test_an_admin_may_be_logged_in_in_several_browsers(fleet: Fleet) -> None:
    browsers = [Browser(fleet.admin.url) for _ in range(3)]
    for browser in browsers:
        browser.log_in()
    assert all(is_logged_in(browser) for browser in browsers)
    browsers[0].submit("/admin/logout")
    assert [is_logged_in(browser) for browser in browsers] == [False, True, True]


@pytest.mark.parametrize(("proto", "prefix", "secure"), [("http", "", ""), ("https", "__Host-", "secure; ")])
def test_cookies_are_strict_and_by_https_secure(fleet: Fleet, proto: str, prefix: str, secure: str) -> None:
    headers = {"X-Forwarded-Proto": proto}
    page = ask("GET", f"{fleet.admin.url}/admin/login", headers=headers)
    attributes = f"path={'/' if secure else '/admin'}; {secure}HttpOnly; SameSite=Strict"
    (token,) = re.findall(f"^{prefix}shopfleet_login=([^;]+); {attributes}$", page.headers["Set-Cookie"])
    response = ask(
        "POST",
        f"{fleet.admin.url}/admin/login",
        data={"csrf": token, "username": USER, "password": PASSWORD},
        headers={**headers, "Cookie": f"{prefix}shopfleet_login={token}"},
        allow_redirects=False,
    )
    assert response.status_code == 303
    *sessions, known = response.raw.headers.getlist("Set-Cookie")
    assert re.search(f"^{prefix}shopfleet_known=[^;]+; expires=[^;]+; Max-Age=31536000; {attributes}$", known)
    assert sessions
    assert all(re.search(f"^{prefix}shopfleet_admin=[^;]+; {attributes}$", cookie) for cookie in sessions)


@pytest.mark.parametrize("password", ["x" * 64, " Päss wörd 🦊 " * 20, "'; -- <b>\\\"", "1" * 200 + "a"])
def test_a_password_counts_as_it_was_typed_however_long_it_is(web: WebContainer, accounts: Path, password: str) -> None:
    accounts.write_text(hashed(admin=password))
    for other in (password[:-1], password.swapcase(), password.strip(), f"{password} "):
        if other != password:
            Browser(web.url).log_in(other)
            assert not is_logged_in(Browser(web.url))
    browser = Browser(web.url)
    browser.log_in(password)
    assert is_logged_in(browser)


def test_a_password_can_be_filled_in_by_a_manager_and_is_not_shown(fleet: Fleet) -> None:
    browser = Browser(fleet.admin.url)
    field = browser.get("/admin/login").by_id("password")
    assert set(browser.values("/admin/login")) == {"csrf", "next", "username", "password"}
    assert field.attributes["type"] == "password"
    assert field.attributes["autocomplete"] == "current-password"
    assert not {"onpaste", "maxlength", "pattern", "readonly"} & field.attributes.keys()


def test_a_session_id_cannot_be_guessed(fleet: Fleet) -> None:
    ids = set()
    for _ in range(3):
        browser = Browser(fleet.admin.url)
        browser.log_in()
        ids.add(browser.session.cookies["shopfleet_admin"])
    assert len(ids) == 3
    # 4 bits in each of 32 digits are 128.
    assert all(re.fullmatch("[0-9a-f]{32,}", text) for text in ids)


def test_a_session_is_in_no_address(admin: Browser, fleet: Fleet) -> None:
    secret = admin.session.cookies["shopfleet_admin"]
    page = admin.get("/admin/")
    addresses = [
        element.attributes.get(key, "") for tag, key in (("a", "href"), ("form", "action")) for element in page.all(tag)
    ]
    assert addresses
    assert not any(text in address for address in addresses for text in (secret, admin.values("/admin/")["csrf"]))
    for query in (f"shopfleet_admin={secret}", f"PHPSESSID={secret}"):
        stranger = Browser(fleet.admin.url)
        stranger.get(f"/admin/?{query}")
        assert stranger.page.all("input", id="password")


def test_who_logs_in_and_out_is_recorded_and_with_which_result(web: WebContainer) -> None:
    before = len(web.log_lines())
    browser = Browser(web.url)
    client = browser.session.headers["X-Forwarded-For"]
    browser.log_in("wrong")
    browser.log_in()
    browser.submit("/admin/logout")
    fail(web, BURST_OF_A_USER, "nobody", each_from_elsewhere=True)
    Browser(web.url).log_in("x", "nobody")
    lines = [
        line for line in web.log_lines()[before:] if line["logger"] == "web" and line["message"].startswith("log-")
    ]
    own = [line for line in lines if line.get("client") == client]
    assert [(line["level"], line["message"]) for line in own] == [("warning", "log-in refused"), ("info", "log-in")]
    assert {line["user"] for line in own} == {USER}
    assert [line["user"] for line in lines if line["message"] == "log-out"] == [USER]
    assert {line["user"] for line in lines if line["message"] == "log-in throttled"} >= {"nobody"}
    assert not any(PASSWORD in str(line) for line in web.log_lines())


def test_login_renews_the_session(admin: Browser) -> None:
    before = admin.session.cookies["shopfleet_admin"]
    form = {"csrf": admin.session.cookies["shopfleet_login"], "username": USER, "password": PASSWORD}
    response = admin.session.post(f"{admin.url}/admin/login", data=form, timeout=5)
    assert response.status_code == 200
    assert admin.session.cookies["shopfleet_admin"] != before


def test_unknown_session_id_is_not_taken_over(fleet: Fleet) -> None:
    chosen = {"Cookie": f"shopfleet_admin={secrets.token_hex(16)}"}
    browser = Browser(fleet.admin.url)
    browser.get("/admin/login")
    form = {**browser.values("/admin/login"), "username": USER, "password": PASSWORD}
    token = f"shopfleet_login={browser.session.cookies['shopfleet_login']}"
    headers = {"Cookie": f"{chosen['Cookie']}; {token}"}
    response = ask(
        "POST", f"{fleet.admin.url}/admin/login", data=form, headers=headers, allow_redirects=False, timeout=5
    )
    assert response.status_code == 303
    response = ask("GET", f"{fleet.admin.url}/admin/", headers=chosen, allow_redirects=False, timeout=5)
    assert response.headers["Location"] == "/admin/login"


@pytest.mark.parametrize("cookie", ["", "../../etc/passwd", "a" * 300, "%00", "é", "a,b", "[]"])
def test_session_ids_that_are_none_are_no_fault(fleet: Fleet, cookie: str) -> None:
    headers = {"Cookie": f"shopfleet_admin={cookie}; shopfleet_login={cookie}; shopfleet_known={cookie}"}
    response = ask(
        "GET",
        f"{fleet.admin.url}/admin/login",
        headers={name: text.encode() for name, text in headers.items()},
        timeout=5,
    )
    assert response.status_code == 200


def test_logging_out_ends_the_session(admin: Browser, fleet: Fleet) -> None:
    cookie = admin.session.cookies["shopfleet_admin"]
    admin.get("/admin/logout")
    assert admin.response.url == f"{fleet.admin.url}/admin/"
    assert rows(admin.page)
    admin.submit("/admin/logout")
    assert admin.response.url == f"{fleet.admin.url}/admin/login"
    assert admin.response.history[0].headers["Clear-Site-Data"] == '"cache", "storage"'
    stolen = Browser(fleet.admin.url)
    stolen.session.cookies.set("shopfleet_admin", cookie)
    stolen.get("/admin/")
    assert stolen.response.url == f"{fleet.admin.url}/admin/login"


@pytest.mark.parametrize(("stamp", "seconds"), [("seen", 30 * 60 + 5), ("since", 12 * 3600 + 5)])
def test_session_has_limits(admin: Browser, fleet: Fleet, stamp: str, seconds: int) -> None:
    session = admin.session.cookies["shopfleet_admin"]
    for age, stays in ((seconds - 60, True), (seconds, False)):
        # The clock of a container cannot be turned, but the session can be made older.
        code = f"""$file = "/tmp/sess_{session}";
            $aged = preg_replace("/{stamp}.i:\\K[0-9]+/", (string) (time() - {age}), file_get_contents($file));
            file_put_contents($file, $aged);"""
        fleet.admin.execute("php", "-r", code)
        assert is_logged_in(admin) is stays


@pytest.mark.parametrize("after", [{"admin": "a new one", "maria": "m"}, {"maria": "m"}])
def test_new_password_and_removal_end_the_sessions_of_one_admin(
    web: WebContainer, accounts: Path, after: dict[str, str]
) -> None:
    kept = json.loads(accounts.read_text())
    sessions = {USER: Browser(web.url), "maria": Browser(web.url)}
    sessions[USER].log_in()
    sessions["maria"].log_in("another horse", "maria")
    assert all(is_logged_in(browser) for browser in sessions.values())
    accounts.write_text(json.dumps({**json.loads(hashed(**after)), "maria": kept["maria"]}))
    assert not is_logged_in(sessions[USER])
    assert is_logged_in(sessions["maria"])
    sessions[USER].log_in()
    assert sessions[USER].response.status_code == 401


def test_guessing_from_one_address_is_throttled(web: WebContainer) -> None:
    browser = fail(web, BURST_OF_AN_ADDRESS)
    for user, password in ((USER, PASSWORD), (USER, "wrong"), ("maria", "another horse"), ("nobody", "x")):
        page = browser.log_in(password, user)
        assert browser.response.status_code == 429
        wait = int(browser.response.headers["Retry-After"])
        assert 0 < wait <= 90
        assert re.fullmatch(
            r"Too many log-ins have failed\. Please wait \d+ seconds?, then try again\.", alerts(browser)
        )
        assert page.by_id("username").attributes["value"] == user
        assert "shopfleet_admin" not in browser.session.cookies


def test_throttle_lets_others_in_at_once(web: WebContainer) -> None:
    fail(web, BURST_OF_AN_ADDRESS)
    elsewhere = Browser(web.url)
    elsewhere.log_in()
    assert elsewhere.response.status_code == 200


def test_only_the_load_balancers_word_counts_for_the_address(web: WebContainer) -> None:
    browser = fail(web, BURST_OF_AN_ADDRESS)
    address = browser.session.headers["X-Forwarded-For"]
    browser.session.headers["X-Forwarded-For"] = f"10.1.2.3, {address!s}"
    browser.log_in()
    assert browser.response.status_code == 429


def test_neighbours_in_one_ipv6_network_share_the_limit(web: WebContainer) -> None:
    browser = Browser(web.url)
    for host in range(BURST_OF_AN_ADDRESS + 1):
        browser.session.headers["X-Forwarded-For"] = f"2001:db8:1:2::{host}"
        browser.log_in("wrong")
    assert browser.response.status_code == 429
    browser.session.headers["X-Forwarded-For"] = "2001:db8:1:3::1"
    browser.log_in()
    assert browser.response.status_code == 200


@pytest.mark.parametrize("user", [USER, "nobody"])
def test_guessing_from_many_addresses_is_throttled_for_a_known_name_as_for_an_unknown(
    web: WebContainer, user: str
) -> None:
    fail(web, BURST_OF_A_USER, user, each_from_elsewhere=True)
    browser = Browser(web.url)
    browser.log_in(PASSWORD, user)
    assert browser.response.status_code == 429
    assert 0 < int(browser.response.headers["Retry-After"]) <= 15
    browser.log_in("another horse", "maria")
    assert browser.response.status_code == 200


def test_admin_is_not_locked_out_of_a_browser_used_before(web: WebContainer) -> None:
    browser = Browser(web.url)
    browser.log_in()
    browser.submit("/admin/logout")
    fail(web, BURST_OF_A_USER, each_from_elsewhere=True)
    stranger = Browser(web.url)
    stranger.session.cookies.set("shopfleet_known", "0" * 64, path="/admin")
    stranger.log_in()
    assert stranger.response.status_code == 429
    browser.log_in()
    assert is_logged_in(browser)


def test_failures_are_forgotten_with_time(web: WebContainer) -> None:
    browser = fail(web, BURST_OF_AN_ADDRESS)
    # As above: not the clock is put forward, but the failures back.
    web.execute(
        "php",
        "-r",
        """$file = fopen("/tmp/login-throttle", "c+");
           for ($at = 16; ($slot = (fseek($file, $at) ?: fread($file, 8))) !== ""; $at += 8) {
               $time = unpack("Pt", $slot)["t"];
               if ($time > 0) { fseek($file, $at); fwrite($file, pack("P", $time - 90)); }
           }""",
    )
    browser.log_in("wrong")
    assert browser.response.status_code == 401
    browser.log_in()
    assert browser.response.status_code == 429


def test_throttle_remembers_in_bounded_space(web: WebContainer) -> None:
    for _ in range(30):
        Browser(web.url).log_in("wrong", secrets.token_hex(8))
    size = int(web.execute("stat", "--format", "%s", "/tmp/login-throttle"))  # noqa: S108
    assert size <= 16 + 2 * 16384 * 8


def test_throttled_login_keeps_what_was_typed(web: WebContainer) -> None:
    browser = Browser(web.url)
    browser.log_in()
    browser.session.cookies.clear()
    browser.save(name="<i>Lamp", quantity="3", price="2.99")
    for _ in range(BURST_OF_AN_ADDRESS + 1):
        browser.submit("/admin/login", username=USER, password="wrong")
    assert browser.response.status_code == 429
    assert browser.values("/admin/login")["typed_name"] == "<i>Lamp"
