"""A server that believes whatever it is sent, and remembers it."""

import re
import socket
import socketserver
import threading
from contextlib import suppress

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: Permissive\r\n\r\nok\n"
# What claims to be longer is not waited for.
LONGEST = 10**6
HEALTH_CHECK = b"GET /healthz "


class Recorder:
    """The server.

    Args:
        address: where to listen.

    Attributes:
        heads: what came before the body of each request, as it came, health checks left out.
        answer: to each request.
    """

    def __init__(self, address: str) -> None:
        """Start to listen."""
        self.heads: list[bytes] = []
        self.answer = OK
        recorder = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with suppress(ConnectionError):
                    while recorder._serve(self.request):
                        pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server((address, 0), Handler)
        self.address, self.port = address, int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def lines(self) -> dict[str, str]:
        """Return the header fields of the only request, with lower-case names."""
        (head,) = self.heads
        pairs = (line.split(":", 1) for line in head.decode("latin-1").split("\r\n")[1:] if ":" in line)
        return {name.lower(): value.strip() for name, value in pairs}

    def _serve(self, connection: socket.socket) -> bool:
        """Answer a request; its head ends with an empty line of whatever kind. Return whether there was any."""
        data = b""
        while not (b"\r\n\r\n" in data or b"\n\n" in data):
            chunk = connection.recv(65536)
            data += chunk
            if not chunk:
                break
        head, _, body = data.replace(b"\n\n", b"\r\n\r\n", 1).partition(b"\r\n\r\n")
        is_health_check = head.startswith(HEALTH_CHECK)
        if head and not is_health_check:
            self.heads.append(head)
        length = re.findall(rb"^content-length: *(\d+)\r?$", head.lower(), re.MULTILINE)
        missing = int(length[0]) - len(body) if length else 0
        while 0 < missing < LONGEST and (chunk := connection.recv(65536)):
            missing -= len(chunk)
        connection.sendall(OK if is_health_check else self.answer)
        return bool(head)
