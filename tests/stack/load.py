"""Load and stop-watches for containers on this machine."""

import asyncio
import http.client
import json
import socket
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

WRK_REPORT = Path(__file__).with_name("wrk.lua")
AS_BROWSERS_DO = {"Accept-Encoding": "gzip, deflate"}


@dataclass(frozen=True)
class Load:
    """What came of a load.

    Attributes:
        requests: how many were answered.
        seconds: how long it lasted.
        errors: connections that failed, answers of 400 and above, and requests without an answer.
        p50_ms: the median time of an answer.
        p99_ms: its 99th percentile.
        max_ms: the longest.
    """

    requests: int
    seconds: float
    errors: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def stay_on_this_machine(url: str) -> None:
    """Make sure that a load hits nobody else.

    Args:
        url: what is to be loaded.

    Raises:
        ValueError: it is neither this machine nor on a bridge of its own.
    """
    host = urlsplit(url).hostname or ""
    route = json.loads(subprocess.check_output(["ip", "-json", "route", "get", host], text=True))[0]
    if "gateway" in route or not route["dev"].startswith(("lo", "br-", "docker")):
        raise ValueError(f"{url} is not on this machine: the way there is {route}")


class _DockerConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/var/run/docker.sock")


def cpu_us(containers: Iterable[str]) -> float:
    """Add up the processor time that containers have used.

    Args:
        containers: their names.

    Returns:
        Microseconds.
    """
    used = 0.0
    connection = _DockerConnection("docker")
    for container in containers:
        connection.request("GET", f"/containers/{container}/stats?stream=false&one-shot=true")
        used += json.loads(connection.getresponse().read())["cpu_stats"]["cpu_usage"]["total_usage"] / 1000
    connection.close()
    return used


def wrk(url: str, seconds: float, connections: int = 16, headers: dict[str, str] | None = None) -> Load:
    """Load a page with wrk.

    Args:
        url: the page.
        seconds: how long.
        connections: how many at once.
        headers: of each request.

    Returns:
        What came of it.
    """
    stay_on_this_machine(url)
    fields = [part for name, value in (headers or {}).items() for part in ("-H", f"{name}: {value}")]
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "5s",
        "-s",
        str(WRK_REPORT),
        *fields,
        url,
    ]
    return Load(**json.loads(subprocess.check_output(command, text=True).splitlines()[-1]))


class Probe:
    """One kept connection that times one request after the other.

    Args:
        url: where to connect; its path is what is asked for unless `time_ms` is given another.
        headers: of each request.

    Attributes:
        failures: how many answers were no success.
    """

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        """Connect."""
        self._headers = headers
        self.failures = 0
        stay_on_this_machine(url)
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._path = parts.path or "/"
        self._socket = socket.create_connection((self._host, parts.port or 80), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def time_ms(self, path: str | None = None) -> float:
        """Ask once.

        Args:
            path: what for.

        Returns:
            Milliseconds until the whole answer was there, whatever it was.
        """
        begun = perf_counter()
        self._socket.sendall(_request(self._host, path or self._path, self._headers))
        answer = b""
        while not _complete(answer):
            answer += self._receive()
        took = (perf_counter() - begun) * 1000
        self.failures += answer[9:10] != b"2"
        return took

    def _receive(self) -> bytes:
        data = self._socket.recv(262_144)
        if not data:
            raise ConnectionError("closed in the middle of an answer")
        return data


def _request(host: str, path: str, headers: dict[str, str] | None = None) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode()


def _complete(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    # What has no length comes in chunks, the last of which is empty.
    return body.endswith(b"\r\n0\r\n\r\n")


@dataclass(frozen=True)
class Visit:
    """One answer: how long it took, and all of it as it came."""

    ms: float
    answer: bytes

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return self.answer[9:10] == b"2"


def visit(url: str, visitors: int, each: int) -> list[Visit]:
    """Let many ask at once, each over a connection of its own.

    Args:
        url: what for.
        visitors: how many.
        each: how often each asks.

    Returns:
        What was answered; what was not, is absent.
    """
    stay_on_this_machine(url)
    visits: list[Visit] = []

    async def everybody() -> None:
        await asyncio.gather(*(_visitor(url, each, visits) for _ in range(visitors)), return_exceptions=True)

    asyncio.run(everybody())
    return visits


async def _visitor(url: str, each: int, visits: list[Visit]) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    reader, writer = await asyncio.wait_for(asyncio.open_connection(host, parts.port or 80), timeout=30)
    for _ in range(each):
        begun = perf_counter()
        writer.write(_request(host, path))
        answer = b""
        while not _complete(answer):
            data = await asyncio.wait_for(reader.read(262_144), timeout=30)
            if not data:
                raise ConnectionError("closed in the middle of an answer")
            answer += data
        visits.append(Visit((perf_counter() - begun) * 1000, answer))
    writer.close()
