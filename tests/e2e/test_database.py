"""What MySQL lets the APIs' accounts do, asked from inside their containers."""

from __future__ import annotations

import json

import pytest
from lab import Lab

# Prints the number of MySQL's error for each statement, 0 where there was none; nothing is committed.
_ASK = """
import json, os, sys
import MySQLdb
password = open("/etc/shopfleet/shop_mysql_password").read().strip()
settings = {key: os.environ["SHOP_MYSQL_" + key.upper()] for key in ("host", "user", "database")}
settings |= {"ssl_mode": "VERIFY_IDENTITY", "ssl": {"ca": os.environ["SHOP_MYSQL_CA"]}}
errors = []
for statement in json.loads(sys.argv[1]):
    connection = MySQLdb.connect(port=int(os.environ["SHOP_MYSQL_PORT"]), password=password, **settings)
    try:
        connection.cursor().execute(statement)
        errors.append(0)
    except MySQLdb.Error as error:
        errors.append(error.args[0])
    connection.close()
print(json.dumps(errors))
"""
# access denied: to a database, to a command on a table, to a column, for want of an administrator's right
_DENIED = {1044, 1142, 1143, 1227}

READS = ["SELECT id, name, quantity, price FROM items LIMIT 1", "SELECT id, version, items FROM catalogue_version"]
WRITES = [
    "UPDATE items SET quantity = quantity WHERE id = 0",
    "DELETE FROM items WHERE id = 0",
    "UPDATE catalogue_version SET version = version",
    "SELECT 1 FROM changes LIMIT 1",
]
NOBODYS = [
    "DROP TABLE items",
    "ALTER TABLE items ADD COLUMN colour TEXT",
    "CREATE TABLE more (id INT)",
    "DELETE FROM changes",
    "UPDATE changes SET actor = 'nobody'",
    "SELECT 1 FROM mysql.user",
    "CREATE USER somebody",
]


@pytest.mark.parametrize(
    ("container", "allowed", "denied"),
    [("api", READS, [*WRITES, *NOBODYS]), ("admin-api", [*READS, *WRITES], NOBODYS)],
)
def test_an_api_can_do_what_it_is_for_and_nothing_else(
    lab: Lab, container: str, allowed: list[str], denied: list[str]
) -> None:
    def errors(statements: list[str]) -> dict[str, int]:
        program = ["docker", "exec", container, "python", "-c", _ASK, json.dumps(statements)]
        numbers: list[int] = json.loads(lab.on(lab.host_of(container), *program))
        return dict(zip(statements, numbers, strict=True))

    assert set(errors(allowed).values()) == {0}
    assert {statement for statement, error in errors(denied).items() if error not in _DENIED} == set()
