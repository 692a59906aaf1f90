"""Shop and admin page by the keyboard alone: everything can be reached, in order, and is seen to be focused."""

import re
import secrets
from dataclasses import dataclass

import pytest
from full_stack import FullStack
from inspection import NARROW, SCHEMES, WIDE
from playwright.sync_api import Page, expect
from web_stack import PASSWORD, USER
from window import OpenWindow, Window

MOST_STOPS = 200


@dataclass(frozen=True)
class Stop:
    """Where the focus stands."""

    role: str
    name: str
    faults: tuple[str, ...]


def focus(page: Page) -> Stop | None:
    """Return where the focus stands, with what keeps it from being seen; None when it has left the page."""
    focused = page.locator(":focus")
    if focused.count() == 0:
        return None
    first = focused.aria_snapshot().splitlines()[0]
    found = re.match(r"""- '?(\w+)(?: "((?:[^"\\]|\\.)*)")?""", first)
    assert found, first
    faults: list[str] = focused.evaluate(
        """element => {
            const style = getComputedStyle(element), faults = [];
            const light = colour => {
                const [r, g, b] = colour.match(/[\\d.]+/g).map(Number)
                    .map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) faults.push('no outline');
            let behind = element.parentElement;
            while (behind && /, 0\\)$/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
            const [a, b] = [style.outlineColor, getComputedStyle(behind || document.body).backgroundColor]
                .map(light).sort((a, b) => b - a);
            if ((a + 0.05) / (b + 0.05) < 3) faults.push('outline without contrast');
            const box = element.getBoundingClientRect();
            if (box.left < 0 || box.right > innerWidth || box.bottom < 0 || box.top > innerHeight)
                faults.push('outside the window');
            const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
            if (!top || !(element.contains(top) || top.contains(element))) faults.push('covered');
            return faults;
        }"""
    )
    return Stop(found[1], (found[2] or "").replace('\\"', '"'), tuple(faults))


def walk(page: Page) -> list[Stop]:
    """Press Tab from the top of the page until the focus has left it."""
    stops: list[Stop] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop = focus(page)
        if stop is None or (stops and stop == stops[0]):
            return stops
        stops.append(stop)
    raise AssertionError(f"more than {MOST_STOPS} stops")


def tab_to(page: Page, role: str, name: str) -> None:
    """Press Tab until something has the focus."""
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop = focus(page)
        if stop and (stop.role, stop.name) == (role, name):
            assert not stop.faults, stop
            return
    raise AssertionError(f"{role} “{name}” cannot be reached")


def press(page: Page, role: str, name: str) -> None:
    """Go to something by Tab and press Enter."""
    tab_to(page, role, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


BEFORE_LAST_PAGE = [
    ("link", "Skip to the content"),
    ("link", "Shopfleet"),
    ("searchbox", "Search items"),
    ("button", "Search"),
    ("link", "Item name"),
    ("link", "Quantity"),
    ("link", "Price"),
    ("link", "Previous"),
    ("link", "Page 1"),
    ("link", "Page 2"),
    ("link", "Page 3"),
]
AFTER_LAST_PAGE = [
    ("link", "Next"),
    ("link", "25 items per page"),
    ("link", "50 items per page"),
    ("link", "100 items per page"),
]


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_focus_goes_through_the_shop_in_order_and_is_seen(
    open_window: OpenWindow, stack: FullStack, width: int
) -> None:
    window = open_window(width=width)
    last = stack.read.get("/items?size=25").json["pages"]
    window.open("/?sort=price&page=2&size=25")
    for scheme in SCHEMES:
        window.page.emulate_media(color_scheme=scheme)
        stops = walk(window.page)
        assert [stop for stop in stops if stop.faults] == []
        assert [(stop.role, stop.name) for stop in stops] == [
            *BEFORE_LAST_PAGE,
            ("link", f"Page {last}"),
            *AFTER_LAST_PAGE,
        ]


@pytest.mark.parametrize(
    "path", ["/admin/?q=bread", "/admin/?q=bread&edit=Bread+tin", "/admin/changes", "/admin/import"]
)
def test_focus_is_seen_on_every_admin_page(admin: Window, path: str) -> None:
    for width in (NARROW, WIDE):
        admin.page.set_viewport_size({"width": width, "height": 900})
        admin.open(path)
        # From the top, and not from a field that has the focus already.
        admin.page.evaluate("document.activeElement.blur()")
        stops = walk(admin.page)
        assert [stop for stop in stops if stop.faults] == []
        assert stops[0] == Stop("link", "Skip to the content", ())
        everything = "a[href], button, input:not([type=hidden]):not([type=radio]:not(:checked))"
        assert len(stops) == admin.page.locator(everything).count()


def test_skip_link_goes_past_the_head_of_the_page(shop: Window) -> None:
    shop.open("/")
    shop.page.keyboard.press("Tab")
    expect(shop.page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    shop.page.keyboard.press("Enter")
    expect(shop.page.get_by_role("main")).to_be_focused()
    shop.page.keyboard.press("Tab")
    expect(shop.page.get_by_role("searchbox")).to_be_focused()


def test_shop_can_be_used_by_the_keyboard_alone(shop: Window) -> None:
    page = shop.page
    shop.open("/")
    tab_to(page, "searchbox", "Search items")
    page.keyboard.type("e")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=e**")
    press(page, "link", "Price")
    press(page, "link", "25 items per page")
    press(page, "link", "Next")
    assert {"q=e", "sort=price", "size=25", "page=2"} <= set(re.split("[?&]", shop.path))
    assert len(shop.rows()) == 25


def test_admin_page_can_be_used_by_the_keyboard_alone(shop: Window, stack: FullStack) -> None:
    page, name = shop.page, f"Thing {secrets.token_hex(6)}"
    shop.open("/admin/")
    # The browser gives the focus with the first frame it draws; what is typed before that is lost.
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type(USER)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")

    tab_to(page, "textbox", "Item name")
    for text in (name, "3", "24.50"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert shop.typed() == {"name": name, "quantity": "3", "price": "24.50", "mode": "add"}
    press(page, "button", "Save")
    expect(page.get_by_role("status")).to_contain_text(name)

    tab_to(page, "searchbox", "Search items")
    page.keyboard.type(name)
    press(page, "button", "Search")
    press(page, "link", f"Edit {name}")
    expect(page.locator("#quantity")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("5")
    press(page, "button", "Save")
    assert stack.admin.item(name).json["quantity"] == 5

    press(page, "link", f"Delete {name}")
    press(page, "button", "Delete this item")
    assert stack.admin.item(name).status == 404
    press(page, "button", "Undo")
    assert stack.admin.item(name).json["quantity"] == 5
    press(page, "button", "Log out")
    expect(page.get_by_label("User name")).to_be_focused()
