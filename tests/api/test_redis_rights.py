"""What the cache's user may do in Redis: exactly what the cache does, on the cache's own keys."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import shop_api.cache
from shop_stack import Stack

# Whoever has connected may say these; they log in, log out, and name the protocol.
ANYBODYS = {"auth", "hello", "quit", "reset"}
# What the client library says on behalf of a script, what the cache says beside its scripts, and what tells of life.
BESIDE_SCRIPTS = {"evalsha", "script|load", "zrem", "ping"}
OWN = "shop:version"


@pytest.fixture
def cache_user(stack: Stack) -> Iterator["redis.Redis"]:
    with redis.Redis(port=stack.redis_port, username="cache", password=stack.password, socket_timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def needed() -> set[str]:
    """The commands that the cache uses."""
    source = Path(shop_api.cache.__file__).read_text()
    return {name.lower() for name in re.findall(r"redis\.p?call\('(\w+)'", source)} | BESIDE_SCRIPTS


def refusal(client: "redis.Redis", *command: object) -> str:
    """Return why a command is refused; empty when it is not."""
    try:
        client.execute_command(*command)  # type: ignore[no-untyped-call]
    except redis.RedisError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def commands(client: "redis.Redis") -> dict[str, int]:
    """Return with how many words each command may come that this Redis knows; a `|` stands before a subcommand."""
    known: dict[str, int] = {}
    for name, told in client.execute_command("COMMAND").items():  # type: ignore[no-untyped-call]
        alone = {} if told["subcommands"] else {name: told["arity"]}
        known |= alone | {sub[0].decode(): sub[1] for sub in told["subcommands"]}
    return {name: abs(arity) for name, arity in known.items()}


def test_its_rights_are_what_the_cache_needs(redis_client: "redis.Redis", needed: set[str]) -> None:
    [line] = [line for line in map(str, redis_client.acl_list()) if "user cache " in line]
    # The password's digest and the keys begin otherwise.
    assert set(re.findall(r"(?<= )[+&-][^ ']+", line)) == {"-@all"} | {f"+{name}" for name in needed}


def test_every_other_command_is_refused(
    redis_client: "redis.Redis", cache_user: "redis.Redis", needed: set[str]
) -> None:
    known = commands(redis_client)
    assert needed <= set(known)
    tried = set(known) - needed - ANYBODYS
    assert len(tried) > 300
    done = {}
    for name in sorted(tried):
        words = name.split("|")
        said = refusal(cache_user, *words, *[OWN] * (known[name] - len(words)))
        if not re.search("NoPermissionError|NOPERM|command not allowed", said):
            done[name] = said
    assert done == {}


@pytest.mark.parametrize("key", ["elsewhere", "shop:other", "shop:version:2", "shop:entry", "SHOP:VERSION"])
@pytest.mark.parametrize(
    "command",
    [
        ("GET", "{}"),
        ("SET", "{}", "1"),
        ("DEL", "{}"),
        ("DEL", OWN, "{}"),
        ("HMGET", "{}", "epoch"),
        ("HSET", "{}", "epoch", "1"),
        ("ZADD", "{}", "1", "x"),
        ("ZREM", "{}", "x"),
        ("ZRANGEBYSCORE", "{}", "-inf", "1"),
    ],
    ids=lambda command: " ".join(command),
)
def test_every_other_key_is_refused(cache_user: "redis.Redis", command: tuple[str, ...], key: str) -> None:
    assert "No permissions to access a key" in refusal(cache_user, *(word.replace("{}", key) for word in command))


@pytest.mark.parametrize(
    "script",
    [
        "return redis.call('GET', 'elsewhere')",
        "return redis.call('GET', KEYS[1])",
        "return redis.call('KEYS', '*')",
        "return redis.call('FLUSHALL')",
    ],
)
def test_a_script_can_do_no_more(cache_user: "redis.Redis", script: str) -> None:
    number = cache_user.script_load(script)
    for keys in ((0,), (1, "elsewhere")):
        assert refusal(cache_user, "EVALSHA", number, *keys)


def test_without_a_name_nobody_is_let_in(stack: Stack) -> None:
    with redis.Redis(port=stack.redis_port, socket_timeout=10) as client:
        assert "AuthenticationError" in refusal(client, "PING")
