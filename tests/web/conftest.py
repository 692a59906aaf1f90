"""Fixtures of the web tests: the real image before the real API, and before a stand-in."""

import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "api"))
sys.path.insert(0, str(Path(__file__).parent))

from shop_stack import Stack, docker
from web_stack import SEED, Browser, Fleet, StandInApi, WebContainer, web_secrets

IMAGES = {
    "web": "SHOP_TEST_WEB_IMAGE",
    "api": "SHOP_TEST_API_IMAGE",
    "mysql": "SHOP_TEST_MYSQL_BASE_IMAGE",
    "redis": "SHOP_TEST_REDIS_BASE_IMAGE",
}


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    missing = [variable for variable in IMAGES.values() if not os.environ.get(variable)]
    if missing:
        pytest.fail(f"set {', '.join(missing)} to the images to test with", pytrace=False)
    images = {name: os.environ[variable] for name, variable in IMAGES.items()}
    stack = Stack(images, tmp_path_factory.mktemp("api-secrets"))
    webs: list[WebContainer] = []
    stand_in = None
    try:
        stack.start()
        stack.migrate("--seed", "/seed/items.csv", mounts={SEED.parent: "/seed"})
        stand_in = StandInApi(f"{stack.subnet}.1")
        secrets_dir = web_secrets(tmp_path_factory.mktemp("web-secrets"))
        read, write = (_address(stack, name) for name in ("api", "admin-api"))
        for role, api, admin_api in (
            ("shop", read, ""),
            ("admin", read, write),
            ("shop", stand_in.url, ""),
            ("admin", stand_in.url, stand_in.url),
        ):
            settings = {"SHOP_ROLE": role, "SHOP_API_URL": api, "SHOP_ADMIN_API_URL": admin_api}
            # What a page shows is tested apart from how old it may be.
            settings["SHOP_FRESHNESS_MS"] = "0"
            webs.append(WebContainer(images["web"], stack.prefix, secrets_dir, settings))
        for web in webs:
            web.wait()
        shop, admin, other_shop, other_admin = webs
        yield Fleet(shop, admin, other_shop, other_admin, stand_in, stack, read, secrets_dir)
    finally:
        for web in webs:
            web.remove()
        if stand_in:
            stand_in.stop()
        stack.stop()


def _address(stack: Stack, name: str) -> str:
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return f"http://{docker('inspect', '--format', template, stack.container(name))}:8080"


@pytest.fixture
def stand_in(fleet: Fleet) -> StandInApi:
    """The stand-in API, answering an empty list."""
    fleet.stand_in.lists()
    fleet.stand_in.requests.clear()
    fleet.stand_in.bodies.clear()
    return fleet.stand_in


@pytest.fixture
def shop(fleet: Fleet) -> Browser:
    return Browser(fleet.shop.url)


@pytest.fixture
def admin(fleet: Fleet) -> Browser:
    """Logged in, before the real API."""
    browser = Browser(fleet.admin.url)
    browser.log_in()
    return browser


@pytest.fixture
def other_shop(fleet: Fleet) -> Browser:
    """Before the stand-in API."""
    return Browser(fleet.shop_before_stand_in.url)


@pytest.fixture
def other_admin(fleet: Fleet) -> Browser:
    """Logged in, before the stand-in API."""
    browser = Browser(fleet.admin_before_stand_in.url)
    browser.log_in()
    return browser


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"Thing {secrets.token_hex(6)}"
