"""Each account can do what its service does and nothing else, whatever its rights were before."""

from __future__ import annotations

import pytest
from testinfra.host import Host

# As converge.yml sets it.
PASSWORD = "password-of-the-test"

RIGHTS = {
    "api": {
        "catalogue_version": {"SELECT (`id`, `items`, `version`)"},
        "item_words": {"SELECT"},
        "items": {"SELECT (`id`, `name`, `price`, `quantity`)"},
        "word_parts": {"SELECT"},
    },
    "admin_api": {
        "catalogue_version": {"SELECT", "UPDATE"},
        "changes": {"SELECT", "INSERT"},
        "idempotency_keys": {"SELECT", "INSERT"},
        "imports": {"SELECT", "INSERT", "UPDATE"},
        "item_words": {"SELECT"},
        "items": {"SELECT", "INSERT", "UPDATE", "DELETE"},
        "word_parts": {"SELECT"},
    },
    "migrator": {"*": {"ALL PRIVILEGES"}},
}

DENIED = {
    "api": [
        "SELECT * FROM items",
        "SELECT created_at FROM items",
        "INSERT INTO items (name, quantity, price) VALUES ('x', 1, 1)",
        "UPDATE items SET quantity = 0",
        "DELETE FROM items",
        "UPDATE catalogue_version SET version = 0",
        "SELECT 1 FROM changes",
        "SELECT 1 FROM imports",
        "SELECT 1 FROM idempotency_keys",
        "SELECT 1 FROM alembic_version",
    ],
    "admin_api": [
        "DELETE FROM catalogue_version",
        "UPDATE changes SET actor = 'somebody'",
        "DELETE FROM changes",
        "DELETE FROM imports",
        "UPDATE idempotency_keys SET idempotency_key = ''",
        "DELETE FROM idempotency_keys",
        "DELETE FROM item_words",
        "CALL index_item(1, 'x', 1, 1)",
        "DROP TRIGGER item_added",
        "TRUNCATE items",
        "ALTER TABLE items ADD COLUMN colour TEXT",
        "SELECT 1 FROM alembic_version",
    ],
}
DENIED_TO_BOTH = [
    "CREATE TABLE more (id INT)",
    "DROP TABLE items",
    "CREATE USER somebody",
    "SELECT 1 FROM mysql.user",
    "GRANT SELECT ON shop.items TO migrator",
    "SELECT 'x' INTO OUTFILE '/tmp/x'",
    "SET GLOBAL read_only = ON",
]


def run_sql(host: Host, user: str, password: str, statement: str) -> tuple[int, str]:
    ask = (
        "exec mysql --no-defaults --socket=/run/mysqld/mysqld.sock --ssl-mode=REQUIRED --skip-column-names"
        ' --user="$1" --execute="$2" shop'
    )
    done = host.run("docker exec --env MYSQL_PWD=%s mysql sh -c %s sh %s %s", password, ask, user, statement)
    return done.rc, str(done.stdout if done.rc == 0 else done.stderr)


def as_root(host: Host, statement: str) -> list[str]:
    password = str(host.check_output("docker exec mysql cat /etc/shopfleet/mysql_root_password"))
    code, output = run_sql(host, "root", password, statement)
    assert code == 0, output
    return output.splitlines()


@pytest.fixture(autouse=True)
def only_where_the_database_is(host: Host) -> bool:
    return bool(host.ansible.get_variables()["inventory_hostname"] == "back")


@pytest.mark.parametrize("account", sorted(RIGHTS))
def test_an_account_has_just_its_rights(host: Host, account: str, only_where_the_database_is: bool) -> None:
    if only_where_the_database_is:
        usage, *grants = as_root(host, f"SHOW GRANTS FOR {account}")
        assert usage.startswith("GRANT USAGE ON *.*")
        found = {}
        for grant in grants:
            rights, scope = grant.removeprefix("GRANT ").split(" TO ")[0].split(" ON ")
            table = scope.removeprefix("`shop`.").strip("`")
            found[table] = {rights} if "(" in rights else set(rights.split(", "))
        assert found == RIGHTS[account]


@pytest.mark.parametrize(
    ("account", "statement"),
    [(account, statement) for account, own in DENIED.items() for statement in [*own, *DENIED_TO_BOTH]],
)
def test_mysql_denies_an_account_what_it_is_not_for(
    host: Host, account: str, statement: str, only_where_the_database_is: bool
) -> None:
    if only_where_the_database_is:
        code, output = run_sql(host, account, PASSWORD, statement)
        assert code != 0
        assert "denied" in output


def test_the_accounts_do_what_their_services_do(host: Host, only_where_the_database_is: bool) -> None:
    if only_where_the_database_is:
        assert run_sql(host, "api", PASSWORD, "SELECT id, name, quantity, price FROM items LIMIT 1")[0] == 0
        assert run_sql(host, "api", PASSWORD, "SELECT id, version, items FROM catalogue_version")[0] == 0
        write = "UPDATE catalogue_version SET version = version + 1; DELETE FROM items WHERE id = 0"
        assert run_sql(host, "admin_api", PASSWORD, write) == (0, "")


def test_root_logs_in_on_the_database_host_only(host: Host, only_where_the_database_is: bool) -> None:
    if only_where_the_database_is:
        assert as_root(host, "SELECT host FROM mysql.user WHERE user = 'root'") == ["localhost"]


def test_every_account_but_roots_is_for_tls_only(host: Host, only_where_the_database_is: bool) -> None:
    if only_where_the_database_is:
        accounts = as_root(host, "SELECT user FROM mysql.user WHERE ssl_type = 'ANY' ORDER BY user")
        assert accounts == sorted(RIGHTS)


def test_nobody_logs_in_without_a_password(host: Host, only_where_the_database_is: bool) -> None:
    if only_where_the_database_is:
        assert as_root(host, "SELECT user FROM mysql.user WHERE authentication_string = ''") == []
