"""What HAProxy answers itself is a page like the others."""

from pathlib import Path

from inspection import NARROW, SCHEMES, WIDE, Validator, axe_faults, foreign_parts, overflow
from window import OpenWindow


def test_page_of_a_refusal(open_window: OpenWindow, validator: Validator, artefacts: Path) -> None:
    window = open_window(javascript=True)
    window.open("/healthz")
    assert window.document.status == 404
    assert validator.faults(window.document.text()) == []
    assert foreign_parts(window) == []
    for width in (NARROW, WIDE):
        window.page.set_viewport_size({"width": width, "height": 900})
        assert overflow(window.page) == []
        for scheme in SCHEMES:
            window.page.emulate_media(color_scheme=scheme)
            window.page.screenshot(path=artefacts / "screenshots" / f"edge-not-found-{width}-{scheme}.png")
            assert axe_faults(window.page) == []
