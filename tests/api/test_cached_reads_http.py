"""Reads answered by the short way are the same, byte by byte, as those that went through Flask."""

from collections.abc import Iterator

import pytest
from shop_stack import Client, Reply, Stack

REQUEST_ID = {"X-Request-ID": "the-same-for-both"}
QUERIES = [
    "",
    "?",
    "?page=1",
    "?size=7&sort=price&dir=desc",
    "?sort=price&size=7&dir=desc",
    "?q=a&page=2&size=2",
    "?q=a+b",
    "?q=a%20b",
    "?q=%C3%A9",
    "?q=%ff",
    "?q=%00",
    "?q=%25_",
    "?q=",
    "?q&page=1",
    "?q=" + "x" * 121,
    "?page=0",
    "?page=1000000",
    "?page=1&page=2",
    "?page=%31",
    "?page=+1",
    "?size=101",
    "?size=1e2",
    "?sort=id",
    "?dir=ASC",
    "?cursor=x",
    "?unknown=1",
    "?=1",
    "?&&",
    "?a;b",
]


@pytest.fixture(scope="module")
def ways(stack: Stack) -> Iterator[tuple[Client, Client]]:
    """Clients of an API that takes the short way, and of one that never does."""
    one_worker = {"SHOP_WORKERS": "1"}
    yield (
        stack.api("short-way", "read", **one_worker),
        stack.api("long-way", "read", variant="long_way", **one_worker),
    )
    for name in ("short-way", "long-way"):
        stack.remove(name)


def compared(reply: Reply) -> tuple[int, list[tuple[str, str]], bytes]:
    return reply.status, [pair for pair in reply.headers.items() if pair[0] != "date"], reply.body


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_both_ways_answer_alike(ways: tuple[Client, Client], admin: Client, query: str, method: str) -> None:
    admin.put("Tea a b é", quantity=3, price="2.99")
    path = f"/items{query}".encode().decode("latin-1")
    for client in ways:
        client.get(path)
    tag = ways[0].get(path).headers.get("etag", '"none"')
    for tags in (None, tag, f"W/{tag}", f'"other", {tag}', '"other"', "*", "nonsense"):
        headers = REQUEST_ID | ({} if tags is None else {"If-None-Match": tags})
        short, long = (client.request(method, path, headers=headers) for client in ways)
        assert compared(short) == compared(long)


def test_the_log_and_the_metrics_do_not_tell_them_apart(ways: tuple[Client, Client], stack: Stack) -> None:
    seen = []
    for client, name in zip(ways, ("short-way", "long-way"), strict=True):
        client.get("/items?size=3")
        before = client.get("/metrics").body.decode()
        client.request("GET", "/items?size=3", headers=REQUEST_ID | {"X-Request-ID": "counted"})
        after = client.get("/metrics").body.decode()
        lines = [line for line in stack.logs(name) if line.get("request_id") == "counted"]
        for line in lines:
            assert line.pop("duration_ms") >= 0
            del line["time"]
        seen.append(([list(line.items()) for line in lines], _counted(before, after)))
    assert seen[0] == seen[1]
    assert len(seen[0][0]) == 1
    assert seen[0][1]['shop_api_cache_results_total{result="hit"}'] == 1


def _counted(before: str, after: str) -> dict[str, float]:
    """Return by how much the counters for lists have grown."""

    def counters(text: str) -> dict[str, float]:
        pairs = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in pairs if "list_items" in name or "cache_results" in name}

    earlier = counters(before)
    growth = {name: value - earlier.get(name, 0) for name, value in counters(after).items()}
    return {name: more for name, more in growth.items() if more and "_sum" not in name and "_bucket" not in name}
