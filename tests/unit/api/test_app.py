"""The application without any service: routing, problems, logs, and what it does when MySQL and Redis are missing."""

import json
import logging
import threading
import time
from typing import cast

import pytest
from flask.testing import FlaskClient
from keyed import KEY, SERVICE_KEY, keyed
from shop_api.app import create_app
from shop_api.cache import INTENT_MS, Cache, Entry, Lookup
from shop_api.catalogue import Answer, Catalogue, Publisher
from shop_api.db import CommitUnknownError, Database, DatabaseUnavailableError
from shop_api.observability import JsonFormatter
from shop_api.service_key import HEADER
from shop_api.settings import Mode


class _FakeCache:
    """Knows what it is told to, and writes down what it is asked."""

    def __init__(self) -> None:
        self.found = Lookup(reached=True, now_ms=1)
        self.calls: list[str] = []
        self.publishes = True

    def lookup(self, key: str, check: object) -> Lookup:  # noqa: ARG002
        self.calls.append(f"lookup {key.partition(':')[0]}")
        return self.found

    def release(self, key: str, lookup: Lookup) -> None:
        pass

    def announce(self) -> str:
        self.calls.append("announce")
        return "token"

    def publish(self, version: int, tokens: list[str]) -> bool:
        self.calls.append(f"publish {version} {tokens}")
        return self.publishes

    def withdraw(self, token: str) -> None:
        self.calls.append(f"withdraw {token}")


class _BrokenDatabase:
    """Cannot be asked; may be told to break in another way."""

    def __init__(self) -> None:
        self.error: Exception = DatabaseUnavailableError()

    def snapshot(self) -> object:
        raise self.error

    def transact(self, work: object) -> object:  # noqa: ARG002
        raise self.error

    def ping(self) -> bool:
        return False


@pytest.fixture
def cache() -> _FakeCache:
    return _FakeCache()


@pytest.fixture
def database() -> _BrokenDatabase:
    return _BrokenDatabase()


@pytest.fixture
def catalogue(cache: _FakeCache, database: _BrokenDatabase) -> Catalogue:
    return Catalogue(cast(Database, database), cast(Cache, cache))


@pytest.fixture
def client(catalogue: Catalogue) -> FlaskClient:
    return keyed(create_app(Mode.ADMIN, catalogue, SERVICE_KEY))


def test_a_hit_is_answered_as_it_was_stored(client: FlaskClient, cache: _FakeCache) -> None:
    cache.found = Lookup(True, True, Entry(1, 1, 200, b'{"any": "bytes"}'), 5000)
    reply = client.get("/items/x")
    assert (reply.status_code, reply.data, reply.headers["X-Cache"]) == (200, b'{"any": "bytes"}', "hit")
    assert reply.mimetype == "application/json"
    assert "Age" not in reply.headers


def test_the_last_known_answer_serves_when_mysql_is_down(client: FlaskClient, cache: _FakeCache) -> None:
    cache.found = Lookup(True, False, Entry(1, 1, 404, b"{}"), 5999)
    reply = client.get("/items")
    assert (reply.status_code, reply.headers["X-Cache"], reply.headers["Age"]) == (404, "stale", "5")
    assert reply.mimetype == "application/problem+json"


def test_nothing_known_and_mysql_down(client: FlaskClient) -> None:
    reply = client.get("/items/a//b")
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    assert reply.mimetype == "application/problem+json"
    assert reply.get_json()["instance"] == "/items/a//b"


def test_an_unknown_error_tells_nothing_inside(client: FlaskClient, database: _BrokenDatabase) -> None:
    database.error = RuntimeError("secret inner detail")
    reply = client.get("/items")
    assert (reply.status_code, reply.mimetype) == (500, "application/problem+json")
    assert b"secret" not in reply.data


def test_a_failed_write_takes_its_intent_back(client: FlaskClient, cache: _FakeCache) -> None:
    assert client.put("/items/x", json={"quantity": 1}).status_code == 503
    assert cache.calls == ["announce", "withdraw token"]


def test_a_write_that_may_have_happened_leaves_its_intent(
    client: FlaskClient, cache: _FakeCache, database: _BrokenDatabase
) -> None:
    database.error = CommitUnknownError()
    assert client.put("/items/x", json={"quantity": 1}).status_code == 503
    assert cache.calls == ["announce"]


def test_a_write_is_published_before_it_returns(
    catalogue: Catalogue, cache: _FakeCache, database: _BrokenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "transact", lambda _: (7, "done"))
    assert catalogue.write(lambda _: "") == "done"
    assert cache.calls == ["announce", "publish 7 ['token']"]


def test_an_unpublished_write_outlasts_any_deadline_that_it_was_given_before_its_commit(
    catalogue: Catalogue, cache: _FakeCache, database: _BrokenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "transact", lambda _: (7, time.monotonic()))
    cache.publishes = False
    committed = catalogue.write(lambda _: 0.0)
    assert time.monotonic() - committed >= INTENT_MS / 1000


def test_a_write_whose_publication_failed_returns_when_a_later_try_gets_through(
    catalogue: Catalogue, cache: _FakeCache, database: _BrokenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def wait(version: int, seconds: float) -> None:
        waited.append(seconds)
        # The publisher's own thread, which is not there before a fork.
        threading.Thread(target=catalogue.publisher.run, daemon=True).start()
        Publisher.wait(catalogue.publisher, version, 60)

    monkeypatch.setattr(database, "transact", lambda _: (7, "done"))
    monkeypatch.setattr(catalogue.publisher, "wait", wait)
    monkeypatch.setattr(cache, "publish", lambda *_: bool(waited))
    assert catalogue.write(lambda _: "") == "done"
    assert waited == [INTENT_MS / 1000]


def test_reads_do_not_announce(catalogue: Catalogue, cache: _FakeCache) -> None:
    with pytest.raises(DatabaseUnavailableError):
        catalogue.read("list:1", lambda _: Answer(200, b""), lambda _: True)
    assert cache.calls == ["lookup list"]


def test_only_the_admin_api_writes(catalogue: Catalogue) -> None:
    client = keyed(create_app(Mode.READ, catalogue, SERVICE_KEY))
    reply = client.put("/items/x", json={"quantity": 1})
    assert (reply.status_code, reply.mimetype) == (405, "application/problem+json")
    assert "GET" in reply.headers["Allow"]


@pytest.mark.parametrize("given", [None, "", KEY[:-1], KEY + "x", KEY.upper(), "\xfc" * len(KEY)])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/items"),
        ("GET", "/items/x"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/nothing"),
        ("GET", "//healthz"),
        ("GET", "/healthz/"),
        ("OPTIONS", "/items"),
        ("PUT", "/items/x"),
    ],
)
def test_without_the_key_nothing_is_answered(
    client: FlaskClient, cache: _FakeCache, method: str, path: str, given: str | None
) -> None:
    client.environ_base.pop("HTTP_X_SERVICE_KEY")
    cache.found = Lookup(True, True, Entry(1, 1, 200, b'{"any": "bytes"}'), 5000)
    reply = client.open(path, method=method, headers={} if given is None else {HEADER: given})
    assert (reply.status_code, reply.mimetype) == (401, "application/problem+json")
    assert reply.get_json()["status"] == 401
    assert HEADER in reply.get_json()["detail"]
    assert reply.headers["WWW-Authenticate"]
    assert KEY not in reply.get_data(as_text=True)
    assert cache.calls == []


def test_a_probe_needs_no_key(client: FlaskClient) -> None:
    client.environ_base.pop("HTTP_X_SERVICE_KEY")
    reply = client.get("/healthz")
    assert (reply.status_code, reply.get_json()) == (200, {"status": "alive"})


def test_readiness_names_each_dependency(
    client: FlaskClient, cache: _FakeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "ping", lambda: True, raising=False)
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert reply.get_json()["dependencies"] == {"mysql": "unavailable", "redis": "ok"}


def test_log_lines_are_json_whatever_is_in_them() -> None:
    record = logging.makeLogRecord({"msg": 'a "b"\n\ud800', "levelname": "INFO", "path": "/x\ny"})
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["path"] == "/x\ny"
