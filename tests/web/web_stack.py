"""The web image in containers, a stand-in for the API, and a small browser without JavaScript."""

import ipaddress
import json
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import argon2
import requests
from shop_stack import AS_HAPROXY, HAPROXY_KEY, HARDENED, Stack, docker, free_port, wait_until

SEED = Path(__file__).parents[2] / "app_src" / "seed" / "items.csv"
VOID = {"meta", "link", "input", "br", "hr", "path"}
HOSTNAME = "web-under-test"
USER, PASSWORD = "admin", "correct horse"
IMPORTS = {"SHOP_IMPORT_MAX_KIB": "512", "SHOP_IMPORT_FORM_KIB": "544", "SHOP_IMPORT_MAX_ROWS": "5000"}


def web_secrets(directory: Path, own_key: str = HAPROXY_KEY, haproxy_key: str = HAPROXY_KEY) -> Path:
    """Write down the keys and who may log in.

    Args:
        directory: an empty one.
        own_key: what the web server shows; to an API without a load balancer in between it has to be the latter's.
        haproxy_key: what the web server is to be shown.

    Returns:
        The directory, to be mounted on /etc/shopfleet.
    """
    # Cheap on purpose: what a hash costs is not what is tested.
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    admins = json.dumps({USER: hasher.hash(PASSWORD)})
    for name, text in {"admins.json": admins, "service_key": own_key, "haproxy_key": haproxy_key}.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o444)
    directory.chmod(0o755)
    return directory


def ask(method: str, url: str, *, timeout: float = 10, **options: Any) -> requests.Response:  # noqa: ANN401
    """Send one request as the load balancer does."""
    return requests.request(method, url, headers=AS_HAPROXY | options.pop("headers", {}), timeout=timeout, **options)


class WebContainer:
    """One container of the web image.

    Args:
        image: the image.
        network: the Docker network to join.
        secrets_dir: what is mounted on /etc/shopfleet.
        environment: the settings.
        name: its name, after the network's.
        options: further options of `docker run`.
        ca: who vouches for it, where it speaks TLS.
    """

    def __init__(
        self,
        image: str,
        network: str,
        secrets_dir: Path,
        environment: dict[str, str],
        name: str = HOSTNAME,
        options: Sequence[str] = (),
        ca: Path | None = None,
    ) -> None:
        """Start it."""
        self.name = f"{network}-{name}-{secrets.token_hex(3)}"
        self.port = free_port()
        self.url = f"{'https' if ca else 'http'}://127.0.0.1:{self.port}"
        self._ca = ca
        environment = {**IMPORTS, **environment}
        settings = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
        docker(
            *("run", "--detach", "--name", self.name, "--hostname", name, "--network", network, "--user", "33:33"),
            *HARDENED,
            *("--publish", f"127.0.0.1:{self.port}:8080", "--volume", f"{secrets_dir}:/etc/shopfleet:ro"),
            *settings,
            *options,
            image,
        )

    def wait(self) -> None:
        """Wait until it answers."""
        wait_until(self._alive, f"{self.name} answers")

    def execute(self, *command: str) -> str:
        """Run a command inside."""
        return docker("exec", self.name, *command)

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the log, which must be JSON line by line."""
        done = subprocess.run(
            ["docker", "logs", self.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def remove(self) -> None:
        """Remove it."""
        docker("rm", "--force", "--volumes", self.name, check=False)

    def _alive(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", verify=str(self._ca) if self._ca else True, timeout=1).ok
        except requests.RequestException:
            return False


@dataclass
class Answer:
    """What the stand-in API answers; a document of bytes is sent as it is."""

    status: int = 200
    document: object = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    closes: bool = False  # the connection, without having said so


class StandInApi:
    """An API in states that the real one cannot easily be brought into.

    Args:
        address: where to listen; containers must be able to reach it.
    """

    def __init__(self, address: str) -> None:
        """Start to listen."""
        self.answer: Answer | Callable[[str], Answer] = Answer()  # to every request for a path, except for its health
        self.routes: dict[tuple[str, str], Answer] = {}  # what is answered otherwise, by method and path
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.bodies: list[bytes] = []
        self.gate = threading.Event()  # while it is not set, no answer leaves
        self.gate.set()
        self._sockets: list[socket.socket] = []
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == "/healthz":
                    answer = Answer(document={})
                else:
                    stand_in.requests.append((self.command, self.path, dict(self.headers)))
                    stand_in.bodies.append(body)
                    answer = stand_in.answer(self.path) if callable(stand_in.answer) else stand_in.answer
                    answer = stand_in.routes.get((self.command, self.path.split("?")[0]), answer)
                    time.sleep(answer.delay)
                    stand_in.gate.wait()
                kind = "application/json" if answer.status < 400 else "application/problem+json"
                self.send_response(answer.status)
                document = answer.document
                text = document if isinstance(document, bytes) else json.dumps(document).encode()
                body = b"" if answer.status == 304 else text
                for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = self.close_connection or answer.closes

            def setup(self) -> None:
                stand_in._sockets.append(self.request)
                super().setup()

            do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = _answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def lists(self, *items: dict[str, object], **headers: str) -> None:
        """Answer with a list of these items."""
        self.routes.clear()
        self.answer = Answer(document=item_list(*items), headers=headers)

    def fails(self) -> None:
        """Answer as the real one does when MySQL is down and nothing is cached."""
        self.routes.clear()
        self.answer = Answer(503, {"title": "Service Unavailable", "status": 503}, {"Retry-After": "5"})

    @property
    def connections(self) -> int:
        """How many were made."""
        return len(self._sockets)

    def stop(self) -> None:
        """Stop listening, and close all connections."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in self._sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def item_list(*items: dict[str, object], **more: object) -> dict[str, object]:
    """Return the document of a list that has these items."""
    return {"items": list(items), "total": len(items), "page": 1, "size": 50, "pages": 1, **more}


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
        self.session.headers.update(AS_HAPROXY)
        # An address of its own: what one test does wrong must not slow down the others.
        self.session.headers["X-Forwarded-For"] = str(ipaddress.IPv4Address(secrets.randbits(32)))
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
            if control.attributes.get("type") not in {"radio", "file"} or "checked" in control.attributes
        }

    def submit(self, action: str, **values: str) -> Element:
        """Fill in a form and send it."""
        target = self.form(action).attributes["action"]
        return self._load("POST", target, data={**self.values(action), **values})

    def upload(self, content: bytes, filename: str = "items.csv") -> Element:
        """Choose a file and send it."""
        files = {"file": (filename, content, "text/csv")}
        return self._load("POST", "/admin/import", data=self.values("/admin/import"), files=files)

    def log_in(self, password: str = PASSWORD, user: str = USER) -> Element:
        """Log in."""
        self.get("/admin/login")
        return self.submit("/admin/login", username=user, password=password)

    def save(self, **values: str) -> Element:
        """Fill in the admin form and send it."""
        return self.submit("/admin/", **values)

    def send(self, post: "Post") -> Element:
        """Send a form that was filled in before."""
        return self._load("POST", post.path, data=post.data, files=post.files)

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
class Post:
    """A form, filled in and not yet sent."""

    path: str
    data: dict[str, str]
    files: dict[str, tuple[str, bytes, str]] | None = None

    @classmethod
    def of(cls, form: Element) -> "Post":
        """Return what a form without anything to fill in sends."""
        data = {control.attributes["name"]: control.attributes["value"] for control in form.all("input")}
        return cls(form.attributes["action"], data)


def alerts(browser: Browser) -> str:
    """Return what the page warns of."""
    return " ".join(element.text for tag in ("p", "div") for element in browser.page.all(tag, role="alert"))


def notice(browser: Browser) -> str:
    """Return what the page says was done."""
    return browser.page.one("p", role="status").text


@dataclass(frozen=True)
class Fleet:
    """The web containers."""

    shop: WebContainer
    admin: WebContainer
    shop_before_stand_in: WebContainer
    admin_before_stand_in: WebContainer
    stand_in: StandInApi
    stack: Stack
    api: str
    secrets_dir: Path

    def another(self, settings: dict[str, str], secrets_dir: Path | None = None) -> WebContainer:
        """Start one more container; the caller removes it."""
        return WebContainer(self.stack.images["web"], self.stack.prefix, secrets_dir or self.secrets_dir, settings)
