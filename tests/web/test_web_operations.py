"""Headers, health, metrics and logs of the web image."""

import re
import time

import pytest
import requests
from shop_stack import docker, wait_until
from web_stack import Answer, Browser, Fleet, StandInApi, WebContainer

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Server": "Apache",
}


@pytest.fixture(params=["shop", "admin"])
def web(fleet: Fleet, request: pytest.FixtureRequest) -> WebContainer:
    container: WebContainer = getattr(fleet, request.param)
    return container


@pytest.mark.parametrize("path", ["/", "/admin/login", "/nothing", "/%zz", "/healthz"])
def test_security_headers_are_on_every_answer(web: WebContainer, path: str) -> None:
    response = requests.get(web.url + path, timeout=5)
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert "X-Powered-By" not in response.headers


def test_admin_pages_are_not_kept(admin: Browser) -> None:
    assert admin.response.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in admin.response.headers


def test_health(web: WebContainer) -> None:
    assert requests.get(f"{web.url}/healthz", timeout=5).json() == {"status": "ok"}
    web.execute("php", "/usr/local/bin/healthcheck.php")
    ready = requests.get(f"{web.url}/readyz", timeout=5)
    assert ready.status_code == 200
    assert set(ready.json()["checks"].values()) == {"ok"}


def test_readiness_names_what_is_missing(fleet: Fleet) -> None:
    settings = {"SHOP_ROLE": "admin", "SHOP_API_URL": fleet.stand_in.url, "SHOP_ADMIN_API_URL": "http://127.0.0.1:9"}
    web = fleet.another(settings)
    try:
        web.wait()
        ready = requests.get(f"{web.url}/readyz", timeout=5)
        assert ready.status_code == 503
        assert ready.json()["checks"]["api"] == "ok"
        assert ready.json()["checks"]["admin_api"] != "ok"
        assert requests.get(f"{web.url}/healthz", timeout=5).status_code == 200
    finally:
        web.remove()


def test_metrics(web: WebContainer) -> None:
    text = requests.get(f"{web.url}/metrics", timeout=5).text
    assert re.search(r"^apache_accesses_total \d+$", text, re.MULTILINE)
    assert re.search(r'^apache_workers\{state="busy"\} \d+$', text, re.MULTILINE)
    assert re.search(r'^apache_workers\{state="idle"\} \d+$', text, re.MULTILINE)
    assert requests.get(f"{web.url}/server-status", timeout=5).status_code == 404


def test_request_id_goes_through(fleet: Fleet, stand_in: StandInApi) -> None:
    url = fleet.shop_before_stand_in.url
    response = requests.get(url, headers={"X-Request-ID": "abc-123"}, timeout=5)
    assert response.headers["X-Request-ID"] == "abc-123"
    made_up = requests.get(url, headers={"X-Request-ID": 'bad" id'}, timeout=5).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", made_up)
    assert [headers["X-Request-ID"] for _, _, headers in stand_in.requests] == ["abc-123", made_up]
    logged = {line["request_id"] for line in fleet.shop_before_stand_in.log_lines() if line["logger"] == "access"}
    assert {"abc-123", made_up} <= logged


def test_log_is_json_whatever_is_asked_for(fleet: Fleet, stand_in: StandInApi) -> None:
    web = fleet.shop_before_stand_in
    stand_in.answer = Answer(500, {})
    for path in ('/a"b\\c', "/%22%5c", "/%0a", "/ü", "/?q=%22", "/%zz"):
        requests.get(web.url + path, headers={"User-Agent": '"\\', "X-Forwarded-For": '"x, 10.0.0.9'}, timeout=5)
    lines = web.log_lines()
    assert any(line.get("client") == "10.0.0.9" for line in lines)


def test_every_worker_is_there_before_the_first_burst(fleet: Fleet) -> None:
    web = fleet.another({"SHOP_ROLE": "shop", "SHOP_API_URL": fleet.stand_in.url})
    try:
        web.wait()
        # The parent, and as many as the configuration allows.
        wait_until(lambda: docker("top", web.name).count("apache2 ") == 33, 10, "32 workers are there")
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
