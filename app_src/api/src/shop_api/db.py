"""The connection pool, transactions, and what MySQL's errors mean."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shop_api.observability import DATABASE_ERRORS
from shop_api.settings import MysqlSettings

log = logging.getLogger(__name__)

ATTEMPTS = 5
CHECK_VIOLATED = 3819
DUPLICATE = 1062
_NO_SUCH_TABLE = 1146
_LOCK_CONFLICTS = frozenset({1205, 1213})
_TLS_BROKEN = 2026

T = TypeVar("T")


class DatabaseUnavailableError(Exception):
    """MySQL cannot be asked now."""


class CommitUnknownError(DatabaseUnavailableError):
    """The connection broke during COMMIT: nobody knows whether it took effect."""


def error_code(error: DBAPIError) -> int:
    """Return MySQL's number for an error, 0 when it has none."""
    args = getattr(error.orig, "args", ())
    return args[0] if args and isinstance(args[0], int) else 0


def make_engine(settings: MysqlSettings, pool_size: int, statement_seconds: int | None = None) -> Engine:
    """Make the engine; it connects at first use, so it may be made before a fork.

    Args:
        settings: where MySQL is.
        pool_size: how many connections at most.
        statement_seconds: how long a statement may take, when not as long as connecting.
    """
    timeout = settings.mysql_timeout
    statement_timeout = statement_seconds or timeout
    engine = create_engine(
        URL.create(
            "mysql+mysqldb",
            username=settings.mysql_user,
            password=settings.mysql_password.get_secret_value(),
            host=settings.mysql_host,
            port=settings.mysql_port,
            database=settings.mysql_database,
            query={"charset": "utf8mb4"},
        ),
        isolation_level="REPEATABLE READ",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeout,
        pool_pre_ping=True,
        pool_recycle=600,
        connect_args={
            "connect_timeout": timeout,
            "read_timeout": statement_timeout,
            "write_timeout": statement_timeout,
            # A CA alone is not compared with anything, and a server without TLS would be told the password.
            "ssl_mode": "VERIFY_IDENTITY",
            "ssl": {"ca": str(settings.mysql_ca)},
            # Strict mode whatever the server's default is; a lock is not waited for longer than the client waits.
            "init_command": (
                "SET SESSION sql_mode = 'TRADITIONAL,ONLY_FULL_GROUP_BY', time_zone = '+00:00',"
                f" innodb_lock_wait_timeout = {statement_timeout}"
            ),
        },
    )
    event.listen(engine, "handle_error", _notice_broken_tls)
    return engine


def _notice_broken_tls(context: ExceptionContext) -> None:
    # SQLAlchemy knows only what MySQL says of a lost connection that was not encrypted, and would hand out the others
    # that a restart of MySQL broke, one failed request for each.
    if isinstance(context.sqlalchemy_exception, DBAPIError) and error_code(context.sqlalchemy_exception) == _TLS_BROKEN:
        context.is_disconnect = True


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError, ProgrammingError) as error:
        code = error_code(error) if isinstance(error, DBAPIError) else 0
        DATABASE_ERRORS.labels(code=str(code)).inc()
        # A table that is not there yet means that the migration has still to run: a reason to try again later.
        if code == CHECK_VIOLATED or (isinstance(error, ProgrammingError) and code != _NO_SUCH_TABLE):
            raise
        log.warning("database unavailable", extra={"reason": f"{type(error).__name__} {code}"})
        raise DatabaseUnavailableError from error


class Database:
    """Transactions on one engine."""

    def __init__(self, engine: Engine) -> None:
        """Take the engine; it is not used yet.

        Args:
            engine: made by `make_engine`.
        """
        self.engine = engine

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Yield a connection whose reads all see the same state of the database.

        Raises:
            DatabaseUnavailableError: MySQL cannot be asked now.
        """
        with _translated(), self.engine.connect() as connection:
            # The first read of a REPEATABLE READ transaction fixes what all its reads see.
            yield connection

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction and commit it; run it again when it lost against another one.

        Args:
            work: called with the connection, perhaps more than once.

        Raises:
            DatabaseUnavailableError: MySQL cannot be asked now; nothing was written.
            CommitUnknownError: the answer to COMMIT got lost.
        """
        for attempt in range(1, ATTEMPTS + 1):
            with _translated(), self.engine.connect() as connection:
                try:
                    result = work(connection)
                except OperationalError as error:
                    connection.rollback()
                    if error_code(error) not in _LOCK_CONFLICTS or attempt == ATTEMPTS:
                        raise
                    DATABASE_ERRORS.labels(code=str(error_code(error))).inc()
                    time.sleep(0.01 * attempt)
                    continue
                try:
                    connection.commit()
                except DBAPIError as error:
                    raise CommitUnknownError from error
                return result
        raise AssertionError("unreachable")

    def ping(self) -> bool:
        """Tell whether MySQL answers."""
        try:
            with self.snapshot() as connection:
                connection.execute(text("SELECT version FROM catalogue_version"))
        except DatabaseUnavailableError:
            return False
        return True
