"""The lab as the tests see it: what the catalogue and the inventory come to, and ways to look into the hosts."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

ROOT = Path(__file__).resolve().parents[2]
# Seconds without any output after which a verb on a terminal has got stuck.
SILENCE = 120


def fleet(*arguments: str) -> str:
    """Run a verb, without a terminal, and return what it printed.

    Args:
        *arguments: The verb and its arguments.

    Returns:
        What it printed for people or programs to read, without warnings.

    Raises:
        AssertionError: It failed.
    """
    done = subprocess.run(
        ["./fleet", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _await_hidden_input(terminal: int) -> None:
    """Wait until what is typed is no longer echoed; what was typed before that is thrown away by who asks."""
    for _ in range(100):
        time.sleep(0.2)
        if not termios.tcgetattr(terminal)[3] & termios.ECHO:
            time.sleep(0.5)
            return
    raise AssertionError("what is typed would be shown")


def fleet_on_a_terminal(*arguments: str, answers: list[str]) -> str:
    """Run a verb on a terminal, type an answer at each hidden prompt, and return all that the terminal showed.

    Args:
        *arguments: The verb and its arguments.
        answers: What to type.

    Returns:
        What a person saw.
    """
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.execv("./fleet", ["./fleet", *arguments])  # noqa: S606  no shell is wanted
    shown = b""
    typed = 0
    with suppress(OSError):  # how the end of a terminal is told
        while select.select([terminal], [], [], SILENCE)[0] and (chunk := os.read(terminal, 4096)):
            shown += chunk
            if typed < min(len(answers), shown.count(b"(output is hidden):")):
                _await_hidden_input(terminal)
                os.write(terminal, answers[typed].encode() + b"\r")
                typed += 1
    os.kill(process, signal.SIGHUP)
    os.waitpid(process, 0)
    os.close(terminal)
    return shown.decode()


@dataclass(frozen=True)
class Lab:
    """The derived system.

    Attributes:
        facts: What `tests/facts.yml` wrote.
    """

    facts: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Lab:
        """Ask Ansible what the catalogue and the inventory come to.

        Args:
            folder: Where to put the answer.

        Returns:
            The lab.
        """
        target = folder / "facts.json"
        subprocess.run(
            ["ansible-playbook", "tests/facts.yml", "-i", "inventory/lab", "-e", f"facts_file={target}"],
            cwd=ROOT,
            env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            check=True,
            capture_output=True,
        )
        return cls(json.loads(target.read_text()))

    @property
    def url(self) -> str:
        """The shop's address on this machine."""
        return str(self.facts["shop_url"])

    @property
    def https_url(self) -> str:
        """The same by https."""
        return str(self.facts["shop_https_url"])

    @cached_property
    def image(self) -> str:
        """The image that the hosts are made from: it has what a stranger's machine needs, too."""
        inspect = ["docker", "inspect", "--format", "{{.Config.Image}}", self.container_of(self.hosts[0])]
        return subprocess.check_output(inspect, text=True).strip()

    @property
    def name(self) -> str:
        """Prefix of all that the lab is made of."""
        return str(self.facts["lab"])

    def container_of(self, host: str) -> str:
        """Name the container that is a host."""
        return f"{self.name}-{host}"

    @property
    def hosts(self) -> list[str]:
        """Names of the hosts."""
        return list(self.facts["addresses"])

    @cached_property
    def containers(self) -> list[dict[str, Any]]:
        """The containers that stay, without the jobs."""
        return [entry for entry in self.facts["instances"] if self.facts["tiers"][entry["service"]] != "job"]

    def containers_of(self, service: str) -> list[dict[str, Any]]:
        """List a service's containers."""
        return [entry for entry in self.containers if entry["service"] == service]

    def host_of(self, container: str) -> str:
        """Name the host of a container."""
        return next(str(entry["host"]) for entry in self.containers if entry["name"] == container)

    def on(self, host: str, *command: str, stdin: str | None = None, check: bool = True) -> str:
        """Run a command on a host, as its console would.

        Args:
            host: Name of the host.
            *command: Program and arguments.
            stdin: Text for the program.
            check: Whether the program must succeed.

        Returns:
            What it printed.
        """
        done = subprocess.run(
            ["docker", "exec", "--interactive", self.container_of(host), *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{host}: {' '.join(command)}: {done.stderr or done.stdout}")
        return done.stdout

    def docker(self, container: str, verb: str) -> None:
        """Apply a Docker verb (kill, stop, start, pause, …) to a container of the lab."""
        self.on(self.host_of(container), "docker", verb, container)

    def started(self) -> dict[str, str]:
        """Read when each container was started, and its id."""
        return {
            entry["name"]: self.on(
                entry["host"], "docker", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", entry["name"]
            ).strip()
            for entry in self.containers
        }

    def unhealthy(self) -> list[str]:
        """List the containers that Docker does not call healthy."""
        form = "{{if .State.Health}}{{.State.Health.Status}}{{end}}"
        return [
            entry["name"]
            for entry in self.containers
            if self.on(entry["host"], "docker", "inspect", "--format", form, entry["name"], check=False).strip()
            != "healthy"
        ]

    def keep_logs(self, folder: Path) -> None:
        """Write down what the hosts and their containers have logged.

        Args:
            folder: Where to.
        """
        folder.mkdir(parents=True, exist_ok=True)
        journal = "journalctl --boot --no-pager"
        logs = [(host, host, journal) for host in self.hosts]
        logs += [(entry["host"], entry["name"], f"docker logs {entry['name']}") for entry in self.containers]
        for host, name, command in logs:
            text = self.on(host, "sh", "-c", f"{command} 2>&1", check=False)
            (folder / f"{host}-{name}.log").write_text(text, encoding="utf-8")

    @cached_property
    def credentials(self) -> tuple[str, str]:
        """The first admin's name and password, as the verb prints them."""
        name, password = fleet("credentials").splitlines()[0].split()
        return name, password

    def admin(self) -> AdminPage:
        """Open the admin page, logged in."""
        page = AdminPage(self.url)
        page.log_in(*self.credentials)
        return page


class AdminPage:
    """The admin page in a browser that keeps cookies and sends hidden fields back as they came."""

    def __init__(self, url: str) -> None:
        """Start without a session.

        Args:
            url: The shop's address.
        """
        self._url = url
        self._session = requests.Session()

    def get(self, path: str = "/admin/") -> requests.Response:
        """Ask for a page."""
        return self._session.get(urljoin(self._url, path), timeout=10)

    def log_in(self, user: str, password: str) -> requests.Response:
        """Send the login form."""
        return self._send(self.get(), "/admin/login", {"username": user, "password": password})

    def save(self, name: str, quantity: str, price: str, mode: str = "set") -> requests.Response:
        """Send the item form."""
        return self._send(self.get(), "/admin/", {"name": name, "quantity": quantity, "price": price, "mode": mode})

    def upload(self, csv: str) -> requests.Response:
        """Send a file to be imported; the page is the plan."""
        return self._send(self.get("/admin/import"), "/admin/import", {}, {"file": ("items.csv", csv, "text/csv")})

    def apply(self, plan: requests.Response) -> requests.Response:
        """Apply the plan that a page shows."""
        return self._send(plan, plan.url, {})

    def is_logged_in(self) -> bool:
        """Whether the page is shown instead of the login."""
        return 'name="quantity"' in self.get().text

    def _send(
        self,
        page: requests.Response,
        path: str,
        fields: dict[str, str],
        files: dict[str, tuple[str, str, str]] | None = None,
    ) -> requests.Response:
        hidden = dict(re.findall(r'<input type="hidden" name="(csrf|key|digest)" value="([^"]*)">', page.text))
        return self._session.post(urljoin(self._url, path), data=hidden | fields, files=files, timeout=20)
