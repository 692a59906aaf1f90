"""HAProxy as the role configures it, for servers wherever they are, with a certificate of the tests' own."""

import json
import os
import secrets
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import requests
from edge_certificate import make_certificate
from shop_stack import CATALOGUE_KEYS, HARDENED, docker, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
# All visitors of a test come from one address.
UNLIMITED = {"catalogue_writes_per_minute": 10**6, "catalogue_logins_per_minute": 10**6}

Settings = Mapping[str, str]


def render(folder: Path, instances: Sequence[Mapping[str, object]], settings: Mapping[str, object]) -> None:
    """Render what HAProxy reads, and the services' environment, into a folder.

    Args:
        folder: Where to.
        instances: As `catalogue_instances`.
        settings: Of the catalogue.

    Raises:
        RuntimeError: It cannot be rendered; with what Ansible said.
    """
    folder.chmod(0o755)
    facts = {**UNLIMITED, **CATALOGUE_KEYS, **settings, "catalogue_instances": instances, "rendered_dir": str(folder)}
    playbook = ["ansible-playbook", str(ROOT / "tests" / "stack" / "render.yml"), "-i", "localhost,"]
    done = subprocess.run(
        [*playbook, "--extra-vars", json.dumps(facts)],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    make_certificate(folder)


class Edge:
    """One container of HAProxy.

    Args:
        image: the image.
        network: the Docker network to join.
        folder: with all that it reads, as `render` makes it.
    """

    def __init__(self, image: str, network: str, folder: Path) -> None:
        """Start it."""
        self.name = f"{network}-edge-{secrets.token_hex(3)}"
        self.certificate = folder / "edge.pem"
        self.port, self.https_port = free_port(), free_port()
        self.url, self.https_url = f"http://localhost:{self.port}", f"https://localhost:{self.https_port}"
        docker(
            *("run", "--detach", "--name", self.name, "--network", network, *HARDENED),
            *("--publish", f"127.0.0.1:{self.port}:80", "--publish", f"127.0.0.1:{self.https_port}:443"),
            *("--volume", f"{folder}:/etc/shopfleet:ro", image),
        )

    @property
    def address(self) -> str:
        """Its address on the network, where nothing stands between it and a client."""
        template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return docker("inspect", "--format", template, self.name)

    def wait(self) -> None:
        """Wait until it answers."""
        wait_until(self._answers, f"{self.name} answers")

    def remove(self) -> None:
        """Remove it."""
        docker("rm", "--force", "--volumes", self.name, check=False)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.https_url}/error.css", verify=str(self.certificate), timeout=2).ok
        except requests.RequestException:
            return False


class OpenEdge(Protocol):
    """Opens one more HAProxy, with settings of the catalogue and changes to the rendered configuration."""

    def __call__(self, change: Callable[[str], str] = ..., **settings: object) -> Edge:
        """Open it."""
