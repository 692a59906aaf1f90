"""What two servers could read in two ways, or what no browser sends, reaches no server."""

import re

import pytest
from edge import Edge, OpenEdge
from recorder import Recorder
from wire import Field, status_of, status_of_h2

POST = b"POST /admin/ HTTP/1.1\r\nHost: localhost\r\n"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = b"GET /admin/export HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
END = b"\r\n"

LENGTHS = {
    "CL.TE": POST + b"Content-Length: 6\r\n" + CHUNKED + END + b"0\r\n\r\nG",
    "TE.CL": POST + CHUNKED + b"Content-Length: 4\r\n" + END + CHUNK,
    "TE.TE": POST + CHUNKED + b"Transfer-Encoding: identity\r\n" + END + CHUNK,
    "TE of an unknown kind": POST + b"Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n" + END + b"a=1",
    "TE with a tab": POST + b"Transfer-Encoding:\tchunked\r\nContent-Length: 3\r\n" + END + b"a=1",
    "TE with a vertical tab": POST + b"Transfer-Encoding:\x0bchunked\r\nContent-Length: 3\r\n" + END + b"a=1",
    "TE with a space before the colon": POST + b"Transfer-Encoding : chunked\r\nContent-Length: 3\r\n" + END + b"a=1",
    "TE behind a bare line feed": POST + b"X: y\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n" + END + b"a=1",
    "TE behind a bare carriage return": POST + b"X: y\rTransfer-Encoding: chunked\r\n" + END + CHUNK,
    "TE by HTTP/1.0": POST.replace(b"1.1", b"1.0") + CHUNKED + END + CHUNK,
    "chunks alone": POST + CHUNKED + END + CHUNK,
    "two CL": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n" + END + b"a=12",
    "CL with a list": POST + b"Content-Length: 3, 4\r\n" + END + b"a=12",
    "CL with a sign": POST + b"Content-Length: +3\r\n" + END + b"a=1",
    "CL below zero": POST + b"Content-Length: -3\r\n" + END + b"a=1",
    "CL of 0x3": POST + b"Content-Length: 0x3\r\n" + END + b"a=1",
    "CL with a gap": POST + b"Content-Length: 3 3\r\n" + END + b"a=1",
    "CL that is empty": POST + b"Content-Length:\r\n" + END + b"a=1",
    "CL beyond 64 bits": POST + b"Content-Length: 18446744073709551619\r\n" + END + b"a=1",
    "CL absent": POST + END,
    "CL of a GET": GET + b"Content-Length: 45\r\n" + END + SMUGGLED,
    "TE of a GET": GET + CHUNKED + END + CHUNK,
}
FORMS = {
    "no Host": b"GET / HTTP/1.1\r\nX: y\r\n\r\n",
    "two Hosts": GET + b"Host: elsewhere\r\n" + END,
    "Host that is empty": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "Host with a user": b"GET / HTTP/1.1\r\nHost: shop@elsewhere\r\n\r\n",
    "Host with a path": b"GET / HTTP/1.1\r\nHost: localhost/admin\r\n\r\n",
    "Host with a gap": b"GET / HTTP/1.1\r\nHost: localhost elsewhere\r\n\r\n",
    "Host with markup": b"GET / HTTP/1.1\r\nHost: <b>\r\n\r\n",
    "Host with a port that is none": b"GET / HTTP/1.1\r\nHost: localhost:http\r\n\r\n",
    "Host other than in the target": b"GET http://elsewhere/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "line feed in the target": b"GET /\nX:y HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "control character in the target": b"GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "fragment in the target": b"GET /#x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "gap in the target": b"GET / / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "zero byte in a field": GET + b"X: a\x00b\r\n" + END,
    "bare carriage return in a field": GET + b"X: a\rb\r\n" + END,
    "gap in a field's name": GET + b"X Y: z\r\n" + END,
    "field without a colon": GET + b"X\r\n" + END,
    "field without a name": GET + b": x\r\n" + END,
    "first field with a gap": b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "17 KiB of fields": GET + b"X: " + b"x" * 17_000 + b"\r\n" + END,
    "200 fields": GET + b"".join(b"X-%d: y\r\n" % number for number in range(200)) + END,
    "version that is none": b"GET / HTTP/1.7x\r\nHost: localhost\r\n\r\n",
    "method that is none": b"GE(T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CONNECT": b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
    **{method: f"{method} /admin/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for method in ("PUT", "TRACE", "FOO")},
}
ATTEMPTS = LENGTHS | FORMS

PSEUDO: dict[bytes, bytes] = {
    b":method": b"POST",
    b":scheme": b"https",
    b":path": b"/admin/",
    b":authority": b"localhost",
}
LENGTH_3 = (b"content-length", b"3")


def h2(*fields: Field, **pseudo: bytes) -> list[Field]:
    """Return the fields of a form's head, with other pseudo header fields and more fields."""
    return [*{**PSEUDO, **{f":{name}".encode(): value for name, value in pseudo.items()}}.items(), *fields]


GOOD_H2 = h2(LENGTH_3), b"a=1"
# What comes by HTTP/2 is written down as HTTP/1 for the server.
ATTEMPTS_H2 = {
    "CL too small": (h2((b"content-length", b"1")), b"a=1" + SMUGGLED),
    "CL of nothing": (h2((b"content-length", b"0")), SMUGGLED),
    "CL too large": (h2((b"content-length", b"90")), b"a=1"),
    "two CL": (h2(LENGTH_3, (b"content-length", b"4")), b"a=1"),
    "CL with a sign": (h2((b"content-length", b"+3")), b"a=1"),
    "CL absent": (h2(), b"a=1"),
    "TE": (h2((b"transfer-encoding", b"chunked")), CHUNK),
    "TE in a value": (h2(LENGTH_3, (b"x", b"y\r\ntransfer-encoding: chunked")), b"a=1"),
    "line feed in a value": (h2(LENGTH_3, (b"x", b"y\nz: 1")), b"a=1"),
    "zero byte in a value": (h2(LENGTH_3, (b"x", b"y\x00z")), b"a=1"),
    "line in a name": (h2(LENGTH_3, (b"x: y\r\nz", b"1")), b"a=1"),
    "colon in a name": (h2(LENGTH_3, (b"x:y", b"1")), b"a=1"),
    "gap in a name": (h2(LENGTH_3, (b"x y", b"1")), b"a=1"),
    "capital in a name": (h2(LENGTH_3, (b"X-Y", b"1")), b"a=1"),
    "Connection": (h2(LENGTH_3, (b"connection", b"content-length")), b"a=1"),
    "pseudo header field that is none": (h2(LENGTH_3, (b":x", b"y")), b"a=1"),
    "pseudo header field at the end": ([*h2(LENGTH_3), (b":path", b"/")], b"a=1"),
    "gap in the path": (h2(LENGTH_3, path=b"/ HTTP/1.1\r\nX: y"), b"a=1"),
    "path without a slash": (h2(LENGTH_3, path=b"admin"), b"a=1"),
    "path that is empty": (h2(LENGTH_3, path=b""), b"a=1"),
    "line in the method": (h2(LENGTH_3, method=b"POST / HTTP/1.1\r\nX: y\r\n\r\nGET"), b"a=1"),
    "method PUT": (h2(LENGTH_3, method=b"PUT"), b"a=1"),
    "line in the scheme": (h2(LENGTH_3, scheme=b"https\r\nx: y"), b"a=1"),
    "authority with a user": (h2(LENGTH_3, authority=b"shop@elsewhere"), b"a=1"),
    "authority that is empty": (h2(LENGTH_3, authority=b""), b"a=1"),
    "body of a GET": (h2(method=b"GET"), b"a=1"),
    "counted body of a GET": (h2(LENGTH_3, method=b"GET"), b"a=1"),
}


@pytest.fixture(scope="module")
def wire(open_edge: OpenEdge) -> Edge:
    """An edge that looks at nothing: bytes go through as they come."""

    def as_bytes(configuration: str) -> str:
        server = re.findall(r"^\tserver web (\S+)", configuration, re.MULTILINE)[0]
        shop = "frontend shop\n\tmode tcp\n\toption tcplog\n\tbind :80\n\tbind :443 ssl crt /etc/shopfleet/edge.pem\n"
        shop += f"\tdefault_backend wire\n\nbackend wire\n\tmode tcp\n\tserver wire {server}\n\n"
        return re.sub(r"^frontend shop\n(?:\t.*\n|\n(?=\t))+", shop, configuration, flags=re.MULTILINE)

    return open_edge(as_bytes)


@pytest.fixture(scope="module")
def permissive(open_edge: OpenEdge) -> Edge:
    """An edge without the rules of this shop."""
    rule = re.compile(r"^\thttp-request (?:deny|return|del-header|wait-for-body).*\n", re.MULTILINE)
    return open_edge(lambda configuration: rule.sub("", configuration))


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_what_is_ambiguous_is_refused(edge: Edge, server: Recorder, attempt: bytes) -> None:
    assert status_of(edge.address, attempt) in {0, 400, 405, 411, 413}
    assert server.heads == []


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_it_reaches_the_server_where_nobody_looks(wire: Edge, server: Recorder, attempt: bytes) -> None:
    assert status_of(wire.address, attempt) == 200
    assert server.heads


@pytest.mark.parametrize(("fields", "body"), ATTEMPTS_H2.values(), ids=ATTEMPTS_H2)
def test_what_is_ambiguous_is_refused_by_http_2_too(
    edge: Edge, server: Recorder, fields: list[Field], body: bytes
) -> None:
    assert status_of_h2(edge.address, fields, body) in {0, 400, 405, 411}
    assert server.heads == []


def test_a_good_form_reaches_the_server_by_http_2(edge: Edge, server: Recorder) -> None:
    assert status_of_h2(edge.address, *GOOD_H2) == 200
    assert server.lines()["content-length"] == "3"


@pytest.mark.parametrize("name", ["CL absent", "method PUT", "body of a GET"])
def test_it_reaches_the_server_by_http_2_without_our_rules(permissive: Edge, server: Recorder, name: str) -> None:
    assert status_of_h2(permissive.address, *ATTEMPTS_H2[name]) == 200
    assert server.heads


def test_a_folded_field_reaches_the_server_on_one_line(edge: Edge, wire: Edge, server: Recorder) -> None:
    folded = GET + b"X: y\r\n Z: 1\r\n" + END
    assert status_of(edge.address, folded) == 200
    assert "z" not in server.lines()
    assert server.lines()["x"].split() == ["y", "Z:", "1"]
    server.heads.clear()
    assert status_of(wire.address, folded) == 200
    assert b"\r\n Z: 1" in server.heads[0]


def test_a_second_name_of_the_host_reaches_no_server(edge: Edge, server: Recorder) -> None:
    assert status_of_h2(edge.address, h2(LENGTH_3, (b"host", b"elsewhere")), b"a=1") == 200
    assert b"elsewhere" not in server.heads[0]


def test_nobody_changes_to_another_protocol(edge: Edge, wire: Edge, server: Recorder) -> None:
    upgrade = GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" + END
    assert status_of(edge.address, upgrade) == 200
    assert "upgrade" not in server.lines()
    server.heads.clear()
    assert status_of(wire.address, upgrade) == 200
    assert server.lines()["upgrade"] == "h2c"
