"""Fixtures of the tests over HTTP: the real image with a real MySQL and a real Redis."""

import os
import secrets
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import redis
from shop_stack import Client, Stack

sys.path.insert(0, str(Path(__file__).parents[2] / "app_src/api/src"))

IMAGES = {"api": "SHOP_TEST_API_IMAGE", "mysql": "SHOP_TEST_MYSQL_BASE_IMAGE", "redis": "SHOP_TEST_REDIS_BASE_IMAGE"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show beside a failure what the APIs warned of meanwhile."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and call.when == "call" and stack:
        report.sections.append(("Warnings of the APIs", "\n".join(stack.warnings(call.start))))
    return report


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    missing = [variable for variable in IMAGES.values() if not os.environ.get(variable)]
    if missing:
        pytest.fail(f"set {', '.join(missing)} to the images to test with", pytrace=False)
    images = {name: os.environ[variable] for name, variable in IMAGES.items()}
    stack = Stack(images, tmp_path_factory.mktemp("secrets"))
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def read(stack: Stack) -> Client:
    return stack.read


@pytest.fixture
def admin(stack: Stack) -> Client:
    return stack.admin


@pytest.fixture(scope="session")
def second_admin(stack: Stack) -> Client:
    """Another admin API on the same MySQL and Redis."""
    return stack.api("second-admin", "admin")


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"Item {secrets.token_hex(6)}"


@pytest.fixture
def redis_client(stack: Stack) -> Iterator["redis.Redis"]:
    with stack.redis(socket_timeout=10) as client:
        yield client


@pytest.fixture
def empty(stack: Stack, redis_client: "redis.Redis") -> None:
    """An empty catalogue and an empty cache."""
    stack.sql("DELETE FROM shop.items; UPDATE shop.catalogue_version SET version = version + 1, items = 0")
    redis_client.flushall()
