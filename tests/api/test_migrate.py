"""The schema job, run as the deploy runs it."""

from pathlib import Path

import pytest
from shop_stack import Client, Stack, item_path

HEADER = "name,quantity,price\n"
VERSIONS = Path(__file__).parents[2] / "app_src/api/src/shop_api/migrations/versions"
NEWEST = max(file.name[:4] for file in VERSIONS.glob("[0-9]*.py"))


@pytest.fixture
def never_seeded(stack: Stack, empty: None) -> None:  # noqa: ARG001
    stack.sql("UPDATE shop.catalogue_version SET seeded_at = NULL")


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
    stack.sql("CREATE TABLE shop.kept SELECT * FROM shop.alembic_version; DELETE FROM shop.alembic_version")
    assert stack.migrate() == {"changed": True, "schema": NEWEST, "seeded": 0}
    stack.sql("DROP TABLE shop.kept")


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
