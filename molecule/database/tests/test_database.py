"""The accounts are there with just their rights, and a right that somebody took is given back by the next run."""

from __future__ import annotations

import pytest
from testinfra.host import Host

PRIVILEGES = {
    "api": {"SELECT"},
    "admin_api": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "migrator": {"ALL PRIVILEGES"},
}


def sql(host: Host, statement: str) -> list[str]:
    ask = (
        "MYSQL_PWD=$(cat /etc/shopfleet/mysql_root_password) exec mysql --no-defaults "
        '--socket=/run/mysqld/mysqld.sock --user=root --skip-column-names --execute="$1"'
    )
    return str(host.check_output("docker exec mysql sh -c %s sh %s", ask, statement)).splitlines()


@pytest.fixture(autouse=True)
def only_where_the_database_is(host: Host) -> bool:
    return bool(host.ansible.get_variables()["inventory_hostname"] == "back")


@pytest.mark.parametrize("account", sorted(PRIVILEGES))
def test_an_account_has_just_its_rights(host: Host, account: str, only_where_the_database_is: bool) -> None:
    if only_where_the_database_is:
        usage, grant = sql(host, f"SHOW GRANTS FOR {account}")
        assert usage.startswith("GRANT USAGE ON *.*")
        rights, scope = grant.removeprefix("GRANT ").split(" ON ")
        assert set(rights.split(", ")) == PRIVILEGES[account]
        assert scope.startswith("`shop`.*")


def test_root_logs_in_on_the_database_host_only(host: Host, only_where_the_database_is: bool) -> None:
    if only_where_the_database_is:
        assert sql(host, "SELECT host FROM mysql.user WHERE user = 'root'") == ["localhost"]


def test_nobody_logs_in_without_a_password(host: Host, only_where_the_database_is: bool) -> None:
    if only_where_the_database_is:
        assert sql(host, "SELECT user FROM mysql.user WHERE authentication_string = ''") == []
