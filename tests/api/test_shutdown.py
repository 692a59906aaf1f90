"""An API that is told to stop answers every request that it has accepted."""

import http.client
import json
import subprocess
import threading
import time
from dataclasses import dataclass, field

from shop_stack import AS_HAPROXY, Stack, docker, item_path, wait_until


@dataclass
class Tally:
    """What became of the requests."""

    answered: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    refused: int = 0


class UnansweredError(Exception):
    """No byte of an answer came."""


def send(connection: http.client.HTTPConnection, method: str, path: str, body: object) -> http.client.HTTPResponse:
    payload = None if body is None else json.dumps(body)
    headers = AS_HAPROXY | ({"Content-Type": "application/json"} if payload else {})
    try:
        connection.request(method, path, payload, headers)
        response = connection.getresponse()
    except ConnectionError as error:
        raise UnansweredError(repr(error)) from error
    response.read()
    return response


def hammer(address: str, method: str, path: str, body: object, keep: bool, tally: Tally) -> None:
    """Send requests until connections are refused, as a proxy does.

    A connection that was used before may be closed when the next request is on its way, which is sent again then. On a
    new connection only what changes nothing is, once, and only when no byte of an answer came: the kernel had taken the
    connection and the server had not, or had not read from it. That is HAProxy's `retry-on empty-response`.
    """
    sent_again = False
    while True:
        connection = http.client.HTTPConnection(address, 8080, timeout=20)
        try:
            connection.connect()
        except OSError:
            tally.refused += 1
            return
        used = 0
        while True:
            try:
                response = send(connection, method, path, body)
            except (OSError, http.client.HTTPException, UnansweredError) as error:
                if not used:
                    if sent_again or method != "GET" or not isinstance(error, UnansweredError):
                        tally.lost.append(f"{method} {error!r}")
                    sent_again = True
                break
            tally.answered.append(response.status)
            used += 1
            if not keep or response.will_close:
                break
        connection.close()


def test_nothing_accepted_is_dropped(stack: Stack, name: str) -> None:
    stack.admin.put(name, quantity=1, price="1")
    stack.api("stopping", "admin")
    try:
        inspect = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = docker("inspect", "--format", inspect, stack.container("stopping"))
        path = item_path(name)
        tally, slow = Tally(), Tally()
        work: list[tuple[str, object, bool, Tally]] = []
        work += [("GET", None, True, tally)] * 4 + [("GET", None, False, tally)] * 2
        work += [("PUT", {"quantity": 2}, True, tally), ("PUT", {"quantity": 3}, False, tally)]
        threads = [
            threading.Thread(target=hammer, args=(address, method, path, body, keep, to))
            for method, body, keep, to in work
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(tally.answered) > 50, "requests are answered")
        # A lock that somebody else holds makes the writes under way slow ones.
        lock = "BEGIN; SELECT version FROM shop.catalogue_version FOR UPDATE; DO SLEEP(0.7); COMMIT"
        holder = threading.Thread(target=stack.sql, args=(lock,))
        holder.start()
        time.sleep(0.3)
        threads.append(threading.Thread(target=hammer, args=(address, "PUT", path, {"quantity": 4}, False, slow)))
        threads[-1].start()
        time.sleep(0.1)
        before = len(tally.answered)
        docker("stop", "--time", "20", stack.container("stopping"))
        for thread in [*threads, holder]:
            thread.join()
        print(f"{len(tally.answered)} answered, {len(tally.answered) - before} of them after the signal")
        assert tally.lost == slow.lost == []
        assert set(tally.answered) == set(slow.answered) == {200}
        assert len(tally.answered) > before
        assert tally.refused == len(work)
        code = docker("inspect", "--format", "{{.State.ExitCode}}", stack.container("stopping"))
        assert code == "0"
    finally:
        stack.remove("stopping")


def test_an_idle_connection_does_not_hold_it_up(stack: Stack) -> None:
    client = stack.api("idling", "read")
    try:
        assert client.get("/healthz").status == 200
        subprocess.run(["docker", "stop", "--time", "20", stack.container("idling")], check=True, capture_output=True)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", stack.container("idling")) == "0"
    finally:
        stack.remove("idling")
