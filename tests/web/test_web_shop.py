"""The shop page."""

import csv
import re

import pytest
from web_stack import HOSTNAME, SEED, Answer, Browser, Fleet, StandInApi, rows

NASTY = "<script>alert(1)</script> & \"quotes\" 'too' 🦊"
ITEM: dict[str, object] = {"name": "Lamp", "quantity": 30, "price": "2.99"}


@pytest.fixture(scope="module")
def seed() -> list[dict[str, str]]:
    with SEED.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_seed_is_worth_showing(seed: list[dict[str, str]]) -> None:
    assert len(seed) >= 200
    assert len({row["name"].casefold() for row in seed}) == len(seed)
    assert all(re.fullmatch(r"\d{1,4}\.\d{2}", row["price"]) for row in seed)
    quantities = [int(row["quantity"]) for row in seed]
    assert min(quantities) == 0
    assert max(quantities) <= 500


def test_page_shows_hostname_and_items(shop: Browser) -> None:
    page = shop.get("/")
    assert shop.response.status_code == 200
    assert page.by_id("hostname").text == HOSTNAME
    assert [heading.text.rstrip("▲↕") for heading in page.by_id("items").one("thead").all("th")] == [
        "Item name",
        "Quantity",
        "Price",
    ]
    assert len(rows(page)) == 50
    assert page.one("html").attributes["lang"] == "en"
    assert page.one("title").text == "Items for sale – Shopfleet"
    assert not page.all("script")


def test_search_sort_and_pages_are_links(shop: Browser, seed: list[dict[str, str]]) -> None:
    page = shop.get("/?size=25")
    headings = page.by_id("items").one("thead").all("th")
    assert [heading.attributes["aria-sort"] for heading in headings] == ["ascending", "none", "none"]
    page = shop.get(headings[2].one("a").attributes["href"])
    assert [heading.attributes["aria-sort"] for heading in page.by_id("items").one("thead").all("th")] == [
        "none",
        "none",
        "ascending",
    ]
    prices = [float(price.lstrip("€").replace(",", "")) for _, _, price in rows(page)]
    assert prices == sorted(prices)
    assert len(prices) == 25
    page = shop.get(page.one("a", rel="next").attributes["href"])
    assert float(rows(page)[0][2].lstrip("€")) >= prices[-1]
    assert page.one("a", **{"aria-current": "page"}).text == "Page 2"

    page = shop.get("/?q=knife&sort=price&dir=desc")
    expected = {row["name"] for row in seed if "knife" in row["name"].lower()}
    assert {name for name, _, _ in rows(page)} == expected
    assert page.by_id("q").attributes["value"] == "knife"


def test_odd_addresses_show_a_page(shop: Browser) -> None:
    for query in ("page=-1", "page=x&size=7&sort=id&dir=up", "page=99999999999999999999", "q[]=a", "q=%ff%00%0a"):
        shop.get(f"/?{query}")
        assert shop.response.status_code == 200, query
    page = shop.get("/?page=900")
    assert "There is no page 900" in page.one("main").text


def test_search_without_result_offers_all_items(shop: Browser) -> None:
    page = shop.get("/", params={"q": NASTY})
    assert f"No item matches “{NASTY}”" in page.one("main").text
    assert "<script" not in shop.response.text


def test_names_are_text_not_html(other_shop: Browser, stand_in: StandInApi) -> None:
    stand_in.lists({"name": NASTY, "quantity": 30, "price": "1234567.50"})
    page = other_shop.get("/")
    assert rows(page) == [(NASTY, "30", "€1,234,567.50")]
    assert "<script" not in other_shop.response.text


@pytest.mark.parametrize(
    ("quantity", "shown"),
    [(0, "0 Out of stock"), (1, "1 Low stock"), (5, "5 Low stock"), (6, "6"), (1_000_000, "1,000,000")],
)
def test_stock_is_marked_in_words(other_shop: Browser, stand_in: StandInApi, quantity: int, shown: str) -> None:
    stand_in.lists({**ITEM, "quantity": quantity})
    assert rows(other_shop.get("/"))[0][1] == shown


def test_empty_shop(other_shop: Browser, stand_in: StandInApi) -> None:
    stand_in.lists()
    assert "Nothing for sale yet" in other_shop.get("/").one("main").text


def test_stale_items_come_with_their_age(other_shop: Browser, stand_in: StandInApi) -> None:
    stand_in.lists(ITEM, **{"X-Cache": "stale", "Age": "125"})
    page = other_shop.get("/")
    assert other_shop.response.status_code == 200
    assert "as it was 2 minutes ago" in page.one("p", role="status").text
    assert rows(page)


def test_bad_rows_are_left_out(other_shop: Browser, stand_in: StandInApi) -> None:
    bad: list[dict[str, object]] = [
        {**ITEM, "quantity": "3"},
        {**ITEM, "price": 2.99},
        {**ITEM, "price": "2.9"},
        {**ITEM, "name": ""},
        {},
    ]
    stand_in.lists(*bad, ITEM)
    assert rows(other_shop.get("/")) == [("Lamp", "30", "€2.99")]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, {"title": "Service Unavailable"}),
        Answer(200, {"items": "none"}),
        Answer(200, []),
        Answer(200, {}, {"Content-Type": "text/html"}),
        Answer(302, {}, {"Location": "/elsewhere"}),
    ],
    ids=["503", "no list", "no object", "no JSON", "redirect"],
)
def test_without_items_a_plain_503_page(other_shop: Browser, stand_in: StandInApi, answer: Answer) -> None:
    stand_in.answer = answer
    page = other_shop.get("/?q=lamp")
    assert other_shop.response.status_code == 503
    assert other_shop.response.headers["Retry-After"] == "10"
    assert page.one("h1").text == "We’ll be right back"
    assert page.by_id("hostname").text == HOSTNAME
    assert page.one("a", **{"class": "button"}).attributes["href"] == "/?q=lamp"


def test_slow_api_is_not_waited_for(other_shop: Browser, stand_in: StandInApi) -> None:
    stand_in.answer = Answer(200, {}, delay=5)
    other_shop.get("/?q=never-seen")
    assert other_shop.response.status_code == 503
    assert 2.5 < other_shop.response.elapsed.total_seconds() < 4


def test_shop_has_no_admin(shop: Browser) -> None:
    for path in ("/admin", "/admin/", "/admin/login", "/admin/delete", "/index.php", "/src/App.php", "/style.css"):
        shop.get(path)
        assert shop.response.status_code == 404, path


def test_other_methods_are_refused(fleet: Fleet, shop: Browser) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        response = shop.session.request(method, fleet.shop.url, timeout=5)
        assert response.status_code == 405
        assert response.headers["Allow"] == "GET, HEAD"


def test_page_weighs_little(shop: Browser) -> None:
    shop.get("/", stream=True, headers={"Accept-Encoding": "gzip"})
    assert shop.response.headers["Content-Encoding"] == "gzip"
    assert int(shop.response.headers["Content-Length"]) < 10_000
    sheet = shop.page.one("link", rel="stylesheet").attributes["href"]
    style = shop.session.get(shop.url + sheet, headers={"Accept-Encoding": "gzip"}, timeout=5)
    assert int(style.headers["Content-Length"]) < 5_000
    assert style.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_stylesheet_of_another_version_is_not_kept(fleet: Fleet, shop: Browser) -> None:
    style = shop.session.get(f"{fleet.shop.url}/assets/style-0123456789abcdef.css", timeout=5)
    assert style.status_code == 200
    assert style.headers["Cache-Control"] == "no-store"
