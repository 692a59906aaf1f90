"""A server that believes whatever it is sent, and remembers it."""

import socket
import socketserver
import threading

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: Permissive\r\n\r\nok\n"
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
                while head := recorder._head(self.request):
                    if not head.startswith(HEALTH_CHECK):
                        recorder.heads.append(head)
                    self.request.sendall(recorder.answer if not head.startswith(HEALTH_CHECK) else OK)

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

    @staticmethod
    def _head(connection: socket.socket) -> bytes:
        """Read a head, whose end is an empty line of whatever kind, and the body that is there already."""
        data = b""
        while not (b"\r\n\r\n" in data or b"\n\n" in data):
            try:
                chunk = connection.recv(65536)
            except OSError:
                return b""
            if not chunk:
                return data
            data += chunk
        head, _, body = data.replace(b"\n\n", b"\r\n\r\n", 1).partition(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        wanted = length[0].split(b":")[1].strip() if length else b""
        missing = int(wanted) - len(body) if wanted.isdigit() else 0
        while missing > 0:
            chunk = connection.recv(65536)
            if not chunk:
                break
            missing -= len(chunk)
        return head
