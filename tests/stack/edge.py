"""HAProxy as the role configures it, for servers wherever they are, with a certificate of the tests' own."""

import datetime
import ipaddress
import json
import os
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from shop_stack import HARDENED, docker, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
# All visitors of a test come from one address.
UNLIMITED = {"catalogue_writes_per_minute": 10**6, "catalogue_logins_per_minute": 10**6}

Settings = Mapping[str, str]


def make_certificate(folder: Path) -> Path:
    """Write `edge.pem` and `edge.pem.key` for this machine's own names; return the former, to be trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    certificate, private = folder / "edge.pem", folder / "edge.pem.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(*form))
    # HAProxy's user reads it.
    private.chmod(0o444)
    return certificate


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
    facts = {**UNLIMITED, **settings, "catalogue_instances": instances, "rendered_dir": str(folder)}
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
        """Wait until a server behind it answers."""
        wait_until(partial(self._serves, self.https_url), 20, f"{self.name} serves pages")

    def remove(self) -> None:
        """Remove it."""
        docker("rm", "--force", "--volumes", self.name, check=False)

    def _serves(self, url: str) -> bool:
        try:
            return requests.get(url, verify=str(self.certificate), timeout=2).ok
        except requests.RequestException:
            return False
