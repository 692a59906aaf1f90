"""The schema job: brings the schema up to date and loads the first catalogue, once."""

import csv
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
from pydantic import ValidationError
from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.exc import DBAPIError

from shop_api import repository
from shop_api.cache import Cache, make_client
from shop_api.db import error_code, make_engine
from shop_api.observability import logging_config
from shop_api.settings import PREFIX, MysqlSettings, RedisSettings
from shop_api.tables import catalogue_version, items
from shop_api.validation import CsvRow, field_errors

COLUMNS = ["name", "quantity", "price"]
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
            seeded = _load(connection, seed) if seed else 0
            _forget_old_keys(connection)
    except DBAPIError as error:
        raise MigrationError(f"MySQL cannot be used (error {error_code(error)}): {error.orig}") from error
    finally:
        engine.dispose()
    return {"changed": before != schema or seeded > 0, "schema": schema, "seeded": seeded}


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


def _load(connection: Connection, seed: Path) -> int:
    never_loaded = connection.scalar(select(catalogue_version.c.seeded_at)) is None
    connection.commit()
    if not never_loaded:
        return 0
    rows = read_csv(seed)
    version = repository.next_version(connection)
    before = connection.scalar(select(func.count()).select_from(items))
    if rows:
        statement = insert(items).values([{**row.model_dump(), "revision": 1} for row in rows])
        # What a user has entered already is newer than the file.
        connection.execute(statement.on_duplicate_key_update(name=items.c.name))
    after = connection.scalar(select(func.count()).select_from(items))
    connection.execute(update(catalogue_version).values(seeded_at=func.now(6)))
    connection.commit()
    if f"{PREFIX}REDIS_HOST" in os.environ and not Cache(make_client(RedisSettings.load())).publish(version, []):
        log.warning("Redis cannot be reached: what it holds may be older than the catalogue that was loaded")
    return (after or 0) - (before or 0)


def _forget_old_keys(connection: Connection) -> None:
    connection.execute(text("DELETE FROM idempotency_keys WHERE created_at < NOW(6) - INTERVAL 7 DAY"))
    connection.commit()


def read_csv(path: Path) -> list[CsvRow]:
    """Read a catalogue file.

    Raises:
        MigrationError: it cannot be read, or some row is not valid; names every such row.
    """
    rows: list[CsvRow] = []
    faults: list[str] = []
    lines: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            if next(reader, None) != COLUMNS:
                raise MigrationError(f"{path}: the first line must be {','.join(COLUMNS)}; nothing was loaded.")
            for values in reader:
                line = reader.line_num
                if len(values) != len(COLUMNS):
                    faults.append(f"line {line}: {len(COLUMNS)} columns are needed, {len(values)} found")
                    continue
                try:
                    row = CsvRow.model_validate(dict(zip(COLUMNS, values, strict=True)))
                except ValidationError as error:
                    faults += [f"line {line}: {fault['message']}" for fault in field_errors(error)]
                    continue
                first = lines.setdefault(row.name.casefold(), line)
                if first != line:
                    faults.append(f"line {line}: Name is the same as in line {first}.")
                rows.append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MigrationError(f"{path} cannot be read: {error}") from error
    if faults:
        raise MigrationError("\n".join([f"{path}: nothing was loaded.", *faults]))
    return rows
