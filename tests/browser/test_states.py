"""Every page in every state: valid, accessible, on any screen, and with nothing from elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import requests
from full_stack import WEB_SERVERS, FullStack
from inspection import Inspector, Validator
from playwright.sync_api import expect
from shop_stack import wait_until
from states import STATES, State
from web_stack import SEED, WebContainer
from window import OpenWindow, Window

SETTLED = 60
RESTARTED = 180


def says(stack: FullStack, text: str) -> bool:
    """Whether every web server says something on the shop's first page."""
    pages = [requests.get(stack.url, timeout=10) for _ in range(WEB_SERVERS)]
    return all(text in page.text for page in pages)


def forget(stack: FullStack) -> None:
    """Empty the APIs' cache: what it holds stays right, and in use, while MySQL is down."""
    with stack.redis() as client:
        client.flushall()


@contextmanager
def all_well(_: FullStack) -> Iterator[None]:
    """Leave everything as it is."""
    yield


def down(*names: str) -> Callable[[FullStack], AbstractContextManager[None]]:
    """Return what stops containers, after the shop's first page has been seen by every web server."""

    @contextmanager
    def outage(stack: FullStack) -> Iterator[None]:
        wait_until(lambda: says(stack, 'id="items"'), "the shop shows its items", SETTLED)
        for name in names:
            stack.halt(name)
        forget(stack)
        try:
            wait_until(lambda: says(stack, "out of date"), "the shop says that it is behind", SETTLED)
            yield
        finally:
            for name in names:
                stack.resume(name)
            wait_until(lambda: _serves(stack), "the shop serves again", RESTARTED)

    return outage


def _serves(stack: FullStack) -> bool:
    try:
        is_ready = all(api.get("/readyz").status == 200 for api in (stack.read, stack.admin))
        return is_ready and not says(stack, "out of date") and requests.get(f"{stack.url}/admin/login", timeout=10).ok
    except (OSError, AssertionError):
        return False


@contextmanager
def empty(stack: FullStack) -> Iterator[None]:
    """Take all items away, and bring the seed's back."""
    stack.sql(
        "DELETE FROM shop.items; UPDATE shop.catalogue_version SET version = version + 1, items = 0, seeded_at = NULL"
    )
    forget(stack)
    wait_until(lambda: says(stack, "Nothing for sale"), "the shop is empty", SETTLED)
    yield
    stack.migrate("--seed", "/seed/items.csv", mounts={SEED.parent: "/seed"})
    wait_until(lambda: says(stack, 'id="items"'), "the shop shows its items", SETTLED)


OUTAGES = {"": all_well, "mysql": down("mysql"), "apis": down("api", "admin-api"), "empty": empty}


@pytest.fixture(scope="module")
def outage(request: pytest.FixtureRequest, stack: FullStack) -> Iterator[None]:
    with OUTAGES[request.param](stack):
        yield


@pytest.mark.parametrize(
    ("outage", "state"),
    [pytest.param(state.outage, state, id=state.name) for state in sorted(STATES, key=lambda state: state.outage)],
    indirect=["outage"],
)
@pytest.mark.usefixtures("outage")
def test_page_is_fit_for_everybody(
    state: State, stack: FullStack, lost: WebContainer, open_window: OpenWindow, inspector: Inspector
) -> None:
    window = open_window(url=lost.url if state.lost else stack.url, javascript=True)
    state.reach(window, stack)
    expect(window.page.locator("main")).to_contain_text(state.says)
    assert window.document.status == state.status
    assert inspector.faults(window, state.name) == []


def test_stylesheet_is_valid(stack: FullStack, shop: Window, validator: Validator) -> None:
    shop.open("/")
    stylesheet = shop.page.locator("link[rel=stylesheet]").get_attribute("href")
    source = requests.get(f"{stack.url}{stylesheet}", timeout=5).text
    assert validator.faults(source, "text/css") == []
