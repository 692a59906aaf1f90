"""What only the whole shop shows: each answer says what it is, and what was done can be followed through every log."""

import json
import re
import secrets
import subprocess
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from full_stack import FullStack
from shop_stack import wait_until
from web_stack import Browser

LOGGED = ("haproxy", "web-1", "web-2", "web-3", "admin", "api", "admin-api")


@pytest.fixture
def admin(stack: FullStack) -> Browser:
    """Logged in."""
    browser = Browser(stack.url)
    browser.log_in()
    return browser


def logs(stack: FullStack) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of each container's log, which must be JSON."""
    written = {
        name: subprocess.run(
            ["docker", "logs", stack.container(name)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        ).stdout
        for name in LOGGED
    }
    return {name: [json.loads(line) for line in text.splitlines() if line[:1] == "{"] for name, text in written.items()}


def logged(stack: FullStack, key: str, text: str) -> set[tuple[str, object, object]]:
    """Return the container, method and status of each line of a request that has a text under a key."""
    return {
        (container, line.get("method"), line.get("status"))
        for container, lines in logs(stack).items()
        for line in lines
        if text in str(line.get(key)) and "status" in line
    }


def test_what_an_admin_did_can_be_followed_through_every_log(stack: FullStack, admin: Browser) -> None:
    admin.get("/admin/")
    admin.save(name=f"Thing {secrets.token_hex(6)}", quantity="3", price="2.99")
    (sent,) = admin.response.history
    reference = sent.headers["X-Request-ID"]
    outside = {("haproxy", "POST", 303), ("admin", "POST", 303)}
    inside = {("haproxy", "PUT", 201), ("admin-api", "PUT", 201)}
    wait_until(lambda: logged(stack, "request_id", reference) == outside | inside, "a line in each log on the way")
    lines = [line for found in logs(stack).values() for line in found if line.get("request_id") == reference]
    assert ("item added", "admin") in {(line.get("message"), line.get("user")) for line in lines}
    assert all(re.fullmatch("[0-9a-f.:]+", line["client"]) for line in lines if "client" in line)


def test_each_line_of_each_log_says_when_in_a_time_that_all_share(stack: FullStack, admin: Browser) -> None:
    admin.get("/admin/")
    requests.get(stack.url, params={"q": secrets.token_hex(4)}, timeout=10)
    for container, lines in logs(stack).items():
        assert lines, container
        times = [datetime.fromisoformat(line["time"]) for line in lines]
        assert {time.utcoffset() for time in times} == {timedelta(0)}, container


def test_a_refusal_is_recorded_with_who_asked_for_what(stack: FullStack) -> None:
    word = secrets.token_hex(6)
    path = f"/items/{word}"
    requests.get(f"http://{stack.address('haproxy')}:5002{path}", timeout=10)
    requests.get(f"http://{stack.address('admin-api')}:8080{path}", timeout=10)
    requests.put(f"{stack.url}/{word}", timeout=10)
    refused = {("haproxy", "GET", 401), ("admin-api", "GET", 401), ("haproxy", "PUT", 405)}
    wait_until(lambda: logged(stack, "path", word) == refused, "a line for each refusal")
    lines = [line for line in logs(stack)["haproxy"] if word in line["path"]]
    assert all(re.fullmatch("[0-9a-f.:]+", line["client"]) for line in lines)


PAGES = {
    "/": (200, "text/html; charset=utf-8"),
    "/?page=2": (200, "text/html; charset=utf-8"),
    "/error.css": (200, "text/css; charset=utf-8"),
    "/nothing": (404, "text/html; charset=utf-8"),
    "/metrics": (404, "text/html; charset=utf-8"),
    "/admin/": (200, "text/html; charset=utf-8"),
    "/admin/nothing": (404, "text/html; charset=utf-8"),
    "/admin/changes": (200, "text/html; charset=utf-8"),
    "/admin/export": (200, "text/csv; charset=utf-8"),
    "/admin/import?id=9": (404, "text/html; charset=utf-8"),
}


@pytest.mark.parametrize("path", PAGES)
def test_each_answer_says_of_what_kind_it_is(stack: FullStack, admin: Browser, path: str) -> None:
    response = admin.session.get(stack.url + path, timeout=10)
    assert (response.status_code, response.headers["Content-Type"].lower()) == PAGES[path]
    response.content.decode("utf-8")
    starts = {"text/html": b"<!doctype html>", "text/csv": b"name,quantity,price"}
    kind = response.headers["Content-Type"].partition(";")[0]
    assert response.content.lower().startswith(starts.get(kind, b""))


def test_no_page_runs_a_script_or_keeps_anything_in_the_browser(stack: FullStack, admin: Browser) -> None:
    for path in (path for path, (status, kind) in PAGES.items() if kind.startswith("text/html")):
        response = admin.session.get(stack.url + path, timeout=10)
        assert not re.search(r"<script|javascript:|\son[a-z]+=", response.text, re.IGNORECASE)
        assert "script-src" not in response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert {cookie.name for cookie in admin.session.cookies} == {
        "shopfleet_admin",
        "shopfleet_login",
        "shopfleet_known",
    }
