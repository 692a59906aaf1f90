"""What the accounts may do in MySQL: what `database_accounts` says, and of all else nothing, tried one by one."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from shop_stack import ACCOUNTS, Stack, docker

# What one sees who is refused: access denied, a privilege that is missing, that a connection of others is not there.
DENIED = re.compile(r"denied|you need|unknown thread id", re.IGNORECASE)
NEIGHBOUR = "neighbour"
ACCOUNT_NAMES = [account["name"] for account in ACCOUNTS]

# What changes a table or says more about it than it holds.
OF_A_TABLE = """
ALTER TABLE {table} ADD COLUMN planted INT
ALTER TABLE {table} DROP COLUMN {column}
ALTER TABLE {table} ENGINE = MEMORY
DROP TABLE {table}
TRUNCATE TABLE {table}
RENAME TABLE {table} TO {database}.planted
CREATE INDEX planted ON {table} ({column})
CREATE TRIGGER {database}.planted BEFORE INSERT ON {table} FOR EACH ROW SET @planted = 1
CREATE VIEW {database}.planted AS SELECT {column} FROM {table}
CREATE TABLE {database}.planted LIKE {table}
LOCK TABLES {table} WRITE
LOAD DATA INFILE '/tmp/planted' INTO TABLE {table}
SELECT {column} FROM {table} INTO OUTFILE '/tmp/planted'
GRANT SELECT ON {table} TO CURRENT_USER()
"""
OF_A_DATABASE = """
DROP DATABASE {database}
ALTER DATABASE {database} CHARACTER SET latin1
CREATE TABLE {database}.planted (id INT)
CREATE TEMPORARY TABLE {database}.planted (id INT)
CREATE VIEW {database}.planted AS SELECT 1
CREATE PROCEDURE {database}.planted() SELECT 1
CREATE FUNCTION {database}.planted() RETURNS INT DETERMINISTIC RETURN 1
CREATE EVENT {database}.planted ON SCHEDULE EVERY 1 DAY DO SELECT 1
GRANT ALL ON {database}.* TO CURRENT_USER()
"""
OF_THE_SERVER = """
CREATE DATABASE planted
CREATE USER planted
CREATE ROLE planted
DROP USER migrator
ALTER USER root@localhost IDENTIFIED BY 'planted'
RENAME USER migrator TO planted
SET PASSWORD FOR root@localhost = 'planted'
GRANT ALL ON *.* TO CURRENT_USER()
GRANT SELECT ON mysql.* TO CURRENT_USER()
REVOKE ALL PRIVILEGES, GRANT OPTION FROM migrator
SHOW GRANTS FOR root@localhost
SHOW CREATE USER root@localhost
SELECT authentication_string FROM mysql.user
UPDATE mysql.user SET Super_priv = 'Y'
INSERT INTO mysql.db (Host) VALUES ('%')
SELECT * FROM mysql.tables_priv
SET GLOBAL general_log = ON
SET GLOBAL max_connections = 1
SET PERSIST max_connections = 1
SET SESSION sql_log_bin = 0
SHUTDOWN
RESTART
KILL {connection}
FLUSH TABLES
FLUSH PRIVILEGES
FLUSH LOGS
FLUSH STATUS
FLUSH TABLES WITH READ LOCK
LOCK INSTANCE FOR BACKUP
RESET BINARY LOGS AND GTIDS
PURGE BINARY LOGS BEFORE NOW()
SHOW BINARY LOGS
SHOW BINARY LOG STATUS
SHOW REPLICA STATUS
SHOW REPLICAS
CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1'
START REPLICA
STOP REPLICA
START GROUP_REPLICATION
INSTALL PLUGIN planted SONAME 'planted.so'
INSTALL COMPONENT 'file://component_validate_password'
CREATE FUNCTION planted RETURNS INTEGER SONAME 'planted.so'
CREATE SERVER planted FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1')
CREATE TABLESPACE planted ADD DATAFILE 'planted.ibd'
CREATE UNDO TABLESPACE planted ADD DATAFILE 'planted.ibu'
CREATE RESOURCE GROUP planted TYPE = USER
ALTER INSTANCE ROTATE INNODB MASTER KEY
ALTER INSTANCE DISABLE INNODB REDO_LOG
IMPORT TABLE FROM '/tmp/planted.sdi'
CLONE LOCAL DATA DIRECTORY = '/tmp/planted'
SHOW ENGINE INNODB STATUS
SELECT * FROM information_schema.INNODB_TABLES
SELECT 1 INTO OUTFILE '/tmp/planted'
SELECT 1 INTO DUMPFILE '/tmp/planted'
"""


class Rights(NamedTuple):
    """What an account may do with a table.

    Attributes:
        whole: the kinds of statement on all of it.
        read: the columns that it may read.
        columns: all of them.
    """

    whole: set[str]
    read: set[str]
    columns: list[str]


# What concerns rows, and what has to be given for it.
OF_ROWS: dict[str, Callable[[Rights], bool]] = {
    "SELECT * FROM {table} LIMIT 0": lambda given: given.read == set(given.columns),
    "SELECT COUNT(*) FROM {table}": lambda given: bool(given.read),
    "SELECT 1 FROM {table} FOR UPDATE": lambda given: bool(given.read and given.whole & {"UPDATE", "DELETE"}),
    "INSERT INTO {table} () VALUES ()": lambda given: "INSERT" in given.whole,
    "UPDATE {table} SET {column} = DEFAULT WHERE FALSE": lambda given: "UPDATE" in given.whole,
    "DELETE FROM {table} WHERE FALSE": lambda given: "DELETE" in given.whole,
    "REPLACE INTO {table} () VALUES ()": lambda given: given.whole >= {"INSERT", "DELETE"},
}
OF_A_COLUMN = "SELECT {column} FROM {table} LIMIT 0"


def rights(account: str, table: str, columns: list[str]) -> Rights:
    """Read from the accounts' list what an account may do with a table."""
    [given] = [entry["rights"] for entry in ACCOUNTS if entry["name"] == account]
    if "*" in given:
        return Rights({"SELECT", "INSERT", "UPDATE", "DELETE"}, set(columns), columns)
    text = given.get(table, "")
    some = re.search(r"SELECT\(([^)]*)\)", text)
    whole = set(re.sub(r"\w+\([^)]*\)", "", text).split(",")) - {""}
    return Rights(whole, set(columns) if "SELECT" in whole else set(some[1].split(",") if some else []), columns)


def lines(text: str, **values: str) -> list[str]:
    """Return the statements of a list."""
    return [line.format(**values) for line in text.strip().splitlines()]


class Database:
    """The shop's tables, and a neighbour's."""

    def __init__(self, stack: Stack) -> None:
        """Look what there is."""
        self.stack = stack
        stack.sql(f"CREATE DATABASE {NEIGHBOUR}; CREATE TABLE {NEIGHBOUR}.secrets (id INT)")
        found = stack.sql(
            "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS"
            " WHERE TABLE_SCHEMA = 'shop' ORDER BY TABLE_NAME, ORDINAL_POSITION"
        )
        self.tables: dict[str, list[str]] = {}
        for line in found.splitlines():
            table, column = line.split("\t")
            self.tables.setdefault(table, []).append(column)

    def denied(self, account: str, statements: list[str]) -> set[str]:
        """Try all of them, none to last, and return those that are refused for want of a right."""
        client = ["mysql", "--host=127.0.0.1", f"--user={account}", f"--password={self.stack.password}", "shop"]
        # Each on a line of its own, by whose number its error is found; what is allowed is undone.
        script = "".join(f"START TRANSACTION; {statement}; ROLLBACK;\n" for statement in statements)
        container = self.stack.container("mysql")
        said = docker(
            "exec", "-i", container, "sh", "-c", '"$@" 2>&1 >/dev/null', "sh", *client, "--force", stdin=script
        )
        errors = {
            int(found[1]): found[2] for found in re.finditer(r"^ERROR .*? at line (\d+): (.*)$", said, re.MULTILINE)
        }
        return {statement for number, statement in enumerate(statements, 1) if DENIED.search(errors.get(number, ""))}


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[Database]:
    yield Database(stack)
    stack.sql(f"DROP DATABASE {NEIGHBOUR}")


@pytest.mark.parametrize("account", ACCOUNT_NAMES)
def test_rows_and_columns(database: Database, account: str) -> None:
    allowed: dict[str, bool] = {}
    for name, columns in database.tables.items():
        given, table = rights(account, name, columns), f"shop.{name}"
        allowed |= {OF_A_COLUMN.format(table=table, column=column): column in given.read for column in columns}
        allowed |= {statement.format(table=table, column=columns[0]): may(given) for statement, may in OF_ROWS.items()}
    denied = database.denied(account, list(allowed))
    assert denied == {statement for statement, may in allowed.items() if not may}


@pytest.mark.parametrize("account", ACCOUNT_NAMES)
def test_the_neighbours_and_the_servers(database: Database, account: str) -> None:
    servers_own = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'event_scheduler'"
    connection = database.stack.sql(servers_own)
    statements = lines(OF_THE_SERVER, connection=connection)
    statements += lines(OF_A_DATABASE, database=NEIGHBOUR)
    statements += lines(OF_A_TABLE, database=NEIGHBOUR, table=f"{NEIGHBOUR}.secrets", column="id")
    statements += [f"USE {NEIGHBOUR}"]
    statements += [statement.format(table=f"{NEIGHBOUR}.secrets", column="id") for statement in OF_ROWS]
    assert set(statements) - database.denied(account, statements) == set()


@pytest.mark.parametrize("account", [name for name in ACCOUNT_NAMES if name != "migrator"])
def test_the_schema(database: Database, account: str) -> None:
    statements = lines(OF_A_DATABASE, database="shop")
    for table, columns in database.tables.items():
        statements += lines(OF_A_TABLE, database="shop", table=f"shop.{table}", column=columns[0])
    assert set(statements) - database.denied(account, statements) == set()


def test_a_right_too_many_would_be_found(database: Database) -> None:
    planted = ["SELECT * FROM shop.alembic_version LIMIT 0", "DELETE FROM shop.changes WHERE FALSE", "FLUSH STATUS"]
    assert database.denied("admin_api", planted) == set(planted)
    database.stack.sql(
        "GRANT SELECT ON shop.alembic_version TO admin_api; GRANT DELETE ON shop.changes TO admin_api;"
        " GRANT RELOAD ON *.* TO admin_api"
    )
    try:
        assert database.denied("admin_api", planted) == set()
    finally:
        database.stack.sql(
            "REVOKE SELECT ON shop.alembic_version FROM admin_api; REVOKE DELETE ON shop.changes FROM admin_api;"
            " REVOKE RELOAD ON *.* FROM admin_api"
        )
