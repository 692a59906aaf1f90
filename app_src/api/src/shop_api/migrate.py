"""The schema job: brings the schema up to date and loads the first catalogue, once."""

import logging.config
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.exc import DBAPIError

from shop_api import csv_file, import_store, plans, repository
from shop_api.cache import Cache, make_client
from shop_api.csv_file import CsvError, CsvFile
from shop_api.db import error_code, make_engine
from shop_api.observability import logging_config
from shop_api.settings import PREFIX, MysqlSettings, RedisSettings
from shop_api.tables import catalogue_version, items

SEED_ACTOR = "seed"
# A change of the schema may take much longer than a request may.
STATEMENT_SECONDS = 600
LOCK, LOCK_SECONDS = "shop-api migrate", 60

log = logging.getLogger(__name__)


class MigrationError(Exception):
    """The job cannot be done; the message says why, for people."""


class Outcome(TypedDict):
    """What the job did."""

    changed: bool
    schema: str
    seeded: int


def migrate(seed: Path | None) -> Outcome:
    """Bring the schema to its newest revision; load the CSV file if no catalogue was ever loaded.

    Args:
        seed: a file with the columns name, quantity and price.

    Raises:
        SettingsError: a setting is missing or wrong.
        MigrationError: MySQL cannot be reached or refuses, or the file is not valid.
    """
    logging.config.dictConfig(logging_config("stderr"))
    engine = make_engine(MysqlSettings.load(), pool_size=1, statement_seconds=STATEMENT_SECONDS)
    try:
        with engine.connect() as connection, _alone(connection):
            before, schema = _upgrade(connection)
            recounted = _recount(connection)
            seeded = _load(connection, seed) if seed else 0
            _forget_the_old(connection)
    except DBAPIError as error:
        raise MigrationError(f"MySQL cannot be used (error {error_code(error)}): {error.orig}") from error
    finally:
        engine.dispose()
    return {"changed": before != schema or recounted or seeded > 0, "schema": schema, "seeded": seeded}


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    if not connection.scalar(text("SELECT GET_LOCK(:name, :seconds)"), {"name": LOCK, "seconds": LOCK_SECONDS}):
        raise MigrationError("Another migration is still running.")
    try:
        yield
    finally:
        # Where the connection broke, MySQL has given the lock back already.
        if not connection.invalidated:
            connection.rollback()
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": LOCK})


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    config = Config()
    config.set_main_option("script_location", "shop_api:migrations")
    config.attributes["connection"] = connection
    newest = ScriptDirectory.from_config(config).get_current_head()
    before = MigrationContext.configure(connection).get_current_revision()
    connection.commit()
    command.upgrade(config, "head")
    return before, str(newest)


def _recount(connection: Connection) -> bool:
    """Put the number of items right; tell whether it was wrong."""
    repository.hold_version(connection)
    counted = connection.scalar(select(func.count()).select_from(items))
    wrong = connection.scalar(select(catalogue_version.c.item_count)) != counted
    if wrong:
        version = repository.next_version(connection)
        connection.execute(update(catalogue_version).values(item_count=counted))
    connection.commit()
    if wrong:
        _publish(version)
    return wrong


def _load(connection: Connection, seed: Path) -> int:
    never_loaded = connection.scalar(select(catalogue_version.c.seeded_at)) is None
    connection.commit()
    if not never_loaded:
        return 0
    file = _read(seed)
    version = repository.next_version(connection)
    changes, _, faults = plans.draft(connection, file)
    if faults:
        connection.rollback()
        sentences = [f"line {fault.line}: {fault.message}" for fault in faults]
        raise MigrationError("\n".join([f"{seed}: nothing was loaded.", *sentences]))
    # What a user has entered already is newer than the file.
    created = [change for change in changes if change.action == "created"]
    import_store.write_all(connection, SEED_ACTOR, created)
    connection.execute(update(catalogue_version).values(seeded_at=func.now(6)))
    connection.commit()
    _publish(version)
    return len(created)


def _read(path: Path) -> CsvFile:
    try:
        return csv_file.parse(path.read_bytes())
    except OSError as error:
        raise MigrationError(f"{path} cannot be read: {error}") from error
    except CsvError as error:
        raise MigrationError(f"{path}: nothing was loaded.\n{error}") from error


def _publish(version: int) -> None:
    if f"{PREFIX}REDIS_HOST" in os.environ and not Cache(make_client(RedisSettings.load())).publish(version, []):
        log.warning("Redis cannot be reached: what it holds may be older than the catalogue")


def _forget_the_old(connection: Connection) -> None:
    connection.execute(text("DELETE FROM idempotency_keys WHERE created_at < NOW(6) - INTERVAL 7 DAY"))
    connection.execute(text("DELETE FROM imports WHERE applied_at IS NULL AND at < NOW(6) - INTERVAL 7 DAY"))
    connection.commit()
