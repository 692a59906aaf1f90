"""The checks that every page passes do find faults: each is shown one that was planted."""

import pytest
from inspection import NARROW, Inspector, Validator, axe_faults, foreign_parts, hostname_faults, overflow
from test_keyboard import focus, walk
from window import OpenWindow, Window


@pytest.fixture
def page(open_window: OpenWindow) -> Window:
    """A window on the shop, narrow, in which faults can be planted."""
    window = open_window(javascript=True, width=NARROW)
    window.open("/")
    return window


def style(window: Window, rule: str) -> None:
    """Plant a rule, past what the server allows."""
    window.page.evaluate(
        "rule => document.styleSheets[0].insertRule(rule, document.styleSheets[0].cssRules.length)", rule
    )


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (
            "document.querySelector('label[for=q]').remove(); document.querySelector('#q').placeholder = ''",
            "axe label:",
        ),
        ("document.querySelector('h1').remove()", "axe page-has-heading-one:"),
        ("document.documentElement.lang = ''", "axe html-has-lang:"),
    ],
)
def test_axe_finds_what_is_missing(page: Window, script: str, found: str) -> None:
    assert axe_faults(page.page) == []
    page.page.evaluate(script)
    assert any(fault.startswith(found) for fault in axe_faults(page.page))


def test_axe_finds_pale_text(page: Window) -> None:
    style(page, ".summary { color: #aaa }")
    assert any(fault.startswith("axe color-contrast:") for fault in axe_faults(page.page))


def test_axe_finds_targets_too_small_to_hit(page: Window) -> None:
    style(page, ".pages a { display: inline; padding: 0; font-size: 8px; min-width: 0; line-height: 1 }")
    style(page, ".pages { gap: 0 }")
    assert any(fault.startswith("axe target-size:") for fault in axe_faults(page.page))


def test_what_is_wider_than_the_window_is_found(page: Window) -> None:
    assert overflow(page.page) == []
    style(page, "h1 { min-width: 400px }")
    assert any("<h1" in fault for fault in overflow(page.page))


def test_hostname_elsewhere_is_found(page: Window) -> None:
    assert hostname_faults(page.page) == []
    style(page, ".bar { flex-direction: row-reverse; justify-content: flex-start }")
    assert hostname_faults(page.page) != []
    style(page, ".host { display: none }")
    assert hostname_faults(page.page) == ["the hostname is not to be seen"]


def test_foreign_parts_are_found(page: Window) -> None:
    assert foreign_parts(page) == []
    page.page.route("http://fonts.invalid/**", lambda route: route.fulfill(body=""))
    page.page.evaluate("location = 'http://fonts.invalid/'")
    page.page.wait_for_url("http://fonts.invalid/")
    assert foreign_parts(page) == ["asks another server: http://fonts.invalid/"]


def test_invalid_html_and_css_are_found(validator: Validator) -> None:
    page = "<!DOCTYPE html><html lang=en><title>Shop</title>{}"
    assert validator.faults(page.format("<p>Lamp</p>")) == []
    assert validator.faults(page.format("<p id=a>Lamp</p><p id=a>Lamp</p>")) != []
    assert validator.faults(page.format("<ul><p>Lamp</p></ul>")) != []
    assert validator.faults("p { colour: red }", "text/css") != []


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (":focus-visible { outline: 0 }", "no outline"),
        (":focus-visible { outline-color: #eee }", "outline without contrast"),
        (":focus-visible { position: fixed; left: -300px; width: 200px }", "outside the window"),
        (".bar { position: fixed; inset: 0; z-index: 9 }", "covered"),
    ],
)
def test_focus_that_cannot_be_seen_is_found(page: Window, rule: str, found: str) -> None:
    assert [stop for stop in walk(page.page) if stop.faults] == []
    style(page, rule)
    page.page.locator("#q").focus()
    stop = focus(page.page)
    assert stop
    assert found in stop.faults


def test_inspector_reports_each_kind(inspector: Inspector, page: Window) -> None:
    style(page, "h1 { min-width: 2000px; color: #ddd }")
    faults = " ".join(inspector.faults(page, "planted-faults"))
    assert "320 px: too wide" in faults
    assert "1280 px: too wide" in faults
    assert "light: axe color-contrast" in faults
