"""MySQL, Redis and both APIs as containers on a network of the tests' own."""

import http.client
import json
import os
import secrets
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import jinja2
import redis
import yaml

sys.path.append(str(Path(__file__).parents[1] / "unit"))

from plugin import load

# What most tests speak to stands behind a load balancer: they show its key. The others are shown to it.
HAPROXY_KEY = secrets.token_urlsafe(18)
# The APIs of these tests read one folder.
HAPROXY_KEYS = {
    "api": HAPROXY_KEY,
    "admin-api": HAPROXY_KEY,
    "web": secrets.token_urlsafe(18),
    "admin": secrets.token_urlsafe(18),
}
OWN_KEYS = {service: secrets.token_urlsafe(18) for service in ("web", "admin")}
CATALOGUE_KEYS = {f"catalogue_{service}_key": key for service, key in OWN_KEYS.items()} | {
    f"catalogue_haproxy_{service.replace('-', '_')}_key": key for service, key in HAPROXY_KEYS.items()
}
KEY_HEADER = "X-Service-Key"
AS_HAPROXY = {KEY_HEADER: HAPROXY_KEY}

T = TypeVar("T")

# Below the ephemeral ports, so that no connection can take one in the meantime.
PORTS = range(20000, 32000)
PORTS_OF_A_SLOT = 3000

VARIANTS = Path(__file__).parent / "variants"
TMP = "/tmp"  # noqa: S108  in containers of our own
# How long what has to come is waited for, in seconds. It comes much sooner; a busy machine takes its time.
PATIENCE = 60.0
# More than a deployment gives it: what a busy machine takes its time for is not what these tests are about.
MYSQL_SECONDS = 30
HARDENED = ["--read-only", "--tmpfs", TMP, "--tmpfs", "/run", "--cap-drop", "ALL"]
HARDENED += ["--security-opt", "no-new-privileges", "--memory", "256m", "--pids-limit", "100"]

MYSQLD = (
    "mkdir -p /data/mysql && chown 999:999 /data/mysql"
    " && { [ -d /data/mysql/mysql ] || mysqld --initialize-insecure --user=mysql --datadir=/data/mysql; }"
    " && exec mysqld --user=mysql --datadir=/data/mysql --socket=/tmp/mysql.sock --pid-file=/tmp/mysqld.pid"
    " --mysqlx=OFF --performance-schema=OFF --disable-log-bin --innodb-flush-log-at-trx-commit=0"
    " --innodb-doublewrite=OFF --innodb-buffer-pool-size=64M --skip-name-resolve"
    " --require-secure-transport=ON --ssl-ca=/tls/ca.pem --ssl-cert=/tls/certificate.pem"
    " --ssl-key=/tls/certificate.pem.key"
)
REDIS_TLS = ["--port", "0", "--tls-port", "6379", "--tls-auth-clients", "no"]
REDIS_TLS += ["--tls-cert-file", "/tls/certificate.pem", "--tls-key-file", "/tls/certificate.pem.key"]
# Those that are dialled by TLS.
SERVERS = ("mysql", "redis")
# As the deployment issues them.
CERTIFICATE = load("lookup/certificate.py")

ROOT = Path(__file__).resolve().parents[2]
# The accounts and their rights are the deployment's own.
REDIS_USERS = (ROOT / "roles/service/templates/redis/users.acl.j2").read_text()
ACCOUNTS = yaml.safe_load((ROOT / "roles/database/defaults/main.yml").read_text())["database_accounts"]


def grants(*, on_every_table: bool) -> str:
    """Return the SQL that gives the accounts their rights on every table, or on single ones, which must be there."""
    return "".join(
        f"GRANT {privileges} ON shop.{table} TO {account['name']}@'%';\n"
        for account in ACCOUNTS
        for table, privileges in account["rights"].items()
        if (table == "*") == on_every_table
    )


def docker(*arguments: str, stdin: str | None = None, check: bool = True) -> str:
    """Run a docker command and return what it printed.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def write_files(directory: Path, files: dict[str, str]) -> None:
    """Write files that every container may read."""
    directory.chmod(0o755)
    for name, text in files.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o444)


def wait_until(true: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """Wait until something is true, and return it.

    Raises:
        AssertionError: it did not become true in time.
    """
    end = time.monotonic() + seconds
    while not (found := true()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class Reply:
    """An answer of an API."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def change(self) -> int | None:
        """The X-Change-Id header."""
        given = self.headers.get("x-change-id")
        return None if given is None else int(given)

    @property
    def errors(self) -> dict[str, str]:
        """The message of each field that a problem document names."""
        return {error["field"]: error["message"] for error in self.json["errors"]}

    @property
    def cache(self) -> str | None:
        """The X-Cache header."""
        return self.headers.get("x-cache")


class Client:
    """Speaks HTTP with one API; each thread keeps a connection. Paths are sent as they are."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Take the published port and, where TLS is spoken there, whom to believe; nothing is sent yet."""
        self.port = port
        self._tls = tls
        self._local = threading.local()

    def request(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Reply:
        """Send a request; a body that is not bytes is sent as JSON."""
        sent = AS_HAPROXY | (headers or {})
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            return self._send(method, path, payload, sent)
        except (http.client.RemoteDisconnected, ConnectionError):
            if method != "GET":
                raise
            return self._send(method, path, payload, sent)

    def _send(self, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> Reply:
        connection = getattr(self._local, "connection", None)
        # What can be read before anything was asked is the end: the server has closed a connection that was idle.
        if connection is not None and connection.sock and select.select([connection.sock], [], [], 0)[0]:
            connection.close()
        if connection is None:
            connection = (
                http.client.HTTPSConnection("127.0.0.1", self.port, timeout=2 * MYSQL_SECONDS, context=self._tls)
                if self._tls
                else http.client.HTTPConnection("127.0.0.1", self.port, timeout=2 * MYSQL_SECONDS)
            )
            self._local.connection = connection
        try:
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            self._local.connection = None
            raise
        return Reply(response.status, {key.lower(): value for key, value in response.getheaders()}, answer)

    def fresh(self) -> "Client":
        """Return a client with connections of its own, which may reach another worker."""
        return Client(self.port, self._tls)

    def get(self, path: str) -> Reply:
        """GET a path."""
        return self.request("GET", path)

    def item(self, name: str) -> Reply:
        """GET an item."""
        return self.get(item_path(name))

    def delete(self, name: str) -> Reply:
        """DELETE an item."""
        return self.request("DELETE", item_path(name))

    def changes(self, name: str) -> list[dict[str, Any]]:
        """Return the newest lines of the log that are about an item, newest first."""
        return [change for change in self.get("/changes?size=100").json["changes"] if change["name"] == name]

    def put(self, name: str, /, *, key: str | None = None, **body: object) -> Reply:
        """PUT an item."""
        return self.request("PUT", item_path(name), body, {"Idempotency-Key": key} if key else None)


def item_path(name: str) -> str:
    """Return the path of an item."""
    return f"/items/{quote(name, safe='')}"


def issue(folder: Path, ca: Any, names: Sequence[str], lifetime: timedelta = timedelta(days=1)) -> None:  # noqa: ANN401
    """Issue a certificate into a folder.

    Args:
        folder: where its container finds it.
        ca: who issues it.
        names: what it is valid for.
        lifetime: how long it is.
    """
    issued = CERTIFICATE.issue(ca, names, lifetime)
    files = {"ca.pem": CERTIFICATE.pem(*issued.issuers), "certificate.pem": issued.chain}
    write_files(folder, {**files, "certificate.pem.key": issued.key_pem})


def _own_ports() -> Iterator[int]:
    """Return the ports that this process may take; who tests beside it in another place takes other ones."""
    slot = os.environ.get("SHOP_TEST_SLOT")
    own = PORTS if slot is None else PORTS[int(slot) * PORTS_OF_A_SLOT :][:PORTS_OF_A_SLOT]
    start = secrets.randbelow(len(own))
    return chain(own[start:], own[:start])


_ports = _own_ports()


def free_port() -> int:
    """Return a free port of the loopback interface, and none twice.

    Raises:
        RuntimeError: There is none.
    """
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free between 20000 and 32000")


class Stack:
    """The containers."""

    def __init__(self, images: dict[str, str], directory: Path) -> None:
        """Choose names, ports and passwords.

        Args:
            images: the names of the images of api, mysql and redis.
            directory: an empty directory for the secrets.
        """
        self.images = images
        self.prefix = f"shop-test-{secrets.token_hex(4)}"
        self.password = secrets.token_urlsafe(18)
        self.redis_port = free_port()
        self.secrets = directory
        self._containers: list[str] = []
        self.subnet = ""
        # The last number of the addresses that are fixed.
        self.hosts = {"mysql": 10, "redis": 11}
        self.ca = CERTIFICATE.make_authority()
        # How the APIs are spoken to.
        self.tls: ssl.SSLContext | None = None
        files = dict.fromkeys(("shop_mysql_password", "shop_redis_password"), self.password + "\n")
        write_files(directory, files | {"shop_service_key": HAPROXY_KEY + "\n"})

    def start(self) -> None:
        """Start all of it."""
        self._create_network()
        write_files(self.secrets, {"ca.pem": CERTIFICATE.pem(self.ca.certificate)})
        tls = {name: self.certify(name, "127.0.0.1", self.address(name), f"{self.subnet}.1") for name in SERVERS}
        # In memory, and held by Redis too, so that a restart of MySQL finds what it stored.
        docker("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", self.prefix)
        data = ["--volume", f"{self.prefix}:/data"]
        mysql = ["--user", "0:0", "--tmpfs", TMP, *data, *tls["mysql"]]
        self._run("mysql", mysql, ["sh", "-c", MYSQLD], entrypoint=True)
        redis = [
            "redis-server",
            "--bind",
            "0.0.0.0",
            "--aclfile",
            "/users.acl",
            "--save",
            "",
            "--appendonly",
            "no",
            *REDIS_TLS,
        ]
        users = ["--volume", f"{self._redis_users()}:/users.acl:ro"]
        options = ["--user", "999:999", "-p", f"127.0.0.1:{self.redis_port}:6379", *users, *data, *tls["redis"]]
        self._run("redis", options, [*redis, "--maxmemory-policy", "volatile-lru"])
        wait_until(lambda: self.sql("SELECT 1", check=False) == "1", "MySQL answers", 180)
        self.sql("CREATE DATABASE shop")
        for account in ACCOUNTS:
            self.sql(f"CREATE USER {account['name']}@'%' IDENTIFIED BY '{self.password}' REQUIRE SSL")
        self.sql(grants(on_every_table=True))
        self.migrate()
        self.sql(grants(on_every_table=False))
        self.read = self.api("api", "read")
        self.admin = self.api("admin-api", "admin")

    def stop(self) -> None:
        """Remove all that was made."""
        if self._containers:
            docker("rm", "--force", "--volumes", *self._containers, check=False)
        docker("network", "rm", self.prefix, check=False)
        docker("volume", "rm", self.prefix, check=False)

    def certify(self, name: str, *names: str, ca: Any = None) -> list[str]:  # noqa: ANN401
        """Issue a certificate, and return the options that mount it on /tls.

        Args:
            name: of its folder.
            *names: what it is valid for.
            ca: who issues it; the one that the APIs know when absent.
        """
        folder = self.secrets / name
        folder.mkdir()
        issue(folder, ca or self.ca, names)
        return ["--volume", f"{folder}:/tls:ro"]

    def redis(self, **options: Any) -> "redis.Redis":  # noqa: ANN401
        """Return a client of Redis."""
        options = {"password": self.password, "ssl_ca_certs": str(self.secrets / "ca.pem"), **options}
        return redis.Redis("127.0.0.1", self.redis_port, ssl=True, **options)

    def _redis_users(self) -> Path:
        """Write down the deployment's own users, and in place of the default one a user for the tests."""
        users = jinja2.Template(REDIS_USERS).render(catalogue_redis_password=self.password)
        file = self.secrets / "users.acl"
        file.write_text(users.replace("user default reset", f"user default on >{self.password} ~* &* +@all") + "\n")
        file.chmod(0o444)
        return file

    def _create_network(self) -> None:
        for _ in range(20):
            base = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(256)}"
            try:
                docker("network", "create", "--subnet", f"{base}.0/24", self.prefix)
            except RuntimeError as error:
                if "overlap" not in str(error):
                    raise
                continue
            self.subnet = base
            return
        raise RuntimeError("no free subnet")

    def _run(self, name: str, options: list[str], command: list[str], *, entrypoint: bool = False) -> str:
        container = f"{self.prefix}-{name}"
        self._containers.append(container)
        # Addresses, not names: a name of a stopped container would be looked up elsewhere.
        address = ["--ip", self.address(name)] if name in self.hosts else []
        override = ["--entrypoint", command.pop(0)] if entrypoint else []
        network = ["--network", self.prefix, *address]
        docker("run", "--detach", "--name", container, *network, *override, *options, self.images_of(name), *command)
        return container

    def images_of(self, name: str) -> str:
        """Return the image of a container."""
        return self.images.get(name, self.images["api"])

    def address(self, name: str) -> str:
        """Return the address of a container that has a fixed one."""
        return f"{self.subnet}.{self.hosts[name]}"

    def container(self, name: str) -> str:
        """Return the name that Docker knows a container by."""
        return f"{self.prefix}-{name}"

    def folder(self, _: str) -> Path:
        """Return what a container, by its name, finds in /etc/shopfleet."""
        return self.secrets

    def environment(self, user: str, folder: Path | None = None, /, **more: str) -> list[str]:
        """Return the options that give a container its settings."""
        values = {
            "SHOP_MYSQL_HOST": self.address("mysql"),
            "SHOP_MYSQL_PORT": "3306",
            "SHOP_MYSQL_DATABASE": "shop",
            "SHOP_MYSQL_USER": user,
            "SHOP_MYSQL_TIMEOUT": str(MYSQL_SECONDS),
            "SHOP_IMPORT_MAX_KIB": "512",
            "SHOP_IMPORT_MAX_ROWS": "5000",
            "SHOP_REDIS_HOST": self.address("redis"),
            "SHOP_REDIS_PORT": "6379",
            "SHOP_MYSQL_CA": "/etc/shopfleet/ca.pem",
            "SHOP_REDIS_CA": "/etc/shopfleet/ca.pem",
            "SHOP_REDIS_USER": "cache",
            **more,
        }
        options = [part for key, value in values.items() for part in ("--env", f"{key}={value}")]
        return [*options, "--volume", f"{folder or self.secrets}:/etc/shopfleet:ro"]

    def api(self, name: str, mode: str, variant: str | None = None, **more: str) -> Client:
        """Start an API, wait until it answers, and return a client for it.

        Args:
            name: of the container.
            mode: read or admin.
            variant: a folder of `variants` whose sitecustomize module changes the code.
            **more: further environment.
        """
        port = free_port()
        options = [*HARDENED, "--publish", f"127.0.0.1:{port}:8080"]
        if variant:
            options += ["--volume", f"{VARIANTS / variant}:/variant:ro"]
            more["PYTHONPATH"] = "/variant"
        user = "api" if mode == "read" else "admin_api"
        self._run(name, [*options, *self.environment(user, self.folder(name), SHOP_MODE=mode, **more)], [])
        client = Client(port, self.tls)
        wait_until(lambda: self._alive(client), f"{name} answers")
        return client

    @staticmethod
    def _alive(client: Client) -> bool:
        try:
            return client.get("/healthz").status == 200
        except OSError:
            return False

    def remove(self, name: str) -> None:
        """Remove a container."""
        docker("rm", "--force", "--volumes", self.container(name))

    def command(
        self, *arguments: str, user: str = "migrator", mounts: dict[Path, str] | None = None
    ) -> tuple[int, str, str]:
        """Run `shop-api` with these arguments in a container of its own; return exit code, stdout and stderr."""
        volumes = [part for path, target in (mounts or {}).items() for part in ("--volume", f"{path}:{target}:ro")]
        options = [*HARDENED, "--network", self.prefix, *volumes, *self.environment(user)]
        done = subprocess.run(
            ["docker", "run", "--rm", *options, self.images["api"], "shop-api", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def migrate(self, *arguments: str, mounts: dict[Path, str] | None = None) -> Any:  # noqa: ANN401
        """Run the schema job and return what it says.

        Raises:
            AssertionError: it failed.
        """
        code, out, err = self.command("migrate", *arguments, mounts=mounts)
        assert code == 0, err
        return json.loads(out)

    def sql(self, statements: str, check: bool = True) -> str:
        """Run SQL as root and return the rows, columns apart by tabs."""
        client = ["mysql", "--socket=/tmp/mysql.sock", "--user=root", "--skip-column-names", "--batch", "--raw"]
        charset = "--default-character-set=utf8mb4"
        return docker("exec", "-i", self.container("mysql"), *client, charset, stdin=statements, check=check)

    def selects(self) -> int:
        """Return how many SELECTs MySQL has executed."""
        return int(self.sql("SHOW GLOBAL STATUS LIKE 'Com_select'").split()[1])

    def logs(self, name: str) -> list[dict[str, Any]]:
        """Return a container's log lines."""
        done = subprocess.run(["docker", "logs", self.container(name)], capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def warnings(self, since: float) -> list[str]:
        """Return what the APIs have warned of since a Unix time, each line begun with its container."""
        lines = []
        for container in self._containers:
            command = ["docker", "logs", "--since", str(since), container]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            said = [line for line in done.stdout.splitlines() if '"level": "' in line and '"level": "info"' not in line]
            lines += [f"{container}: {line}" for line in said]
        return lines
