"""Clients that send just what they are told, and leave the good manners to the server."""

import socket
import ssl
from collections.abc import Sequence

PATIENCE = 20
_FRAME_HEAD = 9
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
# HPACK's static table has these statuses, from its place 8 on.
_STATUSES = [200, 204, 206, 304, 400, 404, 500]
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Field = tuple[bytes, bytes]


def status_of(address: str, sent: bytes, port: int = 80) -> int:
    """Send bytes, and return the status of the first answer, or 0 when the connection is just closed."""
    return int((first_answer(address, sent, port) or b"HTTP/1.1 0").split()[1])


def first_answer(address: str, sent: bytes, port: int = 80) -> bytes:
    """Send bytes, and return what is answered up to the end of its head."""
    with socket.create_connection((address, port), timeout=PATIENCE) as connection:
        connection.sendall(sent)
        answer = b""
        while b"\r\n\r\n" not in answer:
            try:
                chunk = connection.recv(65536)
            except ConnectionResetError:
                break
            if not chunk:
                break
            answer += chunk
        return answer.partition(b"\r\n\r\n")[0]


def status_of_h2(address: str, fields: Sequence[Field], body: bytes | None = None) -> int:
    """Send a request by HTTP/2, and return its status, or 0 when the stream or the connection is just closed.

    Args:
        address: of the server, on port 443.
        fields: of the head, pseudo header fields first, as they are put on the wire.
        body: what follows, if anything.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((address, 443), timeout=PATIENCE) as plain,
        context.wrap_socket(plain) as connection,
    ):
        assert connection.selected_alpn_protocol() == "h2"
        block = b"".join(_literal(name, value) for name, value in fields)
        flags = _END_HEADERS | (_END_STREAM if body is None else 0)
        sent = _PREFACE + _frame(_SETTINGS, 0, 0, b"") + _frame(_HEADERS, flags, 1, block)
        if body is not None:
            sent += _frame(_DATA, _END_STREAM, 1, body)
        connection.sendall(sent)
        received = connection.makefile("rb")
        while head := received.read(_FRAME_HEAD):
            payload = received.read(int.from_bytes(head[:3]))
            kind, stream = head[3], int.from_bytes(head[5:])
            if kind == _GOAWAY or (kind == _RST_STREAM and stream == 1):
                return 0
            if kind == _HEADERS and stream == 1:
                return _status(payload)
        return 0


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """Encode a header field as HPACK's literal, never indexed, without Huffman."""
    return b"\x00" + _string(name) + _string(value)


def _string(text: bytes) -> bytes:
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, encoded = len(text) - 127, b"\x7f"
    while rest >= 128:
        encoded += bytes([rest % 128 + 128])
        rest //= 128
    return encoded + bytes([rest]) + text


def _status(block: bytes) -> int:
    """Read the status, which comes first: from the static table, or three digits after a name from there."""
    return _STATUSES[block[0] - 0x88] if block[0] >= 0x80 else int(block[2:5])
