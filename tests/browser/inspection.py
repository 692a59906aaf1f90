"""What is checked of every page, in whatever state it is."""

import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from shop_stack import free_port, wait_until
from window import Window

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
TOOLS = Path(__file__).parents[2] / ".fleet" / "node" / "node_modules"
VNU = TOOLS / "vnu-jar" / "build" / "dist" / "vnu.jar"

NARROW, WIDE = 320, 1280
SCHEMES = ("light", "dark")
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    # Off unless it is named, although WCAG 2.2 AA has it.
    "rules": {"target-size": {"enabled": True}},
}


class Validator:
    """The Nu HTML checker, as a server: it takes seconds to start and milliseconds to check."""

    def __init__(self) -> None:
        """Start it."""
        self._port = free_port()
        self._process = subprocess.Popen(
            [
                *("java", "-Xmx256m", "-Dnu.validator.servlet.bind-address=127.0.0.1"),
                *("-cp", str(VNU), "nu.validator.servlet.Main", str(self._port)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        """Wait until it answers."""
        wait_until(self._listens, "the HTML checker answers", 180)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()

    def faults(self, source: str, kind: str = "text/html") -> list[str]:
        """Return what is wrong with a document.

        Args:
            source: the document.
            kind: its media type, text/html or text/css.
        """
        answer = requests.post(
            f"http://127.0.0.1:{self._port}/?out=json",
            data=source.encode(),
            headers={"Content-Type": f"{kind}; charset=utf-8"},
            timeout=30,
        )
        answer.raise_for_status()
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return [f"line {message.get('lastLine')}: {message['message']}" for message in messages]

    def _listens(self) -> bool:
        assert self._process.poll() is None, "the HTML checker does not start"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


class Inspector:
    """Looks at pages as people of different eyes, screens and tools do, and takes pictures.

    Args:
        validator: checks the HTML.
        screenshots: the directory for the pictures.
    """

    def __init__(self, validator: Validator, screenshots: Path) -> None:
        """Make the directory."""
        self.validator = validator
        self.screenshots = screenshots
        screenshots.mkdir(parents=True, exist_ok=True)

    def faults(self, window: Window, name: str) -> list[str]:
        """Return what is wrong with the page that a window shows; pictures of it carry the name."""
        page = window.page
        faults = [f"HTML: {fault}" for fault in self.validator.faults(window.document.text())]
        faults += foreign_parts(window) + hostname_faults(page)
        for width in (NARROW, WIDE):
            page.set_viewport_size({"width": width, "height": 900})
            faults += [f"{width} px: {fault}" for fault in overflow(page)]
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                page.screenshot(path=self.screenshots / f"{name}-{width}-{scheme}.png", full_page=True)
                faults += [f"{width} px, {scheme}: {fault}" for fault in axe_faults(page)]
        return faults


def axe_faults(page: Page) -> list[str]:
    """Return the violations that axe finds."""
    results = Axe().run(page, options=AXE)
    return [
        f"axe {violation['id']}: {violation['help']}: {node['html']}"
        for violation in results.response["violations"]
        for node in violation["nodes"]
    ]


def overflow(page: Page) -> list[str]:
    """Return what is wider than the window, so that one would have to scroll sideways."""
    found: list[str] = page.evaluate(
        """() => {
            const root = document.scrollingElement;
            if (root.scrollWidth <= root.clientWidth) return [];
            return [...document.body.querySelectorAll('*')]
                .filter(element => element.getBoundingClientRect().right > root.clientWidth + 0.5)
                .map(element => 'too wide: ' + element.outerHTML.slice(0, 120))
                .concat(`page is ${root.scrollWidth} px wide`);
        }"""
    )
    return found


def foreign_parts(window: Window) -> list[str]:
    """Return what the page loads or runs beyond itself and one stylesheet of its own server."""
    source = window.document.text()
    faults = []
    if len(re.findall(r"<link\b[^>]*rel=.?stylesheet", source)) > 1:
        faults.append("more than one stylesheet")
    if re.search(r"<script\b|<style\b|\son\w+=|\sstyle=", source):
        faults.append("script or style in the page")
    foreign = [r.url for r in window.requests if not r.url.startswith((f"{window.url}/", "data:"))]
    return faults + [f"asks another server: {url}" for url in foreign]


def hostname_faults(page: Page) -> list[str]:
    """Return what is wrong with the place of the hostname: it stands first, at the top left."""
    box = page.locator("#hostname").bounding_box()
    if box is None:
        return ["the hostname is not to be seen"]
    first = page.evaluate(
        """() => [...document.body.querySelectorAll('body *')]
            .filter(element => element.children.length === 0 && element.textContent.trim())
            .filter(element => {
                const box = element.getBoundingClientRect();
                return box.width > 1 && box.height > 1 && box.right > 0;
            })[0].id"""
    )
    faults = [] if first == "hostname" else [f"not the hostname but {first} comes first"]
    return faults if box["x"] < 60 and box["y"] < 60 else [*faults, f"the hostname is not at the top left: {box}"]
