"""Headers, health, metrics and logs of the web image."""

import re
import secrets
import select
import socket
import time
from pathlib import Path

import pytest
import requests
from shop_stack import AS_HAPROXY, HAPROXY_KEY, KEY_HEADER, docker, wait_until
from web_stack import PASSWORD, Answer, Browser, Fleet, StandInApi, WebContainer, ask, web_secrets


@pytest.fixture(params=["shop", "admin"])
def web(fleet: Fleet, request: pytest.FixtureRequest) -> WebContainer:
    container: WebContainer = getattr(fleet, request.param)
    return container


@pytest.mark.parametrize("path", ["/", "/admin/login", "/nothing", "/%zz", "/healthz"])
def test_no_answer_tells_versions(web: WebContainer, path: str) -> None:
    response = ask("GET", web.url + path, timeout=5)
    assert response.headers["Server"] == "Apache"
    assert "X-Powered-By" not in response.headers


def test_a_file_that_never_ends_to_arrive_holds_no_worker(fleet: Fleet) -> None:
    with socket.create_connection(("127.0.0.1", fleet.admin.port)) as connection:
        fields = f"Host: shop\r\n{KEY_HEADER}: {HAPROXY_KEY}\r\nContent-Length: 500000\r\n\r\n"
        connection.sendall(f"POST /admin/import HTTP/1.1\r\n{fields}".encode())
        wait_until(lambda: trickle(connection), "an answer, although the file goes on", 60)


def trickle(connection: socket.socket) -> bool:
    """Send one more byte; return whether the other side has had enough."""
    try:
        connection.sendall(b"x")
        return bool(select.select([connection], [], [], 0.5)[0])
    except ConnectionError:
        return True


def test_admin_pages_are_not_kept(admin: Browser) -> None:
    assert admin.response.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in admin.response.headers


@pytest.mark.parametrize("given", [None, "", "wrong", HAPROXY_KEY[:-1], HAPROXY_KEY + "x"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("HEAD", "/"),
        ("GET", "/?q=tea"),
        ("POST", "/"),
        ("GET", "/admin/"),
        ("POST", "/admin/login"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/healthz?x"),
        ("GET", "//healthz"),
        ("GET", "/assets/style-0123456789abcdef.css"),
        ("GET", "/nothing"),
    ],
)
def test_only_the_load_balancer_is_answered(web: WebContainer, method: str, path: str, given: str | None) -> None:
    headers = {} if given is None else {KEY_HEADER: given}
    response = requests.request(method, web.url + path, headers=headers, allow_redirects=False, timeout=5)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"]
    assert method == "HEAD" or KEY_HEADER in response.text
    assert HAPROXY_KEY not in response.text
    assert "Set-Cookie" not in response.headers


def test_a_probe_needs_no_key(web: WebContainer) -> None:
    assert requests.get(f"{web.url}/healthz", timeout=5).json() == {"status": "ok"}


def test_without_a_key_of_its_own_a_web_server_answers_nobody(fleet: Fleet, tmp_path: Path) -> None:
    web = fleet.another(
        {"SHOP_ROLE": "shop", "SHOP_API_URL": fleet.stand_in.url}, web_secrets(tmp_path, haproxy_key="")
    )
    try:
        web.wait()
        for headers in ({}, {KEY_HEADER: ""}, AS_HAPROXY):
            assert requests.get(web.url, headers=headers, timeout=5).status_code == 401
    finally:
        web.remove()


def test_each_question_to_an_api_carries_the_web_servers_own_key(
    stand_in: StandInApi, other_shop: Browser, other_admin: Browser
) -> None:
    other_shop.get(f"/?q={secrets.token_hex(4)}")
    other_admin.get("/admin/")
    other_admin.save(name="Tea", quantity="1", price="1")
    assert {method for method, _, _ in stand_in.requests} >= {"GET", "PUT"}
    assert {headers[KEY_HEADER] for _, _, headers in stand_in.requests} == {HAPROXY_KEY}


def test_an_api_that_wants_another_key_is_an_api_that_is_away(stand_in: StandInApi, other_shop: Browser) -> None:
    stand_in.answer = Answer(401, {"title": "Unauthorized", "status": 401, "detail": "Send the key."})
    other_shop.get(f"/?q={secrets.token_hex(4)}")
    assert other_shop.response.status_code == 503
    assert "Send the key" not in other_shop.response.text


def test_health(web: WebContainer) -> None:
    assert ask("GET", f"{web.url}/healthz", timeout=5).json() == {"status": "ok"}
    web.execute("php", "/usr/local/bin/healthcheck.php")
    ready = ask("GET", f"{web.url}/readyz", timeout=5)
    assert ready.status_code == 200
    assert set(ready.json()["checks"].values()) == {"ok"}


def test_readiness_names_what_is_missing(fleet: Fleet) -> None:
    settings = {"SHOP_ROLE": "admin", "SHOP_API_URL": fleet.stand_in.url, "SHOP_ADMIN_API_URL": "http://127.0.0.1:9"}
    web = fleet.another(settings)
    try:
        web.wait()
        ready = ask("GET", f"{web.url}/readyz", timeout=5)
        assert ready.status_code == 503
        assert ready.json()["checks"]["api"] == "ok"
        assert ready.json()["checks"]["admin_api"] != "ok"
        assert ask("GET", f"{web.url}/healthz", timeout=5).status_code == 200
    finally:
        web.remove()


def test_metrics(web: WebContainer) -> None:
    text = ask("GET", f"{web.url}/metrics", timeout=5).text
    assert re.search(r"^apache_accesses_total \d+$", text, re.MULTILINE)
    assert re.search(r'^apache_workers\{state="busy"\} \d+$', text, re.MULTILINE)
    assert re.search(r'^apache_workers\{state="idle"\} \d+$', text, re.MULTILINE)
    assert ask("GET", f"{web.url}/server-status", timeout=5).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/.git/HEAD",
        "/.env",
        "/index.php",
        "/index.php.bak",
        "/src/App.php",
        "/templates/",
        "/style.css",
        "/assets/",
        "/server-status",
        "/server-info",
        "/icons/",
        "/phpinfo.php",
        "/openapi.json",
        "/..%2fsrc/App.php",
        "/%2e%2e/src/App.php",
        "//etc/passwd",
    ],
)
def test_nothing_that_lies_in_the_image_can_be_asked_for(web: WebContainer, path: str) -> None:
    response = ask("GET", web.url + path, timeout=5)
    assert response.status_code in {400, 404}
    assert not re.search(r"<\?php|namespace|root:|<ul>|ref: refs", response.text)


def test_a_fault_is_recorded_and_nothing_of_it_is_shown(fleet: Fleet, stand_in: StandInApi) -> None:
    stand_in.lists()
    url = fleet.stand_in.url
    web = fleet.another({"SHOP_ROLE": "admin", "SHOP_API_URL": url, "SHOP_ADMIN_API_URL": url})
    try:
        web.wait()
        # What the log-in wants to open as a file.
        web.execute("mkdir", "/tmp/login-throttle")  # noqa: S108
        browser = Browser(web.url)
        page = browser.log_in()
        assert browser.response.status_code == 500
        assert page.one("main").text.startswith("Something went wrong The page could not be made.")
        assert not any(text in browser.response.text for text in ("login-throttle", ".php", "Exception", "/srv", "#0"))
        assert "shopfleet_admin" not in browser.session.cookies
        (fault,) = [line for line in web.log_lines() if line.get("message") == "fault"]
        assert fault["level"] == "error"
        assert "login-throttle" in fault["reason"]
        assert PASSWORD not in str(fault)
    finally:
        web.remove()


@pytest.mark.parametrize("path", ["/", "/admin/login", "/nothing"])
def test_no_other_site_is_allowed_to_read(web: WebContainer, path: str) -> None:
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
    for method in ("GET", "OPTIONS"):
        response = ask(method, web.url + path, headers=asked, timeout=5)
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "path",
    ["", "?edit=Lamp", "delete?name=Lamp", "undo?change=7", "changes", "import", "import?id=7", "export", "logout"],
)
def test_opening_a_page_changes_nothing(other_admin: Browser, stand_in: StandInApi, path: str) -> None:
    other_admin.get(f"/admin/{path}")
    assert {method for method, _, _ in stand_in.requests} <= {"GET"}
    other_admin.get("/admin/")
    assert other_admin.response.url.endswith("/admin/")


def test_of_a_parameter_that_is_given_twice_the_last_goes_on(other_shop: Browser, stand_in: StandInApi) -> None:
    word = secrets.token_hex(4)
    other_shop.get(f"/?q=first&q[]=second&q={word}")
    (asked,) = [path for _, path, _ in stand_in.requests]
    assert asked == f"/items?q={word}&sort=name&dir=asc&page=1&size=50"


def test_request_id_goes_through(fleet: Fleet, stand_in: StandInApi) -> None:
    url = fleet.shop_before_stand_in.url
    response = ask("GET", url, headers={"X-Request-ID": "abc-123"}, timeout=5)
    assert response.headers["X-Request-ID"] == "abc-123"
    made_up = ask("GET", url, headers={"X-Request-ID": 'bad" id'}, timeout=5).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", made_up)
    assert [headers["X-Request-ID"] for _, _, headers in stand_in.requests] == ["abc-123", made_up]
    logged = {line["request_id"] for line in fleet.shop_before_stand_in.log_lines() if line["logger"] == "access"}
    assert {"abc-123", made_up} <= logged


def test_log_is_json_whatever_is_asked_for(fleet: Fleet, stand_in: StandInApi) -> None:
    web = fleet.shop_before_stand_in
    stand_in.answer = Answer(500, {})
    for path in ('/a"b\\c', "/%22%5c", "/%0a", "/ü", "/?q=%22", "/%zz"):
        ask("GET", web.url + path, headers={"User-Agent": '"\\', "X-Forwarded-For": '"x, 10.0.0.9'}, timeout=5)
    lines = web.log_lines()
    assert any(line.get("client") == "10.0.0.9" for line in lines)


def test_every_worker_is_there_before_the_first_burst(fleet: Fleet) -> None:
    web = fleet.another({"SHOP_ROLE": "shop", "SHOP_API_URL": fleet.stand_in.url})
    try:
        web.wait()
        # The parent, and as many as the configuration allows.
        wait_until(lambda: docker("top", web.name).count("apache2 ") == 33, "32 workers are there")
    finally:
        web.remove()


def test_stops_gracefully(fleet: Fleet) -> None:
    web = fleet.another({"SHOP_ROLE": "shop", "SHOP_API_URL": fleet.stand_in.url})
    try:
        web.wait()
        begun = time.monotonic()
        docker("stop", web.name)
        assert time.monotonic() - begun < 5
        assert docker("inspect", "--format", "{{.State.ExitCode}}", web.name) == "0"
    finally:
        web.remove()
