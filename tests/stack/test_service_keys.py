"""An address inside the subnet is not enough: each service answers those who carry the key that it wants."""

import subprocess

import pytest
import requests
from full_stack import TARGET_PORT, FullStack
from shop_stack import HAPROXY_KEY, HAPROXY_KEYS, KEY_HEADER, OWN_KEYS

# What a stranger may come to think of: none of these opens anything.
STRANGERS = [None, "", "haproxy", "web", "admin", "0" * len(HAPROXY_KEY), HAPROXY_KEY[:-1], HAPROXY_KEY + "0"]
INTERNAL_PORTS = {"api": 5001, "admin-api": 5002}
CLIENTS = {"api": {"web", "admin"}, "admin-api": {"admin"}}
BEHIND = {"web-1": "/", "admin": "/admin/login", "api": "/items", "admin-api": "/changes"}


def status(url: str, key: str | None, method: str = "GET") -> int:
    """Ask, and return the status of the answer."""
    headers = {} if key is None else {KEY_HEADER: key}
    return requests.request(method, url, headers=headers, allow_redirects=False, timeout=10).status_code


def internal(stack: FullStack, port: str) -> str:
    """Return the address at which the load balancer offers an API to the web servers."""
    return f"http://{stack.address('haproxy')}:{INTERNAL_PORTS[port]}"


@pytest.mark.parametrize("port", INTERNAL_PORTS)
def test_the_load_balancer_lets_through_whom_the_catalogue_names(stack: FullStack, port: str) -> None:
    url = f"{internal(stack, port)}/items"
    keys = {f"haproxy to {service}": key for service, key in HAPROXY_KEYS.items()} | OWN_KEYS
    assert {service for service, key in keys.items() if status(url, key) == 200} == CLIENTS[port]
    assert {status(url, key) for service, key in keys.items() if service not in CLIENTS[port]} == {401}


@pytest.mark.parametrize("path", ["/items", "/items/Tea", "/healthz", "/readyz", "/metrics", "/nothing"])
@pytest.mark.parametrize("port", INTERNAL_PORTS)
def test_the_load_balancer_refuses_all_others(stack: FullStack, port: str, path: str) -> None:
    assert {status(internal(stack, port) + path, key) for key in STRANGERS} == {401}
    assert status(internal(stack, port) + path, None, "DELETE") == 401


def test_the_refusal_is_a_problem_document(stack: FullStack) -> None:
    answer = requests.get(f'{internal(stack, "api")}/items/%22a%22\\"', timeout=10)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"]
    assert (answer.json()["status"], answer.json()["title"]) == (401, "Unauthorized")
    assert KEY_HEADER in answer.json()["detail"]
    assert answer.json()["instance"].startswith("/items/")


@pytest.mark.parametrize("name", BEHIND)
def test_behind_the_load_balancer_nobody_else_is_answered(stack: FullStack, name: str) -> None:
    url = f"http://{stack.address(name)}:{TARGET_PORT}{BEHIND[name]}"
    key = HAPROXY_KEYS[name.removesuffix("-1")]
    others = {*HAPROXY_KEYS.values(), *OWN_KEYS.values()} - {key}
    assert status(url, key) == 200
    assert {status(url, other) for other in [*STRANGERS, *others]} == {401}


@pytest.mark.parametrize("path", ["/", "/admin/login"])
def test_what_an_outsider_sends_as_a_key_is_ignored(stack: FullStack, path: str) -> None:
    assert {status(stack.url + path, key) for key in [*STRANGERS, *OWN_KEYS.values()]} == {200}


def test_no_key_is_in_any_log(stack: FullStack) -> None:
    for name in BEHIND:
        status(f"http://{stack.address(name)}:{TARGET_PORT}/nothing", HAPROXY_KEYS[name.removesuffix("-1")])
    for port in INTERNAL_PORTS:
        status(f"{internal(stack, port)}/nothing", OWN_KEYS["admin"])
        status(f"{internal(stack, port)}/nothing", OWN_KEYS["web"])
    logs = {
        name: subprocess.run(["docker", "logs", stack.container(name)], capture_output=True, text=True, check=True)
        for name in [*BEHIND, "haproxy"]
    }
    written = {name: done.stdout + done.stderr for name, done in logs.items()}
    for key in (*HAPROXY_KEYS.values(), *OWN_KEYS.values()):
        assert [name for name, text in written.items() if key in text] == []
    assert all("/nothing" in text for text in written.values())
