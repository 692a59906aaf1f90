"""What the served descriptions say, held against what the APIs answer to many generated requests."""

import subprocess
from pathlib import Path

import pytest
import redis
from shop_stack import HAPROXY_KEY, KEY_HEADER, Client, Stack

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


def run(client: Client, examples: int, *options: str) -> tuple[int, str]:
    """Let schemathesis make requests; return its exit code and what it says."""
    command = [
        "schemathesis",
        "--config-file",
        str(CONFIGURATION),
        "run",
        f"http://127.0.0.1:{client.port}/openapi.json",
        "--header",
        f"{KEY_HEADER}: {HAPROXY_KEY}",
    ]
    limits = ["--max-examples", str(examples), "--continue-on-failure", "--request-timeout", "10"]
    done = subprocess.run([*command, *limits, *options], capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_the_api_answers_as_described(read: Client, admin: Client) -> None:
    for number in range(5):
        admin.put(f"Thing {number}", quantity=number, price="2.50")
    code, said = run(read, 100)
    assert code == 0, said[-10_000:]


def test_the_admin_api_answers_as_described(admin: Client) -> None:
    code, said = run(admin, 40)
    assert code == 0, said[-10_000:]


def test_a_fault_would_be_found(stack: Stack, redis_client: "redis.Redis") -> None:
    # What the test above has asked already would be answered from the cache.
    redis_client.flushall()
    client = stack.api("planted", "read", variant="planted")
    try:
        code, said = run(client, 200, "--include-path", "/items")
    finally:
        stack.remove("planted")
    assert code == 1
    assert "Server error" in said


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/items"])
def test_what_needs_no_parameter_is_answered(read: Client, admin: Client, path: str) -> None:
    assert read.get(path).status == admin.get(path).status == 200
