"""The whole shop as containers on a network of the tests' own: HAProxy, web servers, admin, both APIs, MySQL, Redis.

HAProxy's configuration is the role's own template, and the web servers' environment the catalogue's own, for the
addresses here. Beside the shop, further sites can stand behind the same HAProxy on ports of their own: web containers
with other settings, or the bare page that pages are compared with.
"""

import json
import os
import re
import shutil
import ssl
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / part) for part in ("api", "web", "stack", "shared")]

import requests  # noqa: E402
from edge import Settings, render  # noqa: E402
from shop_stack import (  # noqa: E402
    CERTIFICATE,
    HAPROXY_KEYS,
    HARDENED,
    OWN_KEYS,
    Client,
    Stack,
    docker,
    free_port,
    issue,
    wait_until,
)
from web_stack import SEED, WebContainer, web_secrets  # noqa: E402

IMAGES = {
    "web": "SHOP_TEST_WEB_IMAGE",
    "haproxy": "SHOP_TEST_HAPROXY_IMAGE",
    "api": "SHOP_TEST_API_IMAGE",
    "mysql": "SHOP_TEST_MYSQL_BASE_IMAGE",
    "redis": "SHOP_TEST_REDIS_BASE_IMAGE",
}
BARE = "bare"
BARE_PAGE = TESTS / "stack" / "bare" / "index.php"
WEB_SERVERS = 3
OWN_CERTIFICATE = "/etc/shopfleet/certificate.pem"
TARGET_PORT = 8080
SITE_PORT = 8100


class FullStack(Stack):
    """The containers; `web-1` to `web-3` are the shop's web servers.

    Args:
        images: the names of the images, by the keys of IMAGES.
        directory: an empty directory for secrets and configuration.
        sites: further sites, three web containers each, by name: their settings on top of the shop's. The site
            named BARE is the bare page.
        internal_tls: whether they speak TLS with each other.
        **settings: settings of the shop's and the admin page's web containers on top of the catalogue's.
    """

    def __init__(
        self,
        images: dict[str, str],
        directory: Path,
        sites: Mapping[str, Settings] | None = None,
        *,
        internal_tls: bool = False,
        **settings: str,
    ) -> None:
        """Choose names, addresses and ports."""
        for part in ("api", *OWN_KEYS, "haproxy"):
            (directory / part).mkdir()
        super().__init__(images, directory / "api")
        self.directory = directory
        directory.chmod(0o755)
        (directory / "haproxy").chmod(0o755)
        self.settings = settings
        self.internal_tls = internal_tls
        if internal_tls:
            self.tls = ssl.create_default_context(cadata=CERTIFICATE.pem(self.ca.certificate))
        self.sites = {"web": settings, **(sites or {})}
        self.webs: dict[str, WebContainer] = {}
        self.port, self.https_port = free_port(), free_port()
        self.hosts |= {"api": 12, "admin-api": 13, "haproxy": 14, "admin": 15}
        self.hosts |= {name: 20 + number for number, name in enumerate(self._web_names())}

    @property
    def url(self) -> str:
        """The shop's address for a browser on this machine."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def https_url(self) -> str:
        """The same by https, with the certificate `haproxy/edge.pem` of the directory."""
        return f"https://localhost:{self.https_port}"

    def site(self, name: str) -> str:
        """Return the address of a site (`web` is the shop) on HAProxy itself, without Docker's proxy in between."""
        return f"http://{self.address('haproxy')}:{self._site_port(name)}"

    def container(self, name: str) -> str:
        """Return the name that Docker knows a container by."""
        return self.webs[name].name if name in self.webs else super().container(name)

    def start(self) -> None:
        """Start all of it, with the seed's items, and wait until every page is served."""
        super().start()
        self.migrate("--seed", "/seed/items.csv", mounts={SEED.parent: "/seed"})
        environment = self._render()
        for service, key in OWN_KEYS.items():
            web_secrets(self.directory / service, key, HAPROXY_KEYS[service])
        with ThreadPoolExecutor() as pool:
            started = pool.map(lambda name: self._web(name, environment), ["admin", *self._web_names()])
            self.webs = dict(zip(["admin", *self._web_names()], started, strict=True))
            list(pool.map(WebContainer.wait, self.webs.values()))
        configuration = f"{self.directory / 'haproxy'}:/etc/shopfleet:ro"
        ports = ["--publish", f"127.0.0.1:{self.port}:80", "--publish", f"127.0.0.1:{self.https_port}:443"]
        self._run("haproxy", [*HARDENED, *ports, "--volume", configuration], [])
        for url in [*map(self.site, self.sites), f"{self.url}/admin/login"]:
            wait_until(partial(self._serves, url), f"{url} is served")

    def stop(self) -> None:
        """Remove all that was made."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(WebContainer.remove, self.webs.values()))
        super().stop()

    def api(self, name: str, mode: str, variant: str | None = None, **more: str) -> Client:
        """Start an API as `Stack.api` does."""
        certificate = {"SHOP_CERTIFICATE": OWN_CERTIFICATE} if self.internal_tls else {}
        return super().api(name, mode, variant, **certificate, **more)

    def folder(self, name: str) -> Path:
        """Return what a container finds in /etc/shopfleet: what all of its service do, and its own certificate."""
        service = name if name in OWN_KEYS else "api" if name in ("api", "admin-api") else "web"
        shared = self.directory / service
        if not self.internal_tls:
            return shared
        folder = self.directory / f"{name}-with-certificate"
        folder.mkdir()
        for file in filter(Path.is_file, shared.iterdir()):
            shutil.copy(file, folder)
        issue(folder, self.ca, self.names(name))
        return folder

    def names(self, name: str) -> list[str]:
        """Return what the certificate of a container is valid for."""
        return [name, "127.0.0.1", self.address(name)]

    def halt(self, name: str) -> None:
        """Stop a container."""
        docker("stop", "--time", "5", self.container(name))

    def resume(self, name: str) -> None:
        """Start a stopped container again."""
        docker("start", self.container(name))

    def pause(self, name: str) -> None:
        """Freeze a container."""
        docker("pause", self.container(name))

    def unpause(self, name: str) -> None:
        """Thaw a frozen container."""
        docker("unpause", self.container(name))

    def _web_names(self) -> list[str]:
        return [f"{site}-{number + 1}" for site in self.sites for number in range(WEB_SERVERS)]

    def _site_port(self, name: str) -> int:
        return SITE_PORT + list(self.sites).index(name) if name != "web" else 80

    def _web(self, name: str, environment: dict[str, Settings]) -> WebContainer:
        service = "admin" if name == "admin" else "web"
        site = "web" if name == "admin" else name.rpartition("-")[0]
        options = ["--ip", self.address(name)]
        if site == BARE:
            options += ["--volume", f"{BARE_PAGE}:/srv/shopfleet/public/index.php:ro"]
        settings = {**environment[service], **self.settings, **self.sites[site]}
        folder = self.folder(name)
        ca = folder / "ca.pem" if self.internal_tls else None
        return WebContainer(self.images["web"], self.prefix, folder, settings, name, options, ca)

    def _render(self) -> dict[str, Settings]:
        """Render what HAProxy reads, and return the services' environment."""
        folder = self.directory / "haproxy"
        render(folder, self.instances(), {"catalogue_internal_tls": self.internal_tls})
        if self.internal_tls:
            issue(folder, self.ca, self.names("haproxy"))
        configuration = folder / "haproxy.cfg"
        shop = configuration.read_text()
        configuration.write_text(
            shop + "".join(self._site_sections(shop, name) for name in self.sites if name != "web")
        )
        environment: dict[str, Settings] = json.loads((folder / "environment.json").read_text())
        return environment

    def instances(self) -> list[dict[str, object]]:
        """Return where the containers are, as `catalogue_instances`."""
        target = {"http": TARGET_PORT}
        services = [("mysql", "mysql", {"mysql": 3306}), ("redis", "redis", {"redis": 6379})]
        services += [(name, name, target) for name in ("api", "admin-api", "admin")]
        services += [(f"web-{number + 1}", "web", target) for number in range(WEB_SERVERS)]
        services += [("haproxy", "haproxy", {"http": 80, "api": 5001, "admin-api": 5002})]
        return [
            {
                "name": name,
                "service": service,
                "server": name,
                "ports": {key: {"address": self.address(name), "port": port} for key, port in ports.items()},
            }
            for name, service, ports in services
        ]

    def _site_sections(self, shop: str, name: str) -> str:
        """Return the shop's own frontend and backend once more, for another site."""
        sections = re.findall(r"^(?:frontend shop|backend web)\n(?:\t.*\n|\n(?=\t))+", shop, re.MULTILINE)
        assert len(sections) == 2, "the shop's sections are not where they were"
        text = re.sub(r"(frontend shop|backend web)\b", rf"\1-{name}", "\n" + "\n".join(sections))
        text = re.sub(r"bind :80\n\tbind :443 .*", f"bind :{self._site_port(name)}", text)
        for number in range(WEB_SERVERS):
            server, other = f"web-{number + 1}", f"{name}-{number + 1}"
            text = text.replace(f"{server} {self.address(server)}:", f"{other} {self.address(other)}:")
            text = text.replace(f"verifyhost {server}\n", f"verifyhost {other}\n")
        return text

    @staticmethod
    def _serves(url: str) -> bool:
        try:
            return requests.get(url, timeout=2).ok
        except requests.RequestException:
            return False


@contextmanager
def running(
    directory: Path,
    sites: Mapping[str, Settings] | None = None,
    images: dict[str, str] | None = None,
    *,
    internal_tls: bool = False,
    **settings: str,
) -> Iterator[FullStack]:
    """Run a full stack.

    Args:
        directory: an empty directory for secrets and configuration.
        sites: further sites behind the same HAProxy.
        images: which images; those that the lane has built when absent.
        internal_tls: whether the containers speak TLS with each other.
        **settings: settings of the web containers.

    Yields:
        The stack, serving pages.
    """
    images = images or {name: os.environ[variable] for name, variable in IMAGES.items()}
    stack = FullStack(images, directory, sites, internal_tls=internal_tls, **settings)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
