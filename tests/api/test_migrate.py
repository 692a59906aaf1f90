"""The schema job, run as the deploy runs it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from shop_stack import HARDENED, Client, Stack, docker, item_path

HEADER = "name,quantity,price\n"
VERSIONS = Path(__file__).parents[2] / "app_src/api/src/shop_api/migrations/versions"
NEWEST = max(file.name[:4] for file in VERSIONS.glob("[0-9]*.py"))


@pytest.fixture
def never_seeded(stack: Stack, empty: None) -> None:  # noqa: ARG001
    stack.sql("UPDATE shop.catalogue_version SET seeded_at = NULL")


BEFORE_SORTED_SEARCH = """
from alembic import command
from alembic.config import Config
from shop_api.db import make_engine
from shop_api.settings import MysqlSettings

config = Config()
config.set_main_option("script_location", "shop_api:migrations")
with make_engine(MysqlSettings.load(), 1, 60).connect() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, "0003")
"""
DRIFTED = """
    SELECT items.name, item_words.name, item_words.price, item_words.quantity
    FROM old.items LEFT JOIN old.item_words ON item_words.item_id = items.id
    WHERE NOT (BINARY items.name <=> BINARY item_words.name AND items.price <=> item_words.price
      AND items.quantity <=> item_words.quantity)
"""
WORDS = "SELECT word, item_id FROM old.item_words ORDER BY word, item_id"


@pytest.fixture
def old(stack: Stack) -> Iterator[Callable[..., str]]:
    """A database of its own in the schema of before; returns what runs a command of the image on it."""
    stack.sql("CREATE DATABASE old; GRANT ALL ON old.* TO migrator@'%'")

    def run(*command: str) -> str:
        environment = stack.environment("migrator", SHOP_MYSQL_DATABASE="old")
        return docker("run", "--rm", *HARDENED, "--network", stack.prefix, *environment, stack.images["api"], *command)

    run("python", "-c", BEFORE_SORTED_SEARCH)
    yield run
    stack.sql("DROP DATABASE old; REVOKE ALL ON old.* FROM migrator@'%'")


def test_a_catalogue_of_before_learns_to_sort_what_it_finds(stack: Stack, old: Callable[..., str]) -> None:
    stack.sql(
        "INSERT INTO old.items (name, quantity, price)"
        " VALUES ('Red mug', 3, 2.50), ('Blue MUG mug', 0, 10), ('Straße', 7, 1)"
    )
    words = stack.sql(WORDS)
    assert words.count("mug") == 2
    for _ in range(2):
        # The second time as after an interruption just before the end.
        stack.sql("UPDATE old.alembic_version SET version_num = '0003'")
        assert json.loads(old("shop-api", "migrate"))["schema"] == NEWEST
        assert (stack.sql(WORDS), stack.sql(DRIFTED)) == (words, "")
    stack.sql("UPDATE old.items SET price = 4 WHERE quantity = 3; UPDATE old.items SET quantity = 9 WHERE quantity = 0")
    stack.sql("INSERT INTO old.items (name, quantity, price) VALUES ('Jug', 1, 1)")
    stack.sql("UPDATE old.items SET name = 'Strasse' WHERE quantity = 7")
    assert stack.sql(DRIFTED) == ""
    assert stack.sql("SELECT word FROM old.item_words ORDER BY word").split() == (
        ["blue", "jug", "mug", "mug", "red", "strasse"]
    )


def write(directory: Path, text: str, encoding: str = "utf-8") -> dict[Path, str]:
    file = directory / "catalogue.csv"
    file.write_text(text, encoding=encoding)
    file.chmod(0o644)
    return {file: "/catalogue.csv"}


def test_a_second_run_changes_nothing(stack: Stack) -> None:
    stack.migrate()
    assert stack.migrate() == {"changed": False, "schema": NEWEST, "seeded": 0}


def test_an_interrupted_migration_is_continued(stack: Stack) -> None:
    stack.migrate()
    stack.sql(f"UPDATE shop.alembic_version SET version_num = '{int(NEWEST) - 1:04}'")  # noqa: S608
    assert stack.migrate() == {"changed": True, "schema": NEWEST, "seeded": 0}


@pytest.mark.usefixtures("never_seeded")
def test_the_catalogue_is_loaded_once(stack: Stack, read: Client, admin: Client, tmp_path: Path) -> None:
    assert read.get("/items").json["total"] == 0
    admin.put("TEA", quantity=1, price="1")
    file = write(tmp_path, HEADER + 'Tea,3,2.5\n"Mug, ""large""",0,10\nMüsli 🥣,7,3.99\n', "utf-8-sig")
    assert stack.migrate("--seed", "/catalogue.csv", mounts=file) == {"changed": True, "schema": NEWEST, "seeded": 2}
    assert [tuple(item.values()) for item in read.get("/items").json["items"]] == [
        ('Mug, "large"', 0, "10.00"),
        ("Müsli 🥣", 7, "3.99"),
        ("TEA", 1, "1.00"),
    ]
    for item in read.get("/items").json["items"]:
        assert admin.request("DELETE", item_path(item["name"])).status == 204
    assert stack.migrate("--seed", "/catalogue.csv", mounts=file) == {"changed": False, "schema": NEWEST, "seeded": 0}
    assert stack.sql("SELECT COUNT(*) FROM shop.items") == "0"


@pytest.mark.usefixtures("never_seeded")
def test_what_is_loaded_is_logged_and_counted(stack: Stack, admin: Client, tmp_path: Path) -> None:
    admin.put("TEA", quantity=1, price="1")
    before = admin.get("/changes?size=1").json["changes"][0]["id"]
    file = write(tmp_path, HEADER + "Tea,3,2.5\nMug,0,10\nMüsli,7,3.99\n")
    stack.migrate("--seed", "/catalogue.csv", mounts=file)
    log = [change for change in admin.get("/changes").json["changes"] if change["id"] > before]
    assert [(change["actor"], change["action"], change["old"], change["new"]) for change in log] == [
        ("seed", "created", None, {"name": "Müsli", "quantity": 7, "price": "3.99"}),
        ("seed", "created", None, {"name": "Mug", "quantity": 0, "price": "10.00"}),
    ]
    assert stack.sql("SELECT items FROM shop.catalogue_version") == "3"


def test_a_wrong_number_of_items_is_put_right(stack: Stack, read: Client, admin: Client, name: str) -> None:
    admin.put(name, quantity=1, price="1")
    stack.migrate()
    right = stack.sql("SELECT items FROM shop.catalogue_version")
    assert read.get("/items?size=1").json["total"] == int(right)
    stack.sql("UPDATE shop.catalogue_version SET items = items + 5, version = version + 1")
    assert stack.migrate() == {"changed": True, "schema": NEWEST, "seeded": 0}
    assert stack.sql("SELECT items FROM shop.catalogue_version") == right
    assert read.get("/items?size=1").json["total"] == int(right)
    assert stack.migrate() == {"changed": False, "schema": NEWEST, "seeded": 0}


def test_a_number_that_is_too_small_stops_no_deletion(stack: Stack, admin: Client, name: str) -> None:
    admin.put(name, quantity=1, price="1")
    stack.sql("UPDATE shop.catalogue_version SET items = 0, version = version + 1")
    assert admin.delete(name).status == 204
    assert stack.sql("SELECT items FROM shop.catalogue_version") == "0"
    stack.migrate()


def test_what_nobody_asks_for_any_more_is_removed(stack: Stack, admin: Client, name: str) -> None:
    def upload(text: str) -> dict[str, str]:
        headers = {"Content-Type": "text/csv", "Idempotency-Key": text}
        plan: dict[str, str] = admin.request("POST", "/imports", f"{HEADER}{text},1,1\n".encode(), headers).json
        return plan

    names = [f"{name.replace(' ', '-')}-{kind}" for kind in ("new", "old", "applied")]
    new, old, applied = (upload(name) for name in names)
    admin.request("POST", f"/imports/{applied['id']}/apply", {"digest": applied["digest"]})
    for kept, days in ((new, 6), (old, 8), (applied, 8)):
        stack.sql(f"UPDATE shop.imports SET at = NOW(6) - INTERVAL {days} DAY WHERE id = {kept['id']}")  # noqa: S608
    for key, days in zip(names, (6, 8, 8), strict=True):
        stack.sql(
            f"UPDATE shop.idempotency_keys SET created_at = NOW(6) - INTERVAL {days} DAY"  # noqa: S608
            f" WHERE idempotency_key = '{key}'"
        )
    stack.migrate()
    imports = f"SELECT id FROM shop.imports WHERE id IN ({new['id']}, {old['id']}, {applied['id']})"  # noqa: S608
    assert stack.sql(f"{imports} ORDER BY id").split() == [str(new["id"]), str(applied["id"])]
    keys = f"SELECT idempotency_key FROM shop.idempotency_keys WHERE idempotency_key LIKE '{names[0][:-3]}%'"  # noqa: S608
    assert stack.sql(keys) == names[0]


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
        "line 5: 3 columns are needed, 2 found.",
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
