"""A place in the lab where an attacker's code runs, with the programs that are there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from secrets import token_hex

from kept import secrets_kept
from lab import Lab

Door = tuple[str, int]

_PHP_DIAL = r"""
$open = $pending = [];
foreach (json_decode($argv[1]) as $door) {
    $host = str_contains($door[0], ':') ? "[{$door[0]}]" : $door[0];
    $flags = STREAM_CLIENT_CONNECT | STREAM_CLIENT_ASYNC_CONNECT;
    $socket = @stream_socket_client("tcp://$host:{$door[1]}", $code, $text, 3, $flags);
    if ($socket) {
        $pending[] = [$socket, $door];
    }
}
$end = microtime(true) + 3;
while ($pending && microtime(true) < $end) {
    $read = $except = [];
    $write = array_column($pending, 0);
    stream_select($read, $write, $except, 0, 100000);
    foreach ($pending as $number => [$socket, $door]) {
        if (in_array($socket, $write, true)) {
            if (stream_socket_get_name($socket, true) !== false) {
                $open[] = $door;
            }
            unset($pending[$number]);
        }
    }
}
echo json_encode($open);
"""
_PYTHON_DIAL = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def answers(door):
    try:
        socket.create_connection(door, timeout=3).close()
    except OSError:
        return False
    return True
doors = [tuple(door) for door in json.loads(sys.argv[1])]
with ThreadPoolExecutor(16) as pool:
    print(json.dumps([door for door, answered in zip(doors, pool.map(answers, doors)) if answered]))
"""
_PHP_ASK = r"""
[$method, $url, $headers, $body] = json_decode($argv[1]);
$http = ['method' => $method, 'header' => $headers, 'content' => $body, 'timeout' => 5, 'ignore_errors' => true];
$text = @file_get_contents($url, false, stream_context_create(['http' => $http]));
echo json_encode([(int) (explode(' ', $http_response_header[0] ?? '')[1] ?? 0), (string) $text]);
"""
_PYTHON_ASK = """
import json, sys, urllib.error, urllib.request
method, url, headers, body = json.loads(sys.argv[1])
fields = dict(header.split(": ", 1) for header in headers)
request = urllib.request.Request(url, body.encode() or None, fields, method=method)
try:
    answer = urllib.request.urlopen(request, timeout=5)
except urllib.error.HTTPError as error:
    answer = error
except OSError:
    print(json.dumps([0, ""]))
    raise SystemExit
print(json.dumps([answer.status, answer.read().decode()]))
"""
# The words come by the input and stay in the shell's memory: arguments and variables are among what is searched.
_LOOK = r"""
words=$(cat)
look() { printf '%s\n' "$words" | grep -hoaFf - "$@" 2>/dev/null; }
look -r --exclude-dir=proc --exclude-dir=sys --exclude-dir=docker --exclude-dir=containerd /
for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do look "$file"; done
true
"""


@dataclass(frozen=True)
class Answer:
    """What somebody's request came to.

    Attributes:
        status: Of HTTP; 0 where nobody answered.
        body: Its text.
    """

    status: int
    body: str


class Foothold:
    """A shell in a container, as the container's user, or on a host, as root."""

    def __init__(self, lab: Lab, host: str, container: str = "") -> None:
        """Get in.

        Args:
            lab: The lab.
            host: The host.
            container: A container on it; without, the host itself.
        """
        self.lab = lab
        self.host = host
        self.container = container
        self._has_php = bool(container) and "php" in self.run("sh", "-c", "command -v php; true")

    def run(self, *command: str, stdin: str | None = None, check: bool = True) -> str:
        """Run a program and return what it printed."""
        inside = ["docker", "exec", "--interactive", self.container] if self.container else []
        return self.lab.on(self.host, *inside, *command, stdin=stdin, check=check)

    def attempt(self, command: str) -> str:
        """Run a shell command; return what stood in its way, empty when nothing did."""
        said = self.run("sh", "-c", f"({command}) 2>&1 && echo done", check=False).strip()
        return "" if said.endswith("done") else said or "refused"

    def dial(self, doors: Iterable[Door]) -> set[Door]:
        """Return the addresses and ports that take a connection."""
        script, start = (_PHP_DIAL, ("php", "-r")) if self._has_php else (_PYTHON_DIAL, ("python3", "-c"))
        found = json.loads(self.run(*start, script, json.dumps(sorted(doors))))
        return {(address, port) for address, port in found}

    def ask(self, url: str, key: str = "", method: str = "GET", body: str = "", actor: str = "") -> Answer:
        """Send a request with a service key, and return its answer."""
        headers = [f"X-Service-Key: {key}", "Content-Type: application/json", f"Idempotency-Key: {token_hex(16)}"]
        headers += [f"X-Actor: {actor}"] if actor else []
        script, start = (_PHP_ASK, ("php", "-r")) if self._has_php else (_PYTHON_ASK, ("python3", "-c"))
        status, text = json.loads(self.run(*start, script, json.dumps([method, url, headers, body])))
        return Answer(status, text)

    def secrets(self) -> set[str]:
        """Name the controller's secrets that can be read here, in files, variables and arguments."""
        words = secrets_kept()
        found = set(self.run("sh", "-c", _LOOK, stdin="\n".join(words.values())).split())
        return {name for name, word in words.items() if word in found}
