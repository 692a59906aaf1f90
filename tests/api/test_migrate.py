"""The schema job, run as the deploy runs it."""

from pathlib import Path

import pytest
from shop_stack import Client, Stack, item_path

HEADER = "name,quantity,price\n"


@pytest.fixture
def never_seeded(stack: Stack, empty: None) -> None:  # noqa: ARG001
    stack.sql("UPDATE shop.catalogue_version SET seeded_at = NULL")


def write(directory: Path, text: str, encoding: str = "utf-8") -> dict[Path, str]:
    file = directory / "catalogue.csv"
    file.write_text(text, encoding=encoding)
    file.chmod(0o644)
    return {file: "/catalogue.csv"}


def test_a_second_run_changes_nothing(stack: Stack) -> None:
    assert stack.migrate() == {"changed": False, "schema": "0001", "seeded": 0}


def test_an_interrupted_migration_is_continued(stack: Stack) -> None:
    stack.sql("CREATE TABLE shop.kept SELECT * FROM shop.alembic_version; DELETE FROM shop.alembic_version")
    assert stack.migrate() == {"changed": True, "schema": "0001", "seeded": 0}
    stack.sql("DROP TABLE shop.kept")


@pytest.mark.usefixtures("never_seeded")
def test_the_catalogue_is_loaded_once(stack: Stack, read: Client, admin: Client, tmp_path: Path) -> None:
    assert read.get("/items").json["total"] == 0
    admin.put("TEA", quantity=1, price="1")
    file = write(tmp_path, HEADER + 'Tea,3,2.5\n"Mug, ""large""",0,10\nMüsli 🥣,7,3.99\n', "utf-8-sig")
    assert stack.migrate("--seed", "/catalogue.csv", mounts=file) == {"changed": True, "schema": "0001", "seeded": 2}
    assert [tuple(item.values()) for item in read.get("/items").json["items"]] == [
        ('Mug, "large"', 0, "10.00"),
        ("Müsli 🥣", 7, "3.99"),
        ("TEA", 1, "1.00"),
    ]
    for item in read.get("/items").json["items"]:
        assert admin.request("DELETE", item_path(item["name"])).status == 204
    assert stack.migrate("--seed", "/catalogue.csv", mounts=file) == {"changed": False, "schema": "0001", "seeded": 0}
    assert stack.sql("SELECT COUNT(*) FROM shop.items") == "0"


@pytest.mark.usefixtures("never_seeded")
def test_bad_rows_are_named_and_nothing_is_loaded(stack: Stack, tmp_path: Path) -> None:
    file = write(tmp_path, HEADER + "good,1,1\n,1,1\nx,-1,2.999\nshort,1\nGOOD,1,1\n")
    code, out, err = stack.command("migrate", "--seed", "/catalogue.csv", mounts=file)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "/catalogue.csv: nothing was loaded.",
        "line 3: Name must not be empty.",
        "line 4: Quantity must be a whole number from 0 to 1,000,000.",
        "line 4: Price must be an amount from 0.00 to 9,999,999.99 with at most two decimals, such as 2.99.",
        "line 5: 3 columns are needed, 2 found",
        "line 6: Name is the same as in line 2.",
    ]
    assert stack.sql("SELECT COUNT(*) FROM shop.items") == "0"
    assert stack.sql("SELECT seeded_at IS NULL FROM shop.catalogue_version") == "1"


@pytest.mark.usefixtures("never_seeded")
def test_what_is_wrong_is_said_in_a_sentence(stack: Stack) -> None:
    code, _, err = stack.command("migrate", "--seed", "/nowhere.csv")
    assert (code, err.count("\n")) == (1, 1)
    assert "/nowhere.csv cannot be read" in err
    code, _, err = stack.command("migrate", user="nobody")
    assert (code, err.count("\n")) == (1, 1)
    assert "1045" in err
    code, _, err = stack.command("serve")
    assert (code, err) == (1, "Setting SHOP_MODE is missing.\n")


def test_logins_use_the_plugin_that_mysql_has_left(stack: Stack) -> None:
    plugins = stack.sql("SELECT DISTINCT plugin FROM mysql.user WHERE user IN ('api', 'admin_api', 'migrator')")
    assert plugins == "caching_sha2_password"
