"""The log of changes."""

import re
from datetime import UTC, datetime

from web_stack import Browser, Element, Fleet, Post, notice


def entries(browser: Browser, name: str = "") -> list[Element]:
    """Return the entries that are shown, of one item."""
    return [entry for entry in browser.page.by_id("changes").all("li") if name in entry.text]


def test_every_change_is_told_with_who_when_and_both_values(admin: Browser, name: str) -> None:
    admin.get("/admin/")
    admin.save(name=name, quantity="1234", price="2.99")
    admin.save(name=name, quantity="1", mode="add")
    admin.get("/admin/", params={"edit": name})
    admin.save(name=f"{name} II", price="3")
    admin.get("/admin/delete", params={"name": f"{name} II"})
    admin.submit("/admin/delete")
    admin.submit("/admin/undo")
    page = admin.get("/admin/changes")
    assert [(entry.one("p", **{"class": "what"}).text, entry.one("dl").text) for entry in entries(admin, name)] == [
        (f"{name} II was brought back", "Quantity 1,235 Price €3.00"),
        (f"{name} II was deleted", "Quantity 1,235 Price €3.00"),
        (f"{name} was changed", f"Name “{name}” → to “{name} II” Price €2.99 → to €3.00"),
        (f"{name} was changed", "Quantity 1,234 → to 1,235"),
        (f"{name} was added", "Quantity 1,234 Price €2.99"),
    ]
    for entry in entries(admin, name):
        when = entry.one("time").attributes["datetime"]
        assert abs((datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds()) < 300
        assert re.fullmatch(r"\d+ [A-Z][a-z]{2} \d{4}, [\d:]{8} by admin", entry.one("p", **{"class": "when"}).text)
    assert page.one("a", href="/admin/changes").attributes["aria-current"] == "page"


def test_deletion_can_be_undone_in_the_log_once(admin: Browser, name: str) -> None:
    admin.get("/admin/")
    admin.save(name=name, quantity="7", price="2.99")
    admin.get("/admin/delete", params={"name": name})
    admin.submit("/admin/delete")
    before = admin.values("/admin/undo")["change"]
    admin.get("/admin/changes", params={"before": str(int(before) + 1)})
    form = entries(admin)[0].one("form")
    assert form.one("button").text == f"Undo the deletion of {name}"
    admin.send(Post.of(form))
    assert admin.response.url.endswith(f"/admin/changes?before={int(before) + 1}")
    assert notice(admin) == f"“{name}” is back: quantity 7, price €2.99."
    assert not entries(admin, name)[0].all("button")


def test_older_changes_are_reached_by_links_without_a_gap(admin: Browser, fleet: Fleet) -> None:
    admin.get("/admin/changes")
    seen: list[str] = []
    while True:
        seen += [entry.text for entry in entries(admin)]
        older = admin.page.all("a", rel="next")
        if not older:
            break
        admin.get(older[0].attributes["href"])
        assert admin.page.all("a", href="/admin/changes")[-1].text == "Newest"
    assert len(seen) == int(fleet.stack.sql("SELECT COUNT(*) FROM shop.changes")) > 200
    assert " by seed" in seen[-1]


def test_places_in_the_log_that_are_none(admin: Browser) -> None:
    assert admin.get("/admin/changes?before=1").one("h2").text == "There is nothing older"
    for before in ("0", "-1", "x", "9" * 30, "1;DROP", "<b>"):
        admin.get("/admin/changes", params={"before": before})
        assert admin.response.status_code == 200
        assert entries(admin)
