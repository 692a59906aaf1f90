"""Fixtures of the browser tests: the whole shop behind HAProxy, and windows of a real browser before it."""

import re
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Error as PlaywrightError

sys.path.insert(0, str(Path(__file__).parents[1] / "stack"))
sys.path.insert(0, str(Path(__file__).parent))

from full_stack import FullStack, running
from inspection import CHROMIUM, FLAGS, Inspector, Validator
from shop_stack import HAPROXY_KEYS, KEY_HEADER
from web_stack import WebContainer
from window import PATIENCE_MS, OpenWindow, Window

NOWHERE = "http://127.0.0.1:9"

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    return {"executable_path": CHROMIUM, "args": FLAGS}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullStack]:
    """The shop, with the seed's items."""
    with running(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="session")
def lost(stack: FullStack) -> Iterator[WebContainer]:
    """A web server that has never reached an API."""
    settings = {"SHOP_ROLE": "shop", "SHOP_API_URL": NOWHERE}
    web = WebContainer(stack.images["web"], stack.prefix, stack.directory / "web", settings, "lost")
    try:
        web.wait()
        yield web
    finally:
        web.remove()


@pytest.fixture(scope="session")
def validator() -> Iterator[Validator]:
    validator = Validator()
    try:
        validator.wait()
        yield validator
    finally:
        validator.stop()


@pytest.fixture(scope="session")
def artefacts(pytestconfig: pytest.Config) -> Path:
    """Where screenshots and reports are kept for people to look at."""
    return pytestconfig.rootpath / ".fleet" / "test-logs"


@pytest.fixture(scope="session")
def inspector(validator: Validator, artefacts: Path) -> Inspector:
    return Inspector(validator, artefacts / "screenshots")


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture
def open_window(
    browser: Browser, stack: FullStack, artefacts: Path, request: pytest.FixtureRequest
) -> Iterator[OpenWindow]:
    opened: list[Window] = []
    with ExitStack() as windows:

        def open_one(*, url: str = stack.url, javascript: bool = False, width: int = 1280) -> Window:
            viewport = {"width": width, "height": 900}
            # Past the load balancer one has to pass for it.
            headers = {} if url == stack.url else {KEY_HEADER: HAPROXY_KEYS["web"]}
            context = browser.new_context(viewport=viewport, java_script_enabled=javascript, extra_http_headers=headers)
            windows.callback(context.close)
            opened.append(Window(context, url))
            return opened[-1]

        yield open_one
        if request.node.stash.get(_FAILED, False):
            for number, window in enumerate(opened):
                name = re.sub(r"[^\w.-]+", "-", f"{request.node.name}-{number}")
                # A window that is gone already shows nothing.
                with suppress(PlaywrightError):
                    window.page.screenshot(path=artefacts / "failures" / f"{name}.png", full_page=True)


@pytest.fixture
def shop(open_window: OpenWindow) -> Window:
    """A window for the shop, without JavaScript."""
    return open_window()


@pytest.fixture
def admin(open_window: OpenWindow) -> Window:
    """A window on the admin page, logged in, without JavaScript."""
    window = open_window()
    window.log_in()
    return window
