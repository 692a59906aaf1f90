"""The web image in containers, a stand-in for the API, and a small browser without JavaScript."""

import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from shop_stack import HARDENED, Stack, docker, wait_until

SEED = Path(__file__).parents[2] / "app_src" / "seed" / "items.csv"
VOID = {"meta", "link", "input", "br", "hr", "path"}
HOSTNAME = "web-under-test"
USER, PASSWORD = "admin", "correct horse"


def free_port() -> int:
    """Return a free port below the ephemeral ones."""
    while True:
        port = 20000 + secrets.randbelow(12000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


class WebContainer:
    """One container of the web image.

    Args:
        image: the image.
        network: the Docker network to join.
        secrets_dir: what is mounted on /etc/shopfleet.
        environment: the settings.
    """

    def __init__(self, image: str, network: str, secrets_dir: Path, environment: dict[str, str]) -> None:
        """Start it."""
        self.name = f"{network}-web-{secrets.token_hex(3)}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
        docker(
            *("run", "--detach", "--name", self.name, "--hostname", HOSTNAME, "--network", network, "--user", "33:33"),
            *HARDENED,
            *("--publish", f"127.0.0.1:{self.port}:8080", "--volume", f"{secrets_dir}:/etc/shopfleet:ro"),
            *settings,
            image,
        )

    def wait(self) -> None:
        """Wait until it answers."""
        wait_until(self._alive, 10, f"{self.name} answers")

    def execute(self, *command: str) -> str:
        """Run a command inside."""
        return docker("exec", self.name, *command)

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the log, which must be JSON line by line."""
        done = docker("logs", self.name)
        return [json.loads(line) for line in done.splitlines()]

    def remove(self) -> None:
        """Remove it."""
        docker("rm", "--force", "--volumes", self.name, check=False)

    def _alive(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=1).ok
        except requests.RequestException:
            return False


@dataclass
class Answer:
    """What the stand-in API answers to every request, except for its health."""

    status: int = 200
    document: object = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


class StandInApi:
    """An API in states that the real one cannot easily be brought into.

    Args:
        address: where to listen; containers must be able to reach it.
    """

    def __init__(self, address: str) -> None:
        """Start to listen."""
        self.answer = Answer()
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                stand_in.requests.append((self.command, self.path, dict(self.headers)))
                answer = Answer(document={}) if self.path == "/healthz" else stand_in.answer
                time.sleep(answer.delay)
                kind = "application/json" if answer.status < 400 else "application/problem+json"
                self.send_response(answer.status)
                for name, value in {"Content-Type": kind, **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(json.dumps(answer.document).encode())

            do_GET = do_PUT = do_DELETE = _answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def lists(self, *items: dict[str, object], **headers: str) -> None:
        """Answer with a list of these items."""
        document = {"items": list(items), "total": len(items), "page": 1, "size": 50, "pages": 1}
        self.answer = Answer(document=document, headers=headers)

    def fails(self) -> None:
        """Answer as the real one does when MySQL is down and nothing is cached."""
        self.answer = Answer(503, {"title": "Service Unavailable", "status": 503}, {"Retry-After": "5"})

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Element:
    """An HTML element."""

    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its text, white space collapsed."""
        return " ".join(self._raw_text().split())

    def all(self, tag: str, **attributes: str) -> list["Element"]:
        """Return the elements below it with this tag and these attributes."""
        return [
            element
            for element in self._below()
            if element.tag == tag and all(element.attributes.get(key) == value for key, value in attributes.items())
        ]

    def one(self, tag: str, **attributes: str) -> "Element":
        """Return the only such element."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} times <{tag} {attributes}>"
        return found[0]

    def by_id(self, name: str) -> "Element":
        """Return the element with an id."""
        found = [element for element in self._below() if element.attributes.get("id") == name]
        assert len(found) == 1, f"{len(found)} elements with the id {name}"
        return found[0]

    def _raw_text(self) -> str:
        return "".join(child if isinstance(child, str) else child._raw_text() for child in self.children)

    def _below(self) -> Iterator["Element"]:
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child._below()


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.stack = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {key: value or "" for key, value in attrs})
        self.stack[-1].children.append(element)
        if tag not in VOID:
            self.stack.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.stack[-1].children.append(Element(tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop().tag == tag, f"</{tag}> closes what it did not open"

    def handle_data(self, data: str) -> None:
        self.stack[-1].children.append(data)


def parse(html: str) -> Element:
    """Read a page; unbalanced tags are an error."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert len(parser.stack) == 1, f"<{parser.stack[-1].tag}> is never closed"
    return parser.stack[0]


class Browser:
    """Follows links and fills in forms, with cookies and without JavaScript.

    Args:
        url: of the server.
    """

    def __init__(self, url: str) -> None:
        """Begin without any cookie."""
        self.url = url
        self.session = requests.Session()
        self.response = requests.Response()
        self.page = Element("", {})

    def get(self, path: str, **options: Any) -> Element:  # noqa: ANN401
        """Open a page."""
        return self._load("GET", path, **options)

    def form(self, action: str) -> Element:
        """Return the form that is posted to a path."""
        found = [
            form for form in self.page.all("form", method="post") if form.attributes["action"].split("?")[0] == action
        ]
        assert len(found) == 1, f"{len(found)} forms for {action}"
        return found[0]

    def values(self, action: str) -> dict[str, str]:
        """Return what a form would send as it is."""
        return {
            control.attributes["name"]: control.attributes.get("value", "")
            for control in self.form(action).all("input")
            if control.attributes.get("type") != "radio" or "checked" in control.attributes
        }

    def submit(self, action: str, **values: str) -> Element:
        """Fill in a form and send it."""
        target = self.form(action).attributes["action"]
        return self._load("POST", target, data={**self.values(action), **values})

    def log_in(self, password: str = PASSWORD, user: str = USER) -> Element:
        """Log in."""
        self.get("/admin/login")
        return self.submit("/admin/login", username=user, password=password)

    def save(self, **values: str) -> Element:
        """Fill in the admin form and send it."""
        return self.submit("/admin/", **values)

    def _load(self, method: str, path: str, **options: Any) -> Element:  # noqa: ANN401
        self.response = self.session.request(method, urljoin(self.url, path), timeout=10, **options)
        self.response.encoding = "utf-8"
        self.page = parse(self.response.text)
        return self.page


def rows(page: Element) -> list[tuple[str, str, str]]:
    """Return the rows of the table of items: name, quantity with its mark, price."""
    body = page.by_id("items").one("tbody")
    found = []
    for row in body.all("tr"):
        cells = [cell for cell in row.children if isinstance(cell, Element)]
        name = "".join(part for part in cells[0].children if isinstance(part, str)).strip()
        found.append((name, cells[1].text, cells[2].text))
    return found


@dataclass(frozen=True)
class Fleet:
    """The web containers."""

    shop: WebContainer
    admin: WebContainer
    shop_before_stand_in: WebContainer
    admin_before_stand_in: WebContainer
    stand_in: StandInApi
    stack: Stack

    def another(self, settings: dict[str, str]) -> WebContainer:
        """Start one more container; the caller removes it."""
        return WebContainer(self.stack.images["web"], self.stack.prefix, self.stack.secrets, settings)
