"""With `catalogue_internal_tls` what the tiers say to each other is said in secret, and to nobody else."""

import csv
import http.client
import io
import json
import shutil
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import requests
from edge import Edge
from full_stack import OWN_CERTIFICATE, TARGET_PORT, FullStack
from shop_stack import (
    AS_HAPROXY,
    CERTIFICATE,
    HAPROXY_KEYS,
    HARDENED,
    KEY_HEADER,
    OWN_KEYS,
    docker,
    issue,
    wait_until,
    write_files,
)
from web_stack import Browser, WebContainer, rows, web_secrets

DOORS = {
    **{name: (name, TARGET_PORT) for name in ("web-1", "web-2", "web-3", "admin", "api", "admin-api")},
    "haproxy, API": ("haproxy", 5001),
    "haproxy, admin API": ("haproxy", 5002),
}
HEALTH_CHECKS = {
    "web-1": ["php", "/usr/local/bin/healthcheck.php"],
    "admin": ["php", "/usr/local/bin/healthcheck.php"],
    "api": ["shop-api", "healthcheck"],
    "admin-api": ["shop-api", "healthcheck"],
}
WAYS = ("page", "form", "file")
# Asks the admin API in each of the ways in which the pages do.
ASK = """
require "/srv/shopfleet/src/autoload.php";
$api = new Shopfleet\\ApiClient($argv[1], $argv[2], "test");
$ways = [
    "page" => fn () => $api->get("/items"),
    "form" => fn () => $api->request("GET", "/items"),
    "file" => fn () => $api->download("/export.csv"),
];
foreach ($ways as $way => $ask) {
    try {
        $ask();
        $said[$way] = "welcome";
    } catch (Shopfleet\\ApiUnavailable $failure) {
        $said[$way] = $failure->getMessage();
    }
}
echo json_encode($said);
"""
# What OpenSSL calls a CA's file by in a folder of many.
HASH = 'echo openssl_x509_parse(file_get_contents("/etc/shopfleet/ca.pem"))["hash"];'


@pytest.fixture(scope="module")
def impostors(tls_stack: FullStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of web servers that should not be believed: one without TLS, one whose certificate has run out."""
    environment = json.loads((tls_stack.directory / "haproxy" / "environment.json").read_text())["web"]
    addresses = {"plain": f"{tls_stack.subnet}.51", "late": f"{tls_stack.subnet}.52"}
    with ExitStack() as undo:
        for name, address in addresses.items():
            folder = web_secrets(tmp_path_factory.mktemp(name))
            # "late" is the admin page in all but the day.
            issue(folder, tls_stack.ca, ["admin", "127.0.0.1", address], timedelta(minutes=-1))
            certificate = {"SHOP_CERTIFICATE": "none" if name == "plain" else OWN_CERTIFICATE}
            options = ["--ip", address]
            web = WebContainer(
                tls_stack.images["web"], tls_stack.prefix, folder, environment | certificate, name, options
            )
            undo.callback(web.remove)
            wait_until(partial(_listens, address), f"{name} listens")
        yield addresses


def _listens(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, TARGET_PORT)) == 0


def shake_hands(stack: FullStack, door: str, newest: ssl.TLSVersion) -> str:
    """Dial a door by its address as one who knows the CA, and return the version of TLS that is spoken."""
    name, port = DOORS[door]
    client = ssl.create_default_context(cadata=CERTIFICATE.pem(stack.ca.certificate))
    client.maximum_version = newest
    with (
        socket.create_connection((stack.address(name), port), timeout=10) as connection,
        client.wrap_socket(connection, server_hostname=stack.address(name)) as wrapped,
    ):
        return str(wrapped.version())


def lines(address: str) -> dict[tuple[str, str], dict[str, str]]:
    """Return what a HAProxy says of its proxies and servers, by the names of both."""
    text = requests.get(f"http://{address}:8404/;csv", timeout=5).text.removeprefix("# ")
    return {(line["pxname"], line["svname"]): line for line in csv.DictReader(io.StringIO(text))}


def servers(edge: Edge) -> dict[str, str]:
    """Return what the last look at each server behind a HAProxy came to, by its name."""
    kinds = ("FRONTEND", "BACKEND")
    return {name: line["check_status"] for (_, name), line in lines(edge.address).items() if name not in kinds}


def open_edge(stack: FullStack, folder: Path, *swapped: tuple[str, str], ca: str = "") -> Edge:
    """Start one more HAProxy.

    Args:
        stack: Whose.
        folder: An empty one, for what it reads.
        *swapped: Texts of its configuration, and what stands there instead.
        ca: Whom it believes; the stack's own CA when absent.

    Returns:
        It.
    """
    shutil.copytree(stack.directory / "haproxy", folder, dirs_exist_ok=True)
    configuration = (folder / "haproxy.cfg").read_text()
    for old, new in swapped:
        assert old in configuration
        configuration = configuration.replace(old, new)
    (folder / "haproxy.cfg").write_text(configuration)
    if ca:
        write_files(folder, {"ca.pem": ca})
    return Edge(stack.images["haproxy"], stack.prefix, folder)


def other_ca() -> str:
    """Return a CA that nobody knows."""
    pem: str = CERTIFICATE.pem(CERTIFICATE.make_authority().certificate)
    return pem


def php(stack: FullStack, folder: Path, *command: str, options: Sequence[str] = ()) -> str:
    """Run PHP in a container of the web image, with a folder as its /etc/shopfleet."""
    user = ["--user", "33:33", "--volume", f"{folder}:/etc/shopfleet:ro"]
    container = [*HARDENED, "--network", stack.prefix, *user, *options, stack.images["web"]]
    said: str = docker("run", "--rm", *container, "php", "-r", *command)
    return said


def dial(stack: FullStack, folder: Path, authority: str, options: Sequence[str] = ()) -> dict[str, str]:
    """Ask the admin API as the pages do, and return what came of each way."""
    said = php(stack, folder, ASK, "--", f"https://{authority}", OWN_KEYS["admin"], options=options)
    found: dict[str, str] = json.loads(said)
    assert tuple(found) == WAYS
    return found


def refusals(said: dict[str, str]) -> list[str]:
    """Return those ways that were refused for want of trust."""
    return [way for way, text in said.items() if any(word in text for word in ("certificate", "SSL", "TLS"))]


def test_the_shop_is_served_and_changed(tls_stack: FullStack) -> None:
    admin = Browser(tls_stack.url)
    admin.log_in()
    admin.save(name="Sealed letter", quantity="3", price="1.50")
    shop = Browser(tls_stack.url)
    assert rows(shop.get("/?q=Sealed"))[0][0] == "Sealed letter"


def test_every_server_is_looked_after_by_tls(tls_stack: FullStack) -> None:
    def looked_at() -> dict[str, str]:
        found = lines(tls_stack.address("haproxy"))
        return {name: line["check_status"] for (_, name), line in found.items() if line["check_status"]}

    names = ["web-1", "web-2", "web-3", "admin", "api", "admin-api"]
    wait_until(lambda: looked_at() == dict.fromkeys(names, "L7OK"), "every server has been looked at")


@pytest.mark.parametrize("door", DOORS)
def test_each_door_takes_the_newest_tls_and_nothing_else(tls_stack: FullStack, door: str) -> None:
    name, port = DOORS[door]
    assert shake_hands(tls_stack, door, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises(OSError, match=r"(?i)alert|reset|EOF"):
        shake_hands(tls_stack, door, ssl.TLSVersion.TLSv1_2)
    key = OWN_KEYS["admin"] if name == "haproxy" else AS_HAPROXY[KEY_HEADER]
    plain = http.client.HTTPConnection(tls_stack.address(name), port, timeout=10)
    try:
        plain.request("GET", "/healthz", headers={KEY_HEADER: key})
        assert plain.getresponse().status == 400
    except (http.client.HTTPException, ConnectionError):
        # Closed without an answer.
        pass
    finally:
        plain.close()


@pytest.mark.parametrize("name", HEALTH_CHECKS)
def test_a_container_looks_after_itself_by_tls(tls_stack: FullStack, name: str) -> None:
    container = tls_stack.container(name)
    docker("exec", container, *HEALTH_CHECKS[name])
    # As it would without the option.
    off = "" if name.endswith("api") else "none"
    with pytest.raises(RuntimeError):
        docker("exec", "--env", f"SHOP_CERTIFICATE={off}", container, *HEALTH_CHECKS[name])


def test_a_web_server_tells_its_metrics_and_reaches_its_apis(tls_stack: FullStack) -> None:
    admin = tls_stack.webs["admin"]
    ca = str(tls_stack.directory / "admin-with-certificate" / "ca.pem")
    ask = partial(requests.get, headers={KEY_HEADER: HAPROXY_KEYS["admin"]}, verify=ca, timeout=10)
    assert "apache_workers" in ask(f"{admin.url}/metrics").text
    assert ask(f"{admin.url}/readyz").json()["checks"] == {"api": "ok", "admin_api": "ok"}


def test_a_worker_keeps_its_connection_from_page_to_page(tls_stack: FullStack) -> None:
    def total(what: str) -> int:
        return int(lines(tls_stack.address("haproxy"))["api", "FRONTEND"][what])

    ca = str(tls_stack.directory / "web-1-with-certificate" / "ca.pem")
    with requests.Session() as session:
        session.headers[KEY_HEADER] = HAPROXY_KEYS["web"]
        pages = f"{tls_stack.webs['web-1'].url}/?q=none-"
        session.get(f"{pages}0", verify=ca, timeout=10)
        connections, asked = total("conn_tot"), total("req_tot")
        # Each of them asks the API.
        for number in range(1, 20):
            assert session.get(f"{pages}{number}", verify=ca, timeout=10).ok
    assert total("req_tot") >= asked + 19
    assert total("conn_tot") == connections


def test_haproxy_believes_no_other_ca(tls_stack: FullStack, tmp_path: Path) -> None:
    edge = open_edge(tls_stack, tmp_path, ca=other_ca())
    try:
        edge.wait()
        names = ["web-1", "web-2", "web-3", "admin", "api", "admin-api"]
        wait_until(lambda: servers(edge) == dict.fromkeys(names, "L6RSP"), "no server is believed")
        assert requests.get(edge.url, timeout=10).status_code == 503
    finally:
        edge.remove()


def test_haproxy_believes_no_other_name_no_old_certificate_and_no_plaintext(
    tls_stack: FullStack, impostors: dict[str, str], tmp_path: Path
) -> None:
    swapped = {"web-2": tls_stack.address("api"), "web-3": impostors["plain"], "admin": impostors["late"]}
    edge = open_edge(
        tls_stack,
        tmp_path,
        *((f"server {name} {tls_stack.address(name)}:", f"server {name} {other}:") for name, other in swapped.items()),
    )
    try:
        edge.wait()
        wanted = dict.fromkeys(["web-1", "api", "admin-api"], "L7OK") | dict.fromkeys(swapped, "L6RSP")
        wait_until(lambda: servers(edge) == wanted, "the impostors are not believed")
        pages = [Browser(edge.url).get("/") for _ in range(6)]
        assert {page.by_id("hostname").text for page in pages} == {"web-1"}
    finally:
        edge.remove()


def test_the_pages_believe_the_load_balancer(tls_stack: FullStack) -> None:
    authority = f"{tls_stack.address('haproxy')}:5002"
    assert dial(tls_stack, tls_stack.directory / "admin-with-certificate", authority) == dict.fromkeys(WAYS, "welcome")


@pytest.mark.parametrize("who", ["another name", "no tls", "run out"])
def test_the_pages_believe_nobody_else(tls_stack: FullStack, impostors: dict[str, str], who: str) -> None:
    authority = {
        # One that Docker resolves, and that no certificate holds.
        "another name": f"{tls_stack.container('haproxy')}:5002",
        "no tls": f"{impostors['plain']}:{TARGET_PORT}",
        "run out": f"{impostors['late']}:{TARGET_PORT}",
    }[who]
    said = dial(tls_stack, tls_stack.directory / "admin-with-certificate", authority)
    assert refusals(said) == list(WAYS), said


def test_the_pages_believe_no_ca_that_the_image_knows(tls_stack: FullStack, tmp_path: Path) -> None:
    theirs = tls_stack.directory / "admin-with-certificate"
    image, own = tmp_path / "image", tmp_path / "own"
    image.mkdir()
    own.mkdir()
    name = php(tls_stack, theirs, HASH)
    ca = CERTIFICATE.pem(tls_stack.ca.certificate)
    write_files(image, {"ca-certificates.crt": ca, f"{name}.0": ca})
    # One that is called otherwise, or OpenSSL would take it for the other.
    write_files(own, {"ca.pem": (tls_stack.directory / "haproxy" / "edge.pem").read_text()})
    known = ("--volume", f"{image}:/etc/ssl/certs:ro")
    said = dial(tls_stack, own, f"{tls_stack.address('haproxy')}:5002", known)
    assert refusals(said) == list(WAYS), said
