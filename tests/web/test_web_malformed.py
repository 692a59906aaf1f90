"""10,000 malformed forms to each page that writes: no fault, nothing written, nothing reflected as HTML."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest
from malformed_forms import MARK, Maker, Malformer
from shop_stack import AS_HAPROXY
from web_stack import Browser, Fleet, parse, rows

FORMS = 10_000
THREADS = 4
EVERY = 100
# A machine under load may be told that the API does not answer; an input at fault is told so each time.
TRIES = 5


def state(fleet: Fleet) -> str:
    """Return what may not change."""
    return fleet.stack.sql("CHECKSUM TABLE shop.items, shop.changes, shop.catalogue_version")


def send_all(fleet: Fleet, maker: Maker, number: int, forms: int) -> list[str]:
    """Send a share of the forms over a session and a connection of its own; return what was wrong with the answers."""
    browser = Browser(fleet.admin.url)
    browser.log_in()
    malformer = Malformer(number, browser.values("/admin/logout")["csrf"])
    cookie = "; ".join(f"{name}={value}" for name, value in browser.session.cookies.items())
    connection = http.client.HTTPConnection("127.0.0.1", fleet.admin.port, timeout=30)
    wrong = []
    for count in range(forms):
        request = maker(malformer)
        headers = {**AS_HAPROXY, "Content-Type": request.content_type, "Cookie": cookie}
        headers["X-Forwarded-For"] = f"10.{number}.{count // 250}.{count % 250}"
        for _ in range(TRIES):
            connection.request("POST", request.path, request.body, headers)
            response = connection.getresponse()
            body = response.read().decode()
            if response.status != HTTPStatus.SERVICE_UNAVAILABLE:
                break
        if response.status >= 500 or "<x-mark" in body:
            wrong.append(f"{response.status} {request}")
        if response.status < 300 and count % EVERY == 0:
            parse(body)
    browser.get("/admin/?q=knife")
    if not rows(browser.page) or MARK in browser.response.text:
        wrong.append("the session or its page was damaged")
    return wrong


def check(fleet: Fleet, maker: Maker, forms: int = FORMS) -> None:
    before = state(fleet)
    with ThreadPoolExecutor(THREADS) as pool:
        shares = [pool.submit(send_all, fleet, maker, number, forms // THREADS) for number in range(THREADS)]
        wrong = [fault for share in shares for fault in share.result()]
    assert wrong[:5] == []
    assert state(fleet) == before


def test_malformed_items_to_add(fleet: Fleet) -> None:
    check(fleet, Malformer.saving)


def test_malformed_edits(admin: Browser, fleet: Fleet, name: str) -> None:
    admin.get("/admin/")
    admin.save(name=name, quantity="7", price="2.99")
    check(fleet, lambda malformer: malformer.editing(name))


@pytest.mark.parametrize("maker", [Malformer.deleting, Malformer.undoing, Malformer.uploading])
def test_malformed_deletions_undos_and_files(fleet: Fleet, maker: Maker) -> None:
    check(fleet, maker)


def test_malformed_applications_of_a_plan(admin: Browser, fleet: Fleet, name: str) -> None:
    admin.get("/admin/import")
    admin.upload(f"name,quantity,price\n{name},3,2.99\n".encode())
    plan = int(admin.response.url.split("id=")[1])
    check(fleet, lambda malformer: malformer.applying(plan))


def test_malformed_logins(fleet: Fleet) -> None:
    check(fleet, Malformer.logging_in, forms=1000)
