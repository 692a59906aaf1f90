"""What HAProxy promises to those outside and to the servers behind it."""

import re
import socket
import ssl
import subprocess
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from edge import Edge, OpenEdge
from recorder import Recorder
from shop_stack import HAPROXY_KEYS, docker, wait_until
from wire import first_answer, status_of

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
OVER_64_KIB = 64 * 1024 + 1
OVER_544_KIB = 544 * 1024 + 1


def post(length: int, path: str = "/admin/") -> bytes:
    """Return the head of a form of some length."""
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()


def get(edge: Edge, path: str = "/", **options: object) -> requests.Response:
    """Ask by https."""
    return requests.get(edge.https_url + path, verify=str(edge.certificate), timeout=10, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def only_https(open_edge: OpenEdge) -> Edge:
    return open_edge(catalogue_hsts=True)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("path", ["/", "/admin/", "/healthz", "/error.css"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_security_headers_are_on_every_answer(edge: Edge, scheme: str, path: str) -> None:
    url = edge.url if scheme == "http" else edge.https_url
    response = requests.get(url + path, verify=str(edge.certificate), timeout=10)
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert "Server" not in response.headers
    assert "Strict-Transport-Security" not in response.headers


def test_a_servers_own_security_headers_do_not_count(edge: Edge, server: Recorder) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Security-Policy: default-src *\r\n\r\n"
    assert get(edge).headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


def test_a_shop_web_server_cannot_set_the_admins_cookies(edge: Edge, server: Recorder) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: shopfleet_admin=planted; Path=/admin\r\n\r\n"
    assert "Set-Cookie" not in requests.get(edge.url, timeout=10).headers
    assert "planted" in requests.get(f"{edge.url}/admin/", timeout=10).headers["Set-Cookie"]


def test_what_the_outside_says_of_itself_is_not_believed(edge: Edge, server: Recorder) -> None:
    lies = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "elsewhere",
        "X-Forwarded-Something": "lie",
        "X_Forwarded_For": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
        "X-Real-IP": "203.0.113.9",
        "X-Request-ID": "lie",
        "X-Service-Key": "lie",
        "X-Actor": "lie",
        "Proxy": "lie",
    }
    assert requests.get(edge.url, headers={**lies, "X-Harmless": "kept"}, timeout=10).ok
    seen = server.lines()
    assert seen["x-harmless"] == "kept"
    assert set(seen.values()).isdisjoint({*lies.values()} - {"https"})
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-service-key"] == HAPROXY_KEYS["web"]
    assert re.fullmatch("[0-9a-f-]{36}", seen["x-request-id"])
    assert re.fullmatch(r"[0-9.]+", seen["x-forwarded-for"])
    assert not {name for name in seen if "_" in name}


@pytest.mark.parametrize(
    ("path", "is_admins"), [("/", False), ("/administer", False), ("/admin", True), ("/admin/", True)]
)
def test_the_shop_neither_learns_nor_sets_an_admins_cookies(
    edge: Edge, server: Recorder, path: str, is_admins: bool
) -> None:
    server.answer = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: __Host-shopfleet_admin=1; Path=/; Secure\r\n\r\n"
    )
    response = get(edge, path, headers={"Cookie": "__Host-shopfleet_admin=0"})
    assert ("cookie" in server.lines()) is is_admins
    assert ("Set-Cookie" in response.headers) is is_admins


def test_servers_are_told_of_https(edge: Edge, server: Recorder) -> None:
    response = get(edge)
    assert server.lines()["x-forwarded-proto"] == "https"
    assert server.lines()["x-request-id"] == response.headers["X-Request-ID"]


def hand_shake(edge: Edge, **settings: object) -> ssl.SSLSocket:
    """Speak TLS with some settings of an SSL context."""
    context = ssl.create_default_context(cafile=str(edge.certificate))
    with warnings.catch_warnings():
        # Old versions are what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        for name, value in settings.items():
            setattr(context, name, value)
    plain = socket.create_connection(("127.0.0.1", edge.https_port), timeout=10)
    return context.wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_of_today_is_spoken_with_forward_secrecy(edge: Edge, version: ssl.TLSVersion) -> None:
    with hand_shake(edge, minimum_version=version, maximum_version=version) as connection:
        cipher = connection.cipher()
    assert cipher
    assert re.match("TLS_|ECDHE-", cipher[0])
    assert re.search("GCM|CHACHA20", cipher[0])


def s_client(edge: Edge, *options: str) -> str:
    """Return what OpenSSL's client says of a handshake with everything allowed on its side."""
    target = ["-connect", f"127.0.0.1:{edge.https_port}", "-cipher", "ALL:@SECLEVEL=0"]
    done = subprocess.run(
        ["openssl", "s_client", *target, *options], input="", capture_output=True, text=True, check=False
    )
    return done.stdout


def test_older_tls_and_weak_ciphers_are_refused(edge: Edge, open_edge: OpenEdge) -> None:
    weak_ciphers = "AES128-SHA:AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA@SECLEVEL=0"
    old = [("-tls1",), ("-tls1_1",), ("-tls1_2", "-cipher", weak_ciphers)]
    lax = "ssl-default-bind-options ssl-min-ver TLSv1.0\n\tssl-default-bind-ciphers ALL:@SECLEVEL=0"

    def permissive(configuration: str) -> str:
        return re.sub(r"ssl-default-bind-options .*\n\tssl-default-bind-ciphers .*", lax, configuration)

    weak = open_edge(permissive)
    for options in old:
        assert "Cipher is (NONE)" in s_client(edge, *options), options
        assert "Cipher is (NONE)" not in s_client(weak, *options), options


def test_the_newest_tls_is_preferred(edge: Edge) -> None:
    with hand_shake(edge) as connection:
        assert connection.version() == "TLSv1.3"


def test_https_is_spoken_by_http_2(edge: Edge) -> None:
    context = ssl.create_default_context(cafile=str(edge.certificate))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", edge.https_port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        assert connection.selected_alpn_protocol() == "h2"


def test_with_hsts_http_leads_to_https_and_browsers_remember(only_https: Edge, server: Recorder) -> None:
    request = b"GET /?q=knife HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = first_answer(only_https.address, request).decode().lower()
    assert answer.startswith("http/1.1 308 ")
    assert "location: https://localhost/?q=knife" in answer
    assert "strict-transport-security" not in answer
    assert server.heads == []
    assert get(only_https).headers["Strict-Transport-Security"] == "max-age=63072000"


@pytest.mark.parametrize("port", [5001, 5002])
def test_only_pages_for_people_lead_to_https(only_https: Edge, port: int) -> None:
    assert status_of(only_https.address, b"GET /items HTTP/1.1\r\nHost: localhost\r\n\r\n", port) == 401


@pytest.mark.parametrize(
    ("length", "path", "status"),
    [
        (OVER_64_KIB - 1, "/admin/", 200),
        (OVER_64_KIB, "/admin/", 413),
        (OVER_64_KIB, "/", 413),
        (OVER_64_KIB, "/admin/import/", 413),
        (OVER_64_KIB, "/admin/import?id=1", 200),
        (OVER_544_KIB - 1, "/admin/import", 200),
        (OVER_544_KIB, "/admin/import", 413),
    ],
)
def test_a_body_has_a_limit(edge: Edge, server: Recorder, length: int, path: str, status: int) -> None:
    body = b"x" * length if status == 200 else b""
    assert status_of(edge.address, post(length, path) + body) == status
    assert bool(server.heads) == (status == 200)


def test_a_body_that_tells_no_length_is_refused(edge: Edge, server: Recorder) -> None:
    response = requests.post(f"{edge.url}/admin/", data=iter([b"a", b"b"]), timeout=10)
    assert response.status_code == 411
    assert server.heads == []


def trickle(edge: Edge, head: bytes) -> int:
    """Send bytes, then one more now and then, until there is an answer; return its status, or 0."""
    answer = b""

    def is_answered() -> bool:
        nonlocal answer
        try:
            connection.sendall(b"x")
            connection.settimeout(0.5)
            answer = connection.recv(4096)
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    with socket.create_connection((edge.address, 80)) as connection:
        connection.sendall(head)
        wait_until(is_answered, "an answer, although the request goes on", 25)
    return int(answer.split()[1]) if answer else 0


def test_slow_requests_are_refused_and_cost_no_server_anything(edge: Edge, server: Recorder) -> None:
    slow = [b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"GET /", post(5000), post(60_000)]
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda head: trickle(edge, head), slow)) == [408] * len(slow)
    assert server.heads == []


def test_a_slow_body_would_reach_a_server_that_it_is_not_kept_from(open_edge: OpenEdge, server: Recorder) -> None:
    rule = re.compile(r"^\thttp-request wait-for-body.*\n", re.MULTILINE)
    hasty = open_edge(lambda configuration: rule.sub("", configuration))
    with socket.create_connection((hasty.address, 80)) as connection:
        connection.sendall(post(5000) + b"x")
        wait_until(lambda: any(head.startswith(b"POST") for head in server.heads), "the head arrives")


@pytest.fixture
def limited(open_edge: OpenEdge) -> Edge:
    """A load balancer that nobody has sent anything yet."""
    return open_edge(catalogue_writes_per_minute=6, catalogue_logins_per_minute=3)


def statuses(edge: Edge, path: str, number: int) -> list[int]:
    """Send some forms, one after the other."""
    return [requests.post(edge.url + path, {"a": "1"}, timeout=10).status_code for _ in range(number)]


def test_logins_and_then_forms_at_all_are_limited_for_each_address(limited: Edge, edge: Edge, server: Recorder) -> None:
    assert statuses(limited, "/admin/login?next=/admin/", 5) == [200, 200, 200, 429, 429]
    assert len(server.heads) == 3
    assert statuses(limited, "/admin/delete", 4) == [200, 200, 200, 429]
    refused = requests.post(f"{limited.url}/admin/", {"a": "1"}, timeout=10)
    assert refused.headers["Retry-After"] == "60"
    assert "wait a minute" in refused.text
    assert requests.get(limited.url, timeout=10).status_code == 200
    form = f"exec 3<>/dev/tcp/{limited.address}/80; printf '{post(3).decode()}a=1' >&3; head -n 1 <&3"
    assert docker("exec", edge.name, "bash", "-c", form).startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("provoke", "status", "says"),
    [
        (lambda url: requests.get(f"{url}/healthz", timeout=10), 404, "Page not found"),
        (lambda url: requests.get(url, headers={"Host": "a;b"}, timeout=10), 400, "Not understood"),
        (lambda url: requests.put(url, timeout=10), 405, "Not possible"),
        (lambda url: requests.post(url, data=iter([b"a"]), timeout=10), 411, "Not understood"),
        (lambda url: requests.post(url, data=b"x" * OVER_64_KIB, timeout=10), 413, "Too large"),
    ],
)
def test_a_refusal_is_a_page_with_a_way_on(
    edge: Edge, provoke: Callable[[str], requests.Response], status: int, says: str
) -> None:
    page = provoke(edge.url)
    assert page.status_code == status
    assert f"<h1>{says}</h1>" in page.text
    assert '<a href="/">' in page.text
    assert page.headers["X-Request-ID"] in page.text
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-store"
    stylesheet = re.findall('href="([^"]+css)"', page.text)[0]
    assert requests.get(edge.url + stylesheet, timeout=10).headers["Content-Type"] == "text/css; charset=utf-8"


def test_servers_that_are_all_gone_are_told_of(open_edge: OpenEdge) -> None:
    alone = open_edge(lambda configuration: re.sub(r"(server web [0-9.]+):\d+", r"\1:9", configuration))
    page = requests.get(alone.url, timeout=10)
    assert page.status_code == 503
    assert "<h1>We’ll be right back</h1>" in page.text
    assert page.headers["Retry-After"] == "60"
    assert {name: page.headers.get(name) for name in HEADERS} == HEADERS
