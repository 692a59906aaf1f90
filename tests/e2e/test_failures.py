"""What customers see when a part is taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import requests
from lab import Lab

Wait = Callable[[Callable[[], bool], float], None]
Without = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def without(lab: Lab, eventually: Wait) -> Without:
    @contextmanager
    def taken_away(container: str, verb: str = "stop") -> Iterator[None]:
        lab.docker(container, verb)
        try:
            yield
        finally:
            lab.docker(container, "start")
            eventually(lambda: not lab.unhealthy(), 60)

    return taken_away


def test_no_page_fails_when_a_web_server_is_killed(lab: Lab, without: Without) -> None:
    statuses = []
    with requests.Session() as session:
        session.get(lab.url, timeout=10)
        with without("web-2", "kill"):
            statuses = [session.get(lab.url, timeout=10).status_code for _ in range(150)]
    assert set(statuses) == {200}


def test_pages_are_right_without_the_cache(lab: Lab, without: Without) -> None:
    with requests.Session() as session, without("redis"):
        pages = [
            session.get(lab.url, params={"q": "a", "page": str(number % 3 + 1)}, timeout=10) for number in range(20)
        ]
    assert {page.status_code for page in pages} == {200}
    assert all('<table id="items"' in page.text for page in pages)


def test_what_is_cached_is_served_without_the_database(lab: Lab, without: Without) -> None:
    before = requests.get(lab.url, timeout=10)
    assert before.status_code == 200
    with without("mysql"):
        pages = [requests.get(lab.url, timeout=10) for _ in range(9)]
        unseen = requests.get(lab.url, params={"q": "never asked before"}, timeout=10)
    assert {page.status_code for page in pages} == {200}
    assert all('<table id="items"' in page.text for page in pages)
    assert unseen.status_code == 503
