"""The shop page as it is kept between requests: how old it may be, who renders it anew, what it falls back on."""

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from shop_stack import AS_HAPROXY, wait_until
from web_stack import Answer, Browser, Fleet, StandInApi, WebContainer, ask, item_list, parse, rows

CLIENTS = 10
LIFE = 4.0
DAMAGES = [
    ": > $f",
    "head -c 50 $f > /tmp/x; cat /tmp/x > $f",
    "head -c 500 $f > /tmp/x; cat /tmp/x > $f",
    "head -c 3000 /dev/urandom > $f",
    "printf X | dd of=$f bs=1 seek=17 conv=notrunc",
    "printf X | dd of=$f bs=1 seek=900 conv=notrunc",
    "echo more >> $f",
    "rm $f; mkdir $f",
]
LAMP: dict[str, object] = {"name": "Lamp", "quantity": 30, "price": "2.99"}
VASE: dict[str, object] = {"name": "Vase", "quantity": 30, "price": "2.99"}

Start = Callable[..., WebContainer]


@pytest.fixture
def start(fleet: Fleet) -> Iterator[Start]:
    """Starts shop containers, before the stand-in unless told otherwise."""
    started: list[WebContainer] = []

    def start(api: str = fleet.stand_in.url, **settings: str) -> WebContainer:
        web = fleet.another({"SHOP_ROLE": "shop", "SHOP_API_URL": api, **settings})
        started.append(web)
        web.wait()
        return web

    yield start
    fleet.stand_in.gate.set()
    for web in started:
        web.remove()


@pytest.fixture
def live(fleet: Fleet) -> Iterator[WebContainer]:
    """A container that keeps pages for bad times only, before the stand-in."""
    yield fleet.shop_before_stand_in
    fleet.stand_in.gate.set()


@pytest.fixture
def path() -> str:
    """A page that no other test asks for."""
    return f"/?q={secrets.token_hex(6)}"


@pytest.fixture
def own_api(fleet: Fleet) -> Iterator[StandInApi]:
    """A stand-in that a test may stop."""
    api = StandInApi(f"{fleet.stack.subnet}.1")
    yield api
    api.stop()


def get(web: WebContainer, path: str = "/", **options: object) -> requests.Response:
    response = ask("GET", web.url + path, timeout=15, **options)
    response.encoding = "utf-8"
    return response


def names(response: requests.Response) -> list[str]:
    assert response.status_code == 200
    return [name for name, _, _ in rows(parse(response.text))]


def workers(web: WebContainer, state: str) -> int:
    found = re.search(rf'^apache_workers\{{state="{state}"\}} (\d+)$', get(web, "/metrics").text, re.MULTILINE)
    assert found
    return int(found[1])


def kept_files(web: WebContainer) -> list[str]:
    return [name for name in web.execute("ls", "/tmp/pages").split() if name.isdigit()]  # noqa: S108  in the container


def herd(web: WebContainer, stand_in: StandInApi) -> list[list[str]]:
    """Send clients while the API does not answer, let it answer when all of them wait, and return what they got."""
    asked = len(stand_in.requests)
    stand_in.gate.clear()
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = [pool.submit(lambda: names(get(web))) for _ in range(CLIENTS)]
        wait_until(lambda: workers(web, "busy") > CLIENTS, "all clients are being served")
        assert len(stand_in.requests) == asked + 1
        stand_in.gate.set()
        return [answer.result() for answer in answers]


def have_workers(web: WebContainer, stand_in: StandInApi) -> None:
    """Let Apache start a worker for each client of a herd."""
    stand_in.answer = Answer(document=item_list(), delay=1)
    with ThreadPoolExecutor(CLIENTS + 4) as pool:
        while workers(web, "idle") < CLIENTS:
            list(pool.map(lambda number: get(web, f"/?q={number}{secrets.token_hex(4)}"), range(CLIENTS + 4)))


def test_one_of_many_clients_asks_the_api(start: Start, stand_in: StandInApi) -> None:
    web = start(SHOP_FRESHNESS_MS="1500")
    have_workers(web, stand_in)
    stand_in.lists(LAMP)
    asked = len(stand_in.requests)
    assert herd(web, stand_in) == [["Lamp"]] * CLIENTS
    assert len(stand_in.requests) == asked + 1
    time.sleep(1.5)  # and when that page has run out
    stand_in.lists(VASE)
    assert herd(web, stand_in) == [["Vase"]] * CLIENTS
    assert len(stand_in.requests) == asked + 2


def test_nobody_waits_while_one_renders_the_page_anew(start: Start, stand_in: StandInApi) -> None:
    web = start(SHOP_FRESHNESS_MS=str(int(LIFE * 1000)))
    stand_in.lists(LAMP)
    begun = time.monotonic()
    assert names(get(web)) == ["Lamp"]
    time.sleep(LIFE / 2)
    stand_in.lists(VASE)
    stand_in.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(lambda: names(get(web)))
        wait_until(lambda: len(stand_in.requests) == 2, "the API is asked again")
        served = 0
        while time.monotonic() < begun + LIFE * 0.8:
            assert names(get(web)) == ["Lamp"]
            served += 1
        assert served > 0
        assert len(stand_in.requests) == 2
        stand_in.gate.set()
        assert refreshing.result() == ["Vase"]
    assert names(get(web)) == ["Vase"]


def test_page_shows_a_write_after_a_second_at_most(fleet: Fleet, start: Start, name: str) -> None:
    web = start(fleet.api)
    page = f"/?q={name.replace(' ', '%20')}"
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            get(web, page)

    readers = [threading.Thread(target=keep_asking) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for quantity in range(50, 55):
            assert fleet.stack.admin.put(name, quantity=quantity, price="1.00").status in {200, 201}
            time.sleep(1.0)
            assert rows(parse(get(web, page).text)) == [(name, str(quantity), "€1.00")]
    finally:
        stop.set()
        for reader in readers:
            reader.join()


def test_without_delay_a_page_shows_a_write_at_once(fleet: Fleet, start: Start, name: str) -> None:
    web = start(fleet.api, SHOP_FRESHNESS_MS="0")
    page = f"/?q={name.replace(' ', '%20')}"
    for quantity in range(50, 70):
        assert fleet.stack.admin.put(name, quantity=quantity, price="1.00").status in {200, 201}
        assert rows(parse(get(web, page).text)) == [(name, str(quantity), "€1.00")]


def test_each_container_keeps_pages_of_its_own(start: Start, stand_in: StandInApi) -> None:
    stand_in.lists(LAMP)
    one, other = start(SHOP_FRESHNESS_MS="3000000"), start(SHOP_FRESHNESS_MS="3000000")
    assert names(get(one)) == ["Lamp"]
    stand_in.lists(VASE)
    assert names(get(other)) == ["Vase"]
    assert names(get(one)) == ["Lamp"]


def test_kept_pages_are_few_and_never_mixed_up(start: Start, stand_in: StandInApi) -> None:
    web = start()
    stand_in.answer = lambda path: Answer(document=item_list({**LAMP, "name": path.split("q=")[1].split("&")[0]}))
    for _ in range(2):
        for number in range(300):
            assert names(get(web, f"/?q=w{number}")) == [f"w{number}"]
    assert 64 < len(kept_files(web)) <= 128


def test_a_damaged_file_is_no_page(start: Start, stand_in: StandInApi) -> None:
    web = start(SHOP_FRESHNESS_MS="3000000")
    stand_in.lists({**LAMP, "name": "Item 0"})
    good = get(web).text
    assert len(kept_files(web)) == 1
    for number, damage in enumerate(DAMAGES):
        web.execute("sh", "-c", f"f=$(ls -d /tmp/pages/* | grep -v lock); {damage}")
        stand_in.lists({**LAMP, "name": f"Item {number + 1}"})
        assert get(web).text == good.replace("Item 0", f"Item {number + 1}"), damage


def test_a_full_memory_closes_no_shop(start: Start, stand_in: StandInApi) -> None:
    web = start()
    web.execute("sh", "-c", "echo > /tmp/pages")
    stand_in.lists(LAMP)
    assert names(get(web)) == ["Lamp"]


def test_compressed_and_plain_are_the_same_page(start: Start, stand_in: StandInApi) -> None:
    stand_in.lists(LAMP)
    web = start(SHOP_FRESHNESS_MS="3000000")
    for _ in range(2):  # as rendered, and as kept
        compressed = get(web, headers={"Accept-Encoding": "br, GZip"})
        plain = get(web, headers={"Accept-Encoding": "gzip;q=0"})
        assert compressed.headers["Content-Encoding"] == "gzip"
        assert "Content-Encoding" not in plain.headers
        assert compressed.text == plain.text
        assert compressed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
        assert compressed.headers["ETag"] != plain.headers["ETag"]
        assert int(plain.headers["Content-Length"]) == len(plain.content)


def test_head_tells_of_the_same_page(start: Start, stand_in: StandInApi) -> None:
    stand_in.lists(LAMP)
    web = start(SHOP_FRESHNESS_MS="3000000")
    for _ in range(2):
        head = ask("HEAD", web.url, timeout=5)
        assert head.content == b""
        own = {"Date", "X-Request-ID"}
        assert {k: v for k, v in head.headers.items() if k not in own} == {
            k: v for k, v in get(web).headers.items() if k not in own
        }


def test_an_unchanged_page_is_not_sent_again(live: WebContainer, path: str, stand_in: StandInApi) -> None:
    stand_in.lists(LAMP)
    first = get(live, path)
    again = get(live, path, headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    stand_in.lists(VASE)
    assert names(get(live, path, headers={"If-None-Match": first.headers["ETag"]})) == ["Vase"]


def test_each_answer_has_a_request_id_of_its_own(start: Start, stand_in: StandInApi) -> None:
    stand_in.lists(LAMP)
    web = start(SHOP_FRESHNESS_MS="3000000")
    for request_id in ("first", "second", "third"):
        assert get(web, headers={"X-Request-ID": request_id}).headers["X-Request-ID"] == request_id
    assert len({get(web).headers["X-Request-ID"] for _ in range(3)}) == 3


def test_other_addresses_of_a_page_name_the_short_one(start: Start, stand_in: StandInApi) -> None:
    stand_in.lists(LAMP)
    web = start(SHOP_FRESHNESS_MS="3000000")
    link = get(web, "/?size=50&page=1&q=+a++lamp&sort=price&dir=asc&utm=1").headers["Link"]
    assert link == f'<{web.url}/?q=a%20lamp&sort=price>; rel="canonical"'
    assert "Link" not in get(web, "/?q=a%20lamp&sort=price").headers
    assert len(stand_in.requests) == 1
    assert get(web, "/?", headers={"Host": '"><script>'}).status_code == 400


def test_unchanged_items_are_not_sent_again(live: WebContainer, path: str, stand_in: StandInApi) -> None:
    stand_in.lists(LAMP, ETag='"v1"')
    first = get(live, path).text
    stand_in.answer = Answer(304, headers={"ETag": '"v1"'})
    assert get(live, path).text == first
    assert stand_in.requests[-1][2]["If-None-Match"] == '"v1"'
    stand_in.lists(VASE, ETag='"v2"')
    assert names(get(live, path)) == ["Vase"]


def test_unchanged_items_may_be_old(live: WebContainer, path: str, stand_in: StandInApi) -> None:
    stand_in.lists(LAMP, ETag='"v1"')
    get(live, path)
    stand_in.answer = Answer(304, headers={"ETag": '"v1"', "X-Cache": "stale", "Age": "125"})
    assert "as it was 2 minutes ago" in get(live, path).text
    stand_in.answer = Answer(304, headers={"ETag": '"v1"'})
    assert "as it was" not in get(live, path).text


@pytest.mark.parametrize("freshness", ["0", "1000"])
def test_without_the_api_the_last_items_come_with_their_age(start: Start, own_api: StandInApi, freshness: str) -> None:
    own_api.lists(LAMP)
    web = start(own_api.url, SHOP_FRESHNESS_MS=freshness)
    before = time.monotonic()
    assert "as it was" not in get(web).text
    after = time.monotonic()
    own_api.stop()
    wait_until(lambda: "as it was" in get(web).text, "the notice is there")
    time.sleep(2)
    earliest = time.monotonic() - after
    page = get(web)
    assert names(page) == ["Lamp"]
    shown = re.search(r"as it was (\d+) seconds ago", page.text)
    assert shown
    # A page that one second is right for may be shown for that second; and seconds are cut, not rounded.
    assert earliest - 2 < int(shown[1]) <= time.monotonic() - before


def test_age_of_items_that_were_old_already(start: Start, own_api: StandInApi) -> None:
    own_api.lists(LAMP, **{"X-Cache": "stale", "Age": "3700"})
    web = start(own_api.url, SHOP_FRESHNESS_MS="0")
    assert "as it was 1 hour ago" in get(web).text
    own_api.stop()
    page = get(web).text
    assert "as it was 1 hour ago" in page
    assert page.count("out of date") == 1


def test_the_notice_goes_when_the_api_is_back(start: Start, stand_in: StandInApi) -> None:
    web = start()
    stand_in.lists(LAMP)
    good = get(web).text
    stand_in.fails()
    wait_until(lambda: "as it was" in get(web).text, "the notice is there")
    stand_in.lists(LAMP)
    wait_until(lambda: get(web).text == good, "the notice is gone")


def test_known_items_are_not_driven_out_by_failures(start: Start, stand_in: StandInApi) -> None:
    web = start()
    stand_in.lists(LAMP)
    get(web)
    stand_in.fails()
    for number in range(300):
        assert get(web, f"/?q=w{number}").status_code == 503
    assert names(get(web)) == ["Lamp"]


def test_an_api_that_has_just_failed_is_not_waited_for(start: Start, stand_in: StandInApi) -> None:
    web = start(SHOP_FRESHNESS_MS="3000000")
    stand_in.gate.clear()
    assert get(web).status_code == 503
    again = get(web)
    assert again.status_code == 503
    assert again.headers["X-Request-ID"] in again.text
    assert len(stand_in.requests) == 1


def test_a_connection_closed_meanwhile_is_made_anew(live: WebContainer, path: str, stand_in: StandInApi) -> None:
    stand_in.answer = Answer(document=item_list(LAMP), closes=True)
    for _ in range(30):
        assert names(get(live, path)) == ["Lamp"]


def test_a_kept_page_is_for_the_load_balancer_only(start: Start, stand_in: StandInApi) -> None:
    stand_in.lists(LAMP)
    web = start(SHOP_FRESHNESS_MS="60000")
    for _ in range(3):
        assert names(get(web)) == ["Lamp"]
    assert len(stand_in.requests) == 1
    assert requests.get(web.url, timeout=5).status_code == 401


def test_a_connection_is_kept(start: Start, own_api: StandInApi) -> None:
    web = start(own_api.url, SHOP_FRESHNESS_MS="0")
    own_api.lists(LAMP)
    session = requests.Session()
    session.headers.update(AS_HAPROXY)
    for _ in range(10):
        assert session.get(web.url, timeout=5).status_code == 200
    assert len(own_api.requests) == 10
    assert own_api.connections < 10


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "x"},
        {"Content-Length": "-1"},
        {"Content-Length": "99999999"},
        {"Transfer-Encoding": "chunked"},
        {"X-Request-ID": "of-somebody-else"},
        {"no header": "x"},
        {f"X-{number}": "x" for number in range(100)},
        {"X-Long": "x" * 9000},
    ],
    ids=["length", "negative", "huge", "chunked", "other request", "no header", "many headers", "long line"],
)
def test_an_answer_of_another_shape_is_none(
    live: WebContainer, path: str, stand_in: StandInApi, headers: dict[str, str]
) -> None:
    stand_in.lists(LAMP, **headers)
    assert get(live, path).status_code == 503
    stand_in.lists(VASE)
    assert names(get(live, path)) == ["Vase"]


def test_links_to_near_pages_carry_the_apis_cursors(other_shop: Browser, stand_in: StandInApi) -> None:
    document = item_list(LAMP, total=500, pages=10, next="NEXT_1", previous="PREV-1")
    stand_in.answer = Answer(document=document)
    page = other_shop.get("/?page=5&sort=price")
    links = {link.text: link.attributes["href"] for link in page.one("nav", **{"aria-label": "Pages"}).all("a")}
    assert links == {
        "Previous": "/?sort=price&page=4&cursor=PREV-1",
        "Page 1": "/?sort=price",
        "Page 4": "/?sort=price&page=4&cursor=PREV-1",
        "Page 5": "/?sort=price&page=5",
        "Page 6": "/?sort=price&page=6&cursor=NEXT_1",
        "Page 10": "/?sort=price&page=10",
        "Next": "/?sort=price&page=6&cursor=NEXT_1",
    }
    other_shop.get(links["Next"])
    assert stand_in.requests[-1][1] == "/items?sort=price&dir=asc&page=6&size=50&cursor=NEXT_1"
    assert other_shop.response.headers["Link"] == f'<{other_shop.url}/?sort=price&page=6>; rel="canonical"'


def test_a_search_with_too_many_hits_to_count(other_shop: Browser, stand_in: StandInApi) -> None:
    document = item_list(LAMP, total=10_000, pages=200, next="NEXT", previous="PREVIOUS", total_exact=False)
    stand_in.answer = Answer(document=document)
    page = other_shop.get("/?q=a&page=300")
    assert page.one("p", **{"class": "summary"}).text.startswith("14,951–15,000 of more than 10,000 items")
    assert page.one("a", rel="next").attributes["href"] == "/?q=a&page=301&cursor=NEXT"


def test_a_cursor_that_means_nothing_leads_to_the_page_by_number(live: WebContainer, stand_in: StandInApi) -> None:
    problem = {"title": "Invalid", "errors": [{"field": "cursor", "message": "cannot be read"}]}
    stand_in.answer = lambda path: Answer(422, problem) if "cursor" in path else Answer(document=item_list(LAMP))
    assert names(get(live, "/?cursor=old")) == ["Lamp"]
    assert names(get(live, "/?cursor=%3Cscript%3E")) == ["Lamp"]
    assert [path for _, path, _ in stand_in.requests if "script" in path] == []


def test_a_refused_search_says_why(start: Start, stand_in: StandInApi) -> None:
    stand_in.answer = Answer(422, {"title": "Invalid", "detail": "<b>Too odd.</b>"})
    shop = Browser(start().url)
    for _ in range(2):  # as rendered, and as kept
        page = shop.get("/?q=odd")
        assert shop.response.status_code == 400
        assert "This search is not possible" in page.one("main").text
        assert "<b>Too odd.</b>" in page.one("main").text
        assert page.by_id("q").attributes["value"] == "odd"


RUPEES = '{"symbol":"₹","prefix":"₹","suffix":"","decimal":".","group":",","primary":3,"secondary":2,"minimum":1}'
ZLOTY = (
    '{"symbol":"zł","prefix":"","suffix":"\xa0zł","decimal":",","group":"\xa0","primary":3,"secondary":3,"minimum":2}'
)


@pytest.mark.parametrize(
    ("money", "price", "shown", "count"),
    [
        (RUPEES, "1234567.50", "₹12,34,567.50", "12,34,567"),
        (RUPEES, "999.05", "₹999.05", "999"),
        (ZLOTY, "1234.50", "1234,50 zł", "1234"),
        (ZLOTY, "12345.50", "12 345,50 zł", "12 345"),
    ],
)
def test_money_and_counts_follow_the_setting(
    start: Start, stand_in: StandInApi, money: str, price: str, shown: str, count: str
) -> None:
    quantity = int(price.split(".")[0])
    stand_in.lists({"name": "Lamp", "quantity": quantity, "price": price})
    web = start(SHOP_MONEY=money)
    assert rows(parse(get(web).text)) == [("Lamp", count, shown)]


def test_what_is_low_stock_is_a_setting(start: Start, stand_in: StandInApi) -> None:
    stand_in.lists(*({**LAMP, "quantity": quantity} for quantity in (0, 10, 11)))
    web = start(SHOP_LOW_STOCK="10")
    assert [shown for _, shown, _ in rows(parse(get(web).text))] == ["0 Out of stock", "10 Low stock", "11"]


def test_searches_with_odd_characters_are_kept_apart(start: Start, stand_in: StandInApi) -> None:
    stand_in.lists()
    web = start(SHOP_FRESHNESS_MS="3000000")
    # Each has a place of its own among those that pages are kept in.
    typed = ["a&page=2", "a+b", "a b", "%61", "é", "e\u0301", "cursor=x", "long " * 20 + "."]
    for _ in range(2):
        for text in typed:
            page = parse(get(web, "/?" + requests.compat.urlencode({"q": text})).text)
            assert page.by_id("q").attributes["value"] == text
    assert len(stand_in.requests) == len(typed)
