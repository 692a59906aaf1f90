"""What somebody can do who got into a web server's container, the API's container or the web servers' host.

All of it is tried from there. What succeeds is a promise too, of docs/attacker.md: an attacker gets that far.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import pytest
import requests
from foothold import Door, Foothold
from kept import secrets_kept
from lab import Lab
from walls import Walls

Wait = Callable[[Callable[[], bool], float], None]
_IMPOSTOR = Path(__file__).parent / "impostor.py"
# Beside the catalogue's ports: where Docker, the controller's registry and an attacker's own program listen.
_MORE_PORTS = {22, 2375, 2376, 4444, 5010}
_OWN_PORT = 4444

# What an attacker tries in a container to get out of it; harmless where it succeeds.
ESCAPES = {
    "become root in a namespace of his own": "unshare --user --map-root-user true",
    "make a network of his own": "unshare --net true",
    "mount": "mkdir -p /tmp/m && mount -t tmpfs none /tmp/m && umount /tmp/m",
    "change the root folder": "chroot / true",
    "enter the first process' mounts": "nsenter --target 1 --mount true",
    "make a device": "rm -f /tmp/null && mknod /tmp/null c 1 3",
    "write to the kernel's settings": "cd /proc/sys/net/ipv4 && value=$(cat ip_forward) && echo $value >ip_forward",
    "change a program": "touch -c /usr/bin/env && touch /usr/bin/planted && rm /usr/bin/planted",
    "change a secret": "touch /etc/shopfleet/planted && rm /etc/shopfleet/planted",
    "start a program that he brought": "cp /usr/bin/true /tmp/brought && /tmp/brought",
    "speak to Docker": "test -S /run/docker.sock -o -S /var/run/docker.sock",
    "see processes of the host": "test -d /proc/1 && grep -q systemd /proc/1/comm",
}


@pytest.fixture(scope="module")
def walls(lab: Lab) -> Walls:
    return Walls(lab)


@pytest.fixture(scope="module")
def web(lab: Lab) -> Iterator[Foothold]:
    """The first of the shop's web servers; started anew in the end, as nothing outlives that."""
    entry = lab.containers_of("web")[0]
    yield Foothold(lab, entry["host"], entry["name"])
    lab.docker(entry["name"], "restart")


@pytest.fixture(scope="module")
def api(lab: Lab) -> Foothold:
    return Foothold(lab, lab.host_of("api"), "api")


@pytest.fixture(scope="module")
def web_host(lab: Lab) -> Foothold:
    return Foothold(lab, lab.host_of("admin"))


def doors(walls: Walls) -> set[Door]:
    """Every address of every host, at every port that means something."""
    ports = {int(port) for port in walls.catalogue_ports.split(",")} | _MORE_PORTS
    return {(address, port) for known in walls.addresses.values() for address in known.values() for port in ports}


def promised(walls: Walls, source: str, on: str) -> set[Door]:
    return {(address, port) for address, ports in walls.promised(source, on).items() for _, port in ports}


def near(walls: Walls, place: Foothold) -> set[Door]:
    """What a container's neighbours on its host listen on, and the host's own addresses on their bridges."""
    targets = {entry["name"]: [port["target"] for port in entry["ports"].values()] for entry in walls.lab.containers}
    insides = [inside for inside in walls.inside() if inside.host == place.host]
    others = [inside for inside in insides if inside.name != place.container]
    neighbours = {(inside.address, port) for inside in others for port in targets[inside.name]}
    return neighbours | {(inside.gateway, port) for inside in insides for port in (22, *targets[inside.name])}


@contextmanager
def listening(walls: Walls) -> Iterator[Door]:
    """An attacker's own server, in the internal subnet."""
    with walls.stranger() as namespace:
        inside = ["nsenter", f"--net={namespace}"]
        shown = json.loads(subprocess.check_output([*inside, "ip", "-json", "-4", "address", "show", "eth0"]))
        address = str(shown[0]["addr_info"][0]["local"])
        server = [*inside, sys.executable, "-um", "http.server", "--bind", address, str(_OWN_PORT)]
        with subprocess.Popen(server, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            assert "Serving" in process.stdout.readline()
            try:
                yield address, _OWN_PORT
            finally:
                process.kill()


def internal(lab: Lab, service: str, port: str) -> str:
    """Where a service's port is published."""
    published = lab.containers_of(service)[0]["ports"][port]
    return f"http://{published['address']}:{published['port']}"


def lines_of(page: str, name: str) -> list[str]:
    """Text of the rows of a page that name an item."""
    rows = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)) for row in page.split("<tr")]
    return [row for row in rows if name in row]


# --- a container of a web server, and that of the API ---


@pytest.mark.parametrize(
    ("foothold", "found"),
    [
        ("web", {"web_key", "haproxy_web_key"}),
        ("api", {"mysql_api", "redis", "haproxy_api_key"}),
        ("web_host", {"web_key", "haproxy_web_key", "admin_key", "haproxy_admin_key"}),
    ],
)
def test_secrets_that_can_be_read(foothold: str, found: set[str], request: pytest.FixtureRequest) -> None:
    assert request.getfixturevalue(foothold).secrets() == found


@pytest.mark.parametrize("foothold", ["web", "api", "web_host"])
def test_doors_that_can_be_opened(foothold: str, walls: Walls, request: pytest.FixtureRequest) -> None:
    place: Foothold = request.getfixturevalue(foothold)
    source = place.container or place.host
    tried = doors(walls)
    if place.container:
        tried |= near(walls, place)
    else:
        # Its own, and the edge's, to which it has no way: what is open there is open to everybody.
        internal = {walls.addresses[host]["internal", 4] for host in walls.lab.hosts if host != place.host}
        tried = {door for door in tried if door[0] in internal}
    open_to_him = promised(walls, source, place.host) & tried
    assert open_to_him
    assert place.dial(tried) == open_to_him


@pytest.mark.parametrize("foothold", ["web", "api"])
def test_nothing_can_be_sent_out(
    foothold: str, walls: Walls, web_host: Foothold, request: pytest.FixtureRequest
) -> None:
    place: Foothold = request.getfixturevalue(foothold)
    with listening(walls) as server:
        assert place.dial([server]) == set()
        assert web_host.dial([server]) == {server}, "who owns a host gets out"


@pytest.mark.parametrize("foothold", ["web", "api"])
def test_names_cannot_be_looked_up(foothold: str, request: pytest.FixtureRequest) -> None:
    place: Foothold = request.getfixturevalue(foothold)
    assert place.attempt("getent hosts deb.debian.org")
    assert place.attempt(f"getent hosts {place.lab.container_of('lb1')}")


@pytest.mark.parametrize("foothold", ["web", "api"])
def test_nobody_gets_out_of_a_container(foothold: str, request: pytest.FixtureRequest) -> None:
    said = {way: request.getfixturevalue(foothold).attempt(command) for way, command in ESCAPES.items()}
    assert {way for way, reason in said.items() if not reason} == set()
    assert {way for way, reason in said.items() if "not found" in reason} == set(), "not for want of a program"


def test_who_owns_a_host_finds_these_ways_open(web_host: Foothold) -> None:
    assert {way: reason for way, command in ESCAPES.items() if (reason := web_host.attempt(command))} == {}


@pytest.mark.parametrize("foothold", ["web", "api"])
def test_only_memory_can_be_written(foothold: str, request: pytest.FixtureRequest) -> None:
    """It is gone with the next start of the container."""
    place: Foothold = request.getfixturevalue(foothold)
    find = "find / -path /proc -prune -o -type d -writable -print 2>/dev/null; true"
    folders = {path for path in place.run("sh", "-c", find).split() if not path.startswith("/tmp/")}  # noqa: S108
    assert folders == {"/tmp", "/dev/shm", "/dev/mqueue"}  # noqa: S108
    mounts = [line.split() for line in place.run("cat", "/proc/mounts").splitlines()]
    assert {kind for _, path, kind, *_ in mounts if path in folders} == {"tmpfs", "mqueue"}


def test_a_flood_of_processes_or_of_memory_stays_in_its_container(web: Foothold, lab: Lab, eventually: Wait) -> None:
    before = lab.started()
    assert "fork" in web.attempt("for n in $(seq 100); do sleep 20 & done; wait").lower()
    assert web.attempt("php -d memory_limit=-1 -r '$x = str_repeat(\"x\", 1 << 30);'")
    assert lab.started().items() - before.items() <= {(web.container, lab.started()[web.container])}
    assert requests.get(lab.url, timeout=10).status_code == 200
    # It leaves no room for others that are at work in the container until it has run dry.
    eventually(lambda: not web.attempt("true"), 60)


# --- with what lies in a web server's container ---


def test_a_web_servers_keys_open_what_every_customer_may_read_and_nothing_else(web: Foothold, lab: Lab) -> None:
    keys = secrets_kept()
    api = internal(lab, "haproxy", "api")
    assert web.ask(f"{api}/items", keys["web_key"]).status == 200
    assert web.ask(f"{api}/items", keys["haproxy_web_key"]).status == 401
    body = json.dumps({"quantity": 1, "price": "0.01"})
    for method in ("PUT", "PATCH", "DELETE"):
        assert web.ask(f"{api}/items/Owned", keys["web_key"], method, body).status == 405
    assert web.ask(f"{api}/changes", keys["web_key"]).status == 404


def test_a_web_server_can_lie_to_the_customers_that_it_serves_but_send_them_no_script(web: Foothold, lab: Lab) -> None:
    query = f"q=owned-{token_hex(4)}"
    lie = """
        foreach (glob('/srv/shopfleet/src/*.php') as $file) { if (basename($file) === 'StoredPage.php') require $file; }
        $now = hrtime(true);
        is_dir('/tmp/pages') || mkdir('/tmp/pages', 0700);
        $html = '<html><h1>Everything is free</h1><script>alert(1)</script></html>';
        Shopfleet\\StoredPage::rendered($argv[1], 200, $now, '', $html)->keep($now + 60_000_000_000);
    """
    web.run("php", "-r", lie, query)
    servers = len(lab.containers_of("web"))
    pages = [requests.get(f"{lab.url}/?{query}", timeout=10) for _ in range(servers * 2)]
    lies = [page for page in pages if "Everything is free" in page.text]
    assert len(lies) == 2
    # What scripts may run says the load balancer, and it says none.
    assert {page.headers["Content-Security-Policy"].split(";")[0] for page in lies} == {"default-src 'none'"}
    assert "script-src" not in lies[0].headers["Content-Security-Policy"]


# --- with what lies in the API's container ---


def test_the_apis_password_opens_no_other_account_of_mysql(api: Foothold) -> None:
    log_in = """
import json, os, sys
import MySQLdb
where = {"host": os.environ["SHOP_MYSQL_HOST"], "port": int(os.environ["SHOP_MYSQL_PORT"])}
secure = {"ssl_mode": "VERIFY_IDENTITY", "ssl": {"ca": os.environ["SHOP_MYSQL_CA"]}}
files = [name for name in os.listdir("/etc/shopfleet") if name.startswith("shop_")]
words = [open(f"/etc/shopfleet/{name}").read().strip() for name in files]
opened = set()
for user in ("api", "admin_api", "migrator", "root", "mysql.sys"):
    for word in [*words, ""]:
        try:
            MySQLdb.connect(user=user, password=word, **where, **secure).close()
            opened.add(user)
        except MySQLdb.Error as error:
            assert error.args[0] in (1045, 1130), error
print(json.dumps(sorted(opened)))
"""
    assert json.loads(api.run("python3", "-c", log_in)) == ["api"]


def test_the_caches_password_opens_no_more_of_redis(api: Foothold) -> None:
    command = """
import json, sys
import redis
from shop_api.cache import make_client
from shop_api.settings import RedisSettings
client = make_client(RedisSettings.load())
refused = {}
for words in json.loads(sys.argv[1]):
    try:
        client.execute_command(*words)
        refused[words[0]] = ""
    except redis.RedisError as error:
        refused[words[0]] = str(error)
print(json.dumps(refused))
"""
    tries = [["CONFIG", "GET", "*"], ["FLUSHALL"], ["KEYS", "*"], ["ACL", "LIST"], ["MODULE", "LIST"], ["SHUTDOWN"]]
    tries += [
        ["SET", "other", "1"],
        ["EVAL", "return 1", "0"],
        ["REPLICAOF", "192.0.2.9", "1"],
        ["SAVE"],
        ["CLIENT", "LIST"],
    ]
    refused = json.loads(api.run("python3", "-c", command, json.dumps(tries)))
    assert {word for word, said in refused.items() if "permission" not in said} == set()


def test_the_api_can_lie_to_everybody_by_the_cache_until_the_next_change_but_not_to_the_database(
    api: Foothold, web_host: Foothold, lab: Lab
) -> None:
    keys = secrets_kept()
    admin = lab.admin()
    name = f"Zither {token_hex(4)}"
    assert admin.save(name, "7", "129.90").ok
    path = f"/items/{name.replace(' ', '%20')}"
    ways = {(internal(lab, "haproxy", port) + path, keys["admin_key"]) for port in ("api", "admin-api")}

    def prices() -> set[str]:
        return {json.loads(web_host.ask(url, key).body)["price"] for url, key in ways}

    assert prices() == {"129.90"}
    lie = """
import json, sys
from shop_api.cache import ENTRY, Entry, make_client
from shop_api.routes import cache_key
from shop_api.settings import RedisSettings
client = make_client(RedisSettings.load())
key = ENTRY + cache_key("item", sys.argv[1])
entry = Entry.unpack(client.get(key))
body = json.dumps(json.loads(entry.body) | {"price": "0.01"}).encode()
client.set(key, entry._replace(body=body).pack())
"""
    api.run("python3", "-c", lie, name)
    assert prices() == {"0.01"}
    assert f"{name},7,129.90" in admin.get("/admin/export").text.splitlines()
    assert admin.save(f"{name} case", "1", "9.90").ok
    assert prices() == {"129.90"}


# --- with what lies on the web servers' host ---


def test_who_owns_the_admin_pages_host_can_change_items_in_anybodys_name_but_not_what_the_log_says(
    web_host: Foothold, lab: Lab
) -> None:
    key = secrets_kept()["admin_key"]
    name = f"Zither {token_hex(4)}"
    url = internal(lab, "haproxy", "admin-api")
    item = json.dumps({"quantity": 1, "price": "0.01"})
    assert web_host.ask(f"{url}/items/{name.replace(' ', '%20')}", key, "PUT", item, actor="alice").status == 201
    changes = json.loads(web_host.ask(f"{url}/changes", key).body)["changes"]
    (change,) = [change for change in changes if change["name"] == name]
    assert change["actor"] == "alice"
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        assert web_host.ask(f"{url}/changes/{change['id']}", key, method, "{}").status in (404, 405)


def test_who_owns_the_admin_pages_host_can_take_over_who_is_logged_in_but_learns_no_password(
    web_host: Foothold, lab: Lab
) -> None:
    name, password = lab.credentials
    admin = lab.admin()
    assert admin.is_logged_in()
    files = web_host.run("docker", "exec", "admin", "sh", "-c", "grep -l user /tmp/sess_*").split()
    sessions = [path.rpartition("sess_")[2] for path in files]
    cookies = [{"shopfleet_admin": session} for session in sessions]
    pages = [requests.get(f"{lab.url}/admin/", cookies=each, timeout=10).text for each in cookies]
    assert any('name="quantity"' in page for page in pages)
    hashes = json.loads(web_host.run("cat", "/etc/shopfleet/admin/admins.json"))
    assert hashes[name].startswith("$argon2id$")
    assert password not in web_host.run("sh", "-c", "cat /proc/[0-9]*/environ /etc/shopfleet/*/* | tr '\\0' '\\n'")


@pytest.fixture
def impostor(web_host: Foothold, eventually: Wait) -> Iterator[Callable[..., str]]:
    """Dials a neighbour's port from another neighbour's address, which he took by ARP, with an http request or none."""
    addresses = web_host.lab.facts["addresses"]

    def dial(taken: str, victim: str, port: int, request: str = "") -> str:
        web_host.run("sh", "-c", "cat >/run/impostor.py", stdin=_IMPOSTOR.read_text())
        web_host.run("sh", "-c", "cat >/run/impostor.request", stdin=request)
        return web_host.run(
            *("python3", "/run/impostor.py", addresses[taken], addresses[victim], str(port), "/run/impostor.request")
        )

    yield dial
    web_host.run("rm", "-f", "/run/impostor.py", "/run/impostor.request")
    eventually(lambda: not web_host.lab.unhealthy(), 60)
    eventually(lambda: requests.get(web_host.lab.url, timeout=10).status_code == 200, 60)


def test_who_takes_the_load_balancers_address_is_heard_by_the_apis_but_not_answered(
    impostor: Callable[..., str], lab: Lab
) -> None:
    """The subnet is flat: an address proves nothing there, which is what the keys are for."""
    keys = secrets_kept()
    host = lab.host_of("api")
    balancer = lab.containers_of("haproxy")[0]["host"]
    port = lab.containers_of("admin-api")[0]["ports"]["http"]["port"]
    request = "GET /items HTTP/1.1\r\nHost: api\r\nX-Service-Key: {}\r\nConnection: close\r\n\r\n"
    for name in ("haproxy_web_key", "haproxy_admin_key", "admin_key"):
        assert impostor(balancer, host, port, request.format(keys[name])).startswith("HTTP/1.1 401")
    answer = impostor(balancer, host, port, request.format(keys["haproxy_admin_api_key"]))
    assert answer.startswith("HTTP/1.1 200"), "this key is all that he lacks"


def test_who_takes_the_apis_address_is_greeted_by_mysql_and_knows_no_password(
    impostor: Callable[..., str], lab: Lab
) -> None:
    assert "caching_sha2_password" in impostor(lab.host_of("api"), lab.host_of("mysql"), 3306)
    # Without the lie, the same port is closed to him.
    assert Foothold(lab, lab.host_of("admin")).dial({(lab.facts["addresses"][lab.host_of("mysql")], 3306)}) == set()
