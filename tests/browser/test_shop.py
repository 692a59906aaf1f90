"""What customers do in the shop; with JavaScript switched off, as the shop needs none."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from full_stack import FullStack
from playwright.sync_api import expect
from window import OpenWindow, Row, Window

LOW, OUT = "Low stock", "Out of stock"
LOW_AT_MOST = 5


def number(text: str) -> Decimal:
    """The number in a price or quantity, whatever stands around it."""
    return Decimal(re.sub(r"[^\d.]", "", text))


def stock(row: Row) -> int:
    return int(number(row["quantity"]))


def test_javascript_is_off_in_these_tests(shop: Window) -> None:
    shop.page.set_content("<noscript>off</noscript>")
    expect(shop.page.get_by_text("off")).to_be_visible()


def test_three_servers_take_turns_and_each_tells_its_name(shop: Window) -> None:
    seen = set()
    for _ in range(6):
        shop.open("/")
        seen.add(shop.page.locator("#hostname").inner_text())
    assert seen == {"web-1", "web-2", "web-3"}


def test_search_finds_parts_of_names_in_any_case(shop: Window) -> None:
    shop.open("/")
    shop.search("KNIFE")
    names = [row["name"] for row in shop.rows()]
    assert len(names) > 1
    assert all("knife" in name.lower() for name in names)
    expect(shop.page.get_by_role("searchbox")).to_have_value("KNIFE")
    shop.page.get_by_role("link", name="Show all").click()
    assert len(shop.rows()) == 50


@pytest.mark.parametrize("column", ["Item name", "Quantity", "Price"])
def test_each_column_sorts_both_ways(shop: Window, column: str) -> None:
    shop.open("/?sort=price&size=100" if column == "Item name" else "/?size=100")
    header = shop.page.get_by_role("columnheader", name=column)
    for direction in ("ascending", "descending"):
        header.get_by_role("link").click()
        expect(header).to_have_attribute("aria-sort", direction)
        rows = shop.rows()
        if column == "Item name":
            names = [row["name"].casefold() for row in rows]
            assert (names[0] < names[-1]) is (direction == "ascending")
        else:
            values = [number(row["price" if column == "Price" else "quantity"]) for row in rows]
            assert values == sorted(values, reverse=direction == "descending")
            assert values[0] != values[-1]


def test_pages_show_every_item_once(shop: Window, stack: FullStack) -> None:
    shop.open("/")
    shop.page.get_by_role("link", name="25 items per page").click()
    names: list[str] = []
    following = shop.page.get_by_role("link", name="Next")
    while True:
        names += [row["name"] for row in shop.rows()]
        if following.count() == 0:
            break
        assert len(names) % 25 == 0
        following.click()
    assert len(names) == len(set(names)) == stack.read.get("/items").json["total"]
    shop.page.get_by_role("link", name="Previous").click()
    assert [row["name"] for row in shop.rows()] == names[-25 - (len(names) % 25 or 25) :][:25]


def test_address_carries_search_order_page_and_size(shop: Window, open_window: OpenWindow) -> None:
    shop.open("/")
    shop.page.get_by_role("link", name="25 items per page").click()
    shop.search("e")
    for _ in range(2):
        shop.page.get_by_role("columnheader", name="Price").get_by_role("link").click()
    shop.page.get_by_role("link", name="Next").click()
    assert {"q=e", "sort=price", "dir=desc", "page=2", "size=25"} <= set(re.split(r"[?&]", shop.path))
    other = open_window()
    other.open(shop.path)
    assert other.rows() == shop.rows()
    shop.page.go_back()
    shop.page.go_forward()
    assert other.rows() == shop.rows()


def test_stock_is_told_in_words(shop: Window) -> None:
    shop.open("/?sort=quantity&size=100")
    rows = shop.rows()
    assert {OUT, LOW} <= {mark for row in rows for mark in (OUT, LOW) if mark in row["quantity"]}
    for row in rows:
        expected = OUT if stock(row) == 0 else LOW if stock(row) <= LOW_AT_MOST else ""
        assert re.sub(r"[\d, ]+", " ", row["quantity"]).strip() == expected


def test_search_without_hits_leads_back_to_all_items(shop: Window) -> None:
    shop.open("/?q=no+such+thing&sort=price")
    expect(shop.page.get_by_role("heading", name="No item matches “no such thing”")).to_be_visible()
    shop.page.get_by_role("link", name="see all items").click()
    assert shop.path == "/?sort=price"


def test_page_beyond_the_end_leads_to_the_last_one(shop: Window) -> None:
    shop.open("/?page=99&size=100")
    expect(shop.page.get_by_role("heading", name="There is no page 99")).to_be_visible()
    shop.page.get_by_role("main").get_by_role("link", name=re.compile("page")).first.click()
    assert shop.rows()


def test_what_is_searched_for_is_text(shop: Window) -> None:
    shop.open("/")
    shop.search("<b>\"'&amp;")
    expect(shop.page.get_by_role("heading", name="No item matches")).to_contain_text("<b>\"'&amp;")
    assert shop.page.locator("main b").count() == 0


def test_print_leaves_out_what_cannot_be_pressed_on_paper(shop: Window, artefacts: Path) -> None:
    shop.open("/")
    shop.page.emulate_media(media="print")
    for locator in (shop.page.get_by_role("searchbox"), shop.page.get_by_role("navigation")):
        assert not any(element.is_visible() for element in locator.all())
    expect(shop.page.locator("#items")).to_be_visible()
    expect(shop.page.locator("#hostname")).to_be_visible()
    shop.page.screenshot(path=artefacts / "screenshots" / "shop-items-print.png", full_page=True)
    shop.page.pdf(path=artefacts / "screenshots" / "shop-items-print.pdf", format="A4", print_background=False)


def test_page_of_50_items_takes_10_kilobytes_and_one_stylesheet(shop: Window) -> None:
    shop.open("/")
    assert len(shop.rows()) == 50
    assert shop.document.request.sizes()["responseBodySize"] <= 10 * 1024
    assert sorted(request.resource_type for request in shop.requests if request.url.startswith("http")) == [
        "document",
        "stylesheet",
    ]


def test_old_and_broken_addresses_still_show_the_shop(shop: Window) -> None:
    shop.open("/?sort=colour&dir=up&page=-1&size=7&q=&cursor=%00")
    assert len(shop.rows()) == 50


def test_dark_is_dark(shop: Window) -> None:
    shop.open("/")
    brightness = {}
    for scheme in ("light", "dark"):
        shop.page.emulate_media(color_scheme=scheme)
        colour: str = shop.page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness[scheme] = sum(int(part) for part in re.findall(r"\d+", colour)[:3])
    assert brightness["dark"] < 150 < 600 < brightness["light"]
