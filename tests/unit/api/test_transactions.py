"""What is tried again, what is given up, and what each error means; on SQLite, with MySQL's error numbers."""

from collections.abc import Callable

import pytest
from shop_api.db import ATTEMPTS, CHECK_VIOLATED, CommitUnknownError, Database, DatabaseUnavailableError
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import StaticPool

DEADLOCK, LOCK_WAIT, GONE = 1213, 1205, 2006


def mysql_error(code: int) -> OperationalError:
    return OperationalError("statement", {}, Exception(code, "message"))


@pytest.fixture
def database() -> Database:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE written (attempt INTEGER)"))
    return Database(engine)


def written(database: Database) -> list[int]:
    with database.snapshot() as connection:
        return list(connection.execute(text("SELECT attempt FROM written")).scalars())


def failing(code: int, times: int, attempts: list[int]) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        attempts.append(len(attempts) + 1)
        connection.execute(text("INSERT INTO written VALUES (:attempt)"), {"attempt": attempts[-1]})
        if len(attempts) <= times:
            raise mysql_error(code)
        return "done"

    return work


@pytest.mark.parametrize("code", [DEADLOCK, LOCK_WAIT])
def test_a_lost_lock_is_tried_again(database: Database, code: int) -> None:
    attempts: list[int] = []
    assert database.transact(failing(code, ATTEMPTS - 1, attempts)) == "done"
    assert written(database) == [ATTEMPTS]


def test_but_not_for_ever(database: Database) -> None:
    attempts: list[int] = []
    with pytest.raises(DatabaseUnavailableError):
        database.transact(failing(DEADLOCK, 100, attempts))
    assert len(attempts) == ATTEMPTS
    assert written(database) == []


@pytest.mark.parametrize(("code", "raised"), [(GONE, DatabaseUnavailableError), (CHECK_VIOLATED, OperationalError)])
def test_other_errors_are_not_tried_again(database: Database, code: int, raised: type[Exception]) -> None:
    attempts: list[int] = []
    with pytest.raises(raised):
        database.transact(failing(code, 1, attempts))
    assert (attempts, written(database)) == ([1], [])


def test_a_lost_answer_to_commit_is_told_apart(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(_: Connection) -> None:
        raise DBAPIError("COMMIT", {}, Exception(2013, "lost connection"))

    monkeypatch.setattr(Connection, "commit", commit)
    with pytest.raises(CommitUnknownError):
        database.transact(lambda _: None)
