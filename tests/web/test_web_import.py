"""Import of a CSV file with its plan, and export."""

import csv
import io

import pytest
from shop_stack import TMP, item_path
from web_stack import Browser, Element, Fleet, alerts, notice, rows

HEAD = "name,quantity,price\n"


def cells(page: Element, table: str) -> list[tuple[str, ...]]:
    """Return the texts of a table's rows."""
    found = page.by_id(table).one("tbody").all("tr")
    return [tuple(cell.text for cell in row.children if isinstance(cell, Element)) for row in found]


def counts(page: Element) -> list[str]:
    return [number.text for number in page.one("dl", **{"class": "counts"}).all("dd")]


@pytest.fixture
def planned(admin: Browser, name: str) -> Browser:
    """The plan of a file is open that adds an item, changes one, and leaves one as it is."""
    for item in ("old", "same"):
        admin.get("/admin/")
        admin.save(name=f"{name} {item}", quantity="1000", price="2.99")
    admin.get("/admin/import")
    lines = [f"{name.upper()} OLD,1000,3.49", f"{name} same,1000,2.99", f'"{name} new, ""x""",0,1234.5']
    admin.upload(("\ufeff" + HEAD + "\n".join(lines)).encode())
    return admin


def test_plan_shows_what_would_change_and_changes_nothing(planned: Browser, name: str) -> None:
    page = planned.page
    assert planned.response.history[0].status_code == 303
    assert counts(page) == ["1", "1", "1"]
    assert cells(page, "changed") == [(f"{name} old line 2", "1,000", "€2.99 → to €3.49")]
    assert cells(page, "added") == [(f'{name} new, "x" line 4', "0", "€1,234.50")]
    assert planned.form("/admin/import").one("button").text == "Apply 2 changes"
    found = rows(planned.get("/admin/", params={"q": name}))
    assert [row[2] for row in found] == ["€2.99", "€2.99"]


def test_applying_makes_exactly_the_planned_changes(planned: Browser, name: str) -> None:
    plan = planned.response.url
    page = planned.submit("/admin/import")
    assert planned.response.history[0].status_code == 303
    assert planned.response.url == plan
    assert notice(planned) == "The import is done."
    assert page.one("h1").text == "Import, done"
    assert counts(page) == ["1", "1", "1"]
    assert not page.one("main").all("form")
    found = {row[0]: row[2] for row in rows(planned.get("/admin/", params={"q": name}))}
    assert found == {f'{name} new, "x"': "€1,234.50", f"{name} old": "€3.49", f"{name} same": "€2.99"}
    log = [entry for entry in planned.get("/admin/changes").by_id("changes").all("li") if name in entry.text][:2]
    assert all(entry.one("a").attributes["href"] == f"/admin/import?{plan.split('?')[1]}" for entry in log)


def test_plan_that_is_no_longer_true_is_not_applied(planned: Browser, fleet: Fleet, name: str) -> None:
    fleet.stack.admin.fresh().put(f"{name} old", quantity=1000, price="5.00")
    page = planned.submit("/admin/import")
    assert planned.response.status_code == 409
    assert "Nothing was imported: the stock has changed" in alerts(planned)
    assert cells(page, "changed") == [(f"{name} old line 2", "1,000", "€5.00 → to €3.49")]
    assert fleet.stack.admin.fresh().item(f"{name} old").json["price"] == "5.00"
    assert fleet.stack.admin.fresh().get(item_path(f'{name} new, "x"')).status == 404
    planned.submit("/admin/import")
    assert notice(planned) == "The import is done."


def test_every_bad_row_is_shown_with_every_reason(admin: Browser, name: str) -> None:
    admin.get("/admin/import")
    page = admin.upload(f"{HEAD}{name},1,2.99\n,-1,2.999\n{name},2\n<b>,1,1\n{name},1,1\n".encode())
    assert admin.response.status_code == 200
    faults = cells(page, "faults")
    assert [line for line, _ in faults] == ["3", "3", "3", "4", "6"]
    assert [message.split()[0] for _, message in faults] == ["Name", "Quantity", "Price", "3", "Name"]
    assert "Nothing is imported as long as the file has faults" in page.one("main").text
    assert not page.one("main").all("form")
    assert "No item matches" in admin.get("/admin/", params={"q": name}).one("main").text


def test_file_that_changes_nothing_has_nothing_to_apply(planned: Browser, name: str) -> None:
    planned.get("/admin/import")
    page = planned.upload(f"{HEAD}{name} same,1000,2.99\n".encode())
    assert counts(page) == ["0", "0", "1"]
    assert "There is nothing to do" in page.one("main").text
    assert not page.one("main").all("form")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "first line must be"),
        (b"quantity,name,price\n", "first line must be"),
        (b"\xff\xfe", "not UTF-8"),
        (b'name,quantity,price\n"x,1,2\n', "not CSV"),
        (HEAD.encode() + b"x,1,2\n" * 5001, "5,000 rows"),
    ],
)
def test_what_is_no_such_file_is_told_by_its_field(admin: Browser, content: bytes, message: str) -> None:
    admin.get("/admin/import")
    page = admin.upload(content)
    assert admin.response.status_code == 422
    assert message in page.by_id("file-error").text
    assert page.by_id("file").attributes["aria-invalid"] == "true"
    assert page.by_id("file").attributes["aria-describedby"] == "file-error file-hint"
    assert page.one("div", role="alert").one("a").attributes["href"] == "#file"
    assert page.one("title").text.startswith("Error: ")


@pytest.mark.parametrize("filename", ["items.html", "items", "items.csv.php", "csv", "../../items.svg"])
def test_a_file_of_another_kind_is_refused(admin: Browser, name: str, filename: str) -> None:
    admin.get("/admin/import")
    admin.upload(f"{HEAD}{name},1,2.99\n".encode(), filename)
    assert admin.response.status_code == 422
    assert "does not end in .csv" in admin.page.by_id("file-error").text


@pytest.mark.parametrize("filename", ["ITEMS.CSV", "../../../srv/shopfleet/public/index.php.csv", "<b>\x00.csv"])
def test_the_name_of_a_file_counts_for_nothing_else(admin: Browser, fleet: Fleet, name: str, filename: str) -> None:
    admin.get("/admin/import")
    page = admin.upload(f"{HEAD}{name},1,2.99\n".encode(), filename)
    assert admin.response.status_code == 200
    assert counts(page) == ["1", "0", "0"]
    assert fleet.admin.execute("find", "/srv", TMP, "-name", "*csv*") == ""


def test_form_without_a_file(admin: Browser) -> None:
    admin.get("/admin/import")
    admin.submit("/admin/import")
    assert admin.response.status_code == 422
    assert "Choose a CSV file." in alerts(admin)


@pytest.mark.parametrize(("size", "status"), [(512, 200), (513, 413), (560, 413), (5000, 413)])
def test_file_may_have_512_kib(admin: Browser, name: str, size: int, status: int) -> None:
    line = f"{name},1,2.99\n"
    content = (HEAD + line).encode() + b"\n" * (size * 1024 - len(HEAD) - len(line))
    admin.get("/admin/import")
    admin.upload(content)
    assert admin.response.status_code == status
    if status == 413:
        assert "larger than 512 KiB" in admin.page.by_id("file-error").text


def test_largest_plans_are_shown(admin: Browser) -> None:
    lines = [f"{'ü' * 44} {number},{number},2.99" for number in range(5000)]
    bad = ["\u202e,-1,-1"] * 5000
    for content, table in ((lines, "added"), (bad, "faults")):
        admin.get("/admin/import")
        page = admin.upload((HEAD + "\n".join(content)).encode())
        assert admin.response.status_code == 200
        assert len(cells(page, table)) >= 5000


@pytest.mark.parametrize("number", ["0", "999999999", "9" * 30, "x", "-1", "1%20"])
def test_import_that_does_not_exist(admin: Browser, number: str) -> None:
    page = admin.get(f"/admin/import?id={number}")
    assert admin.response.status_code == 404
    assert alerts(admin) == "There is no such import."
    assert page.by_id("file")


def test_export_is_a_download_that_can_be_imported(admin: Browser, fleet: Fleet, name: str) -> None:
    admin.get("/admin/")
    admin.save(name=f'=1+1, "{name}" ü', quantity="3", price="2.5")
    admin.get("/admin/import")
    response = admin.session.get(admin.url + admin.page.one("a", href="/admin/export").attributes["href"], timeout=10)
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="items-')
    assert response.headers["Cache-Control"] == "no-store"
    assert int(response.headers["Content-Length"]) == len(response.content)
    lines = list(csv.reader(io.StringIO(response.content.decode())))
    assert [f'=1+1, "{name}" ü', "3", "2.50"] in lines
    assert len(lines) == 1 + int(fleet.stack.sql("SELECT COUNT(*) FROM shop.items"))
    page = admin.upload(response.content)
    assert counts(page) == ["0", "0", str(len(lines) - 1)]
