"""Measures the shop's speed on the whole stack in containers: HAProxy, three web servers, APIs, MySQL, Redis.

Usage: ./fleet bench shop [PART ...]

Parts: speed (pages as ratios to a bare PHP page behind the same HAProxy), proxy (what HAProxy adds and how it shares
out), size (100,000 items against 200), faults (a herd, and Redis in trouble), tls (the shop with TLS between its
containers against the same without). Figures are medians of rounds in which
everything that is compared takes turns. They go to a table and, as JSON, to .fleet/bench-shop.json, with the code
that they were measured on.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import signal
import statistics
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TypeVar
from urllib.parse import urlencode

import redis

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "stack"))

from full_stack import BARE, IMAGES, FullStack, running  # noqa: E402
from load import AS_BROWSERS_DO, Load, Probe, cpu_us, visit, wrk  # noqa: E402
from shop_stack import AS_HAPROXY, HAPROXY_KEYS, KEY_HEADER, OWN_KEYS, Stack, wait_until  # noqa: E402
from web_stack import Browser  # noqa: E402

ROUNDS = 5
ROUND_SECONDS = 2
LIVE = "live"
SMALL, LARGE, PAGE = 200, 100_000, 50
FAULT_SECONDS = 4
HERD = 1000

T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """A measured number and what it should be.

    Attributes:
        name: what was measured.
        value: the number.
        unit: of the number; empty for a ratio or a count.
        target: in words; empty where there is none.
        met: whether the target is met.
        rounds: the single rounds that `value` is the median of.
    """

    name: str
    value: float
    unit: str = ""
    target: str = ""
    met: bool = True
    rounds: tuple[float, ...] = ()


def at_least(name: str, rounds: list[float], limit: float | None, unit: str = "") -> Figure:
    """Make a figure of rounds, the median of which should reach a limit."""
    value = statistics.median(rounds)
    target = "" if limit is None else f">= {limit:g}"
    return Figure(name, value, unit, target, limit is None or value >= limit, tuple(rounds))


def at_most(name: str, value: float, limit: float | None, unit: str = "", rounds: tuple[float, ...] = ()) -> Figure:
    """Make a figure that should not pass a limit."""
    return Figure(name, value, unit, "" if limit is None else f"<= {limit:g}", limit is None or value <= limit, rounds)


def speed(stack: FullStack) -> Iterator[Figure]:
    """Compare pages with the bare page."""
    size = len(visit(f"{stack.site('web')}/", 1, 1)[0].answer)
    api = f"http://{stack.address('haproxy')}:5001/items"
    loads: dict[str, Callable[[], Load]] = {
        "bare page": lambda: wrk(stack.site(BARE), ROUND_SECONDS),
        "page": lambda: wrk(stack.site("web"), ROUND_SECONDS),
        "page, gzip": lambda: wrk(stack.site("web"), ROUND_SECONDS, headers=AS_BROWSERS_DO),
        "page, freshness 0": lambda: wrk(stack.site(LIVE), ROUND_SECONDS),
        "page, freshness 0, gzip": lambda: wrk(stack.site(LIVE), ROUND_SECONDS, headers=AS_BROWSERS_DO),
        "API, cached list": lambda: wrk(api, ROUND_SECONDS, headers={KEY_HEADER: OWN_KEYS["web"]}),
    }
    for load in loads.values():
        load()
    rounds: list[dict[str, Load]] = [{name: load() for name, load in loads.items()} for _ in range(ROUNDS)]
    limits = {"page": 0.60, "page, freshness 0": 0.20}
    for name in loads:
        ratios = [one[name].rate / one["bare page"].rate for one in rounds]
        if name != "bare page":
            yield at_least(f"{name}: ratio to bare", ratios, limits.get(name))
    for name in loads:
        yield at_least(f"{name}: requests a second", [one[name].rate for one in rounds], None, "/s")
    yield at_most("page: bytes uncompressed", size, None)
    for site, what in ((BARE, "bare page"), ("web", "page"), (LIVE, "page, freshness 0")):
        yield from _processor_time(stack, site, what)
    yield at_most("errors under load", sum(load.errors for one in rounds for load in one.values()), 0)


def _processor_time(stack: FullStack, site: str, what: str) -> Iterator[Figure]:
    """Say where the time of a page goes."""
    tiers = {
        "haproxy": ["haproxy"],
        "web servers": [f"{site}-{number}" for number in (1, 2, 3)],
        "api": ["api"],
        "redis": ["redis"],
        "mysql": ["mysql"],
    }
    containers = {tier: [stack.container(name) for name in names] for tier, names in tiers.items()}
    before = {tier: cpu_us(names) for tier, names in containers.items()}
    load = wrk(stack.site(site), ROUND_SECONDS)
    for tier, names in containers.items():
        yield at_most(f"{what}: processor time in {tier}", (cpu_us(names) - before[tier]) / load.requests, None, "us")


def proxy(stack: FullStack) -> Iterator[Figure]:
    """Measure what HAProxy adds to a request, and how it shares requests out."""
    through = Probe(stack.site("web"))
    direct = [
        Probe(f"http://{stack.address(f'web-{number}')}:8080", {KEY_HEADER: HAPROXY_KEYS["web"]})
        for number in (1, 2, 3)
    ]
    added, medians = [], []
    for _ in range(ROUNDS):
        pairs = [(through.time_ms(), direct[turn % 3].time_ms()) for turn in range(300)]
        with_proxy, without = (statistics.median(times) for times in zip(*pairs, strict=True))
        added.append(with_proxy - without)
        medians.append(without)
    yield at_most("HAProxy adds to the median", statistics.median(added), 0.3, "ms", tuple(added))
    yield at_most("the same request without it", statistics.median(medians), None, "ms", tuple(medians))
    total = 30_000
    visits = visit(stack.site("web"), 16, total // 16)
    names = Counter(found[1] for one in visits if (found := re.search(rb'id="hostname">([^<]+)<', one.answer)))
    for name, count in sorted(names.items()):
        share = 100 * count / total
        yield Figure(f"share of {name.decode()}", share, "%", "33.3 +- 1", abs(share - 100 / 3) <= 1)
    yield at_most("errors in 30,000 requests", total - sum(one.ok for one in visits), 0)


WORDS = ("oak", "steel", "linen", "amber", "copper", "walnut", "cotton", "marble", "willow", "silver")
THINGS = ("bowl", "lamp", "chair", "knife", "basket", "clock", "mirror", "candle", "blanket", "teapot")


def _insert(count: int) -> str:
    names = (f"{WORDS[n % 10].capitalize()} {THINGS[n // 10 % 10]} no. {_number(n)}" for n in range(count))
    rows = [f"('{name}', {n % 50}, {n % 90}.99)" for n, name in enumerate(names)]
    batches = (",".join(rows[begin : begin + 5000]) for begin in range(0, count, 5000))
    return "".join(f"INSERT INTO shop.items (name, quantity, price) VALUES {batch};\n" for batch in batches)  # noqa: S608


def _number(n: int) -> str:
    # Scattered, so that neighbours by name were not inserted together.
    return f"{n * 7919 % 999_983:06d}"


class Sized:
    """An API with MySQL and Redis of its own, holding a number of items."""

    def __init__(self, images: dict[str, str], directory: Path, count: int) -> None:
        """Choose names; `start` starts it."""
        self.stack = Stack(images, directory)
        self.count = count

    def start(self) -> None:
        """Start it and load the items."""
        self.stack.start()
        self.stack.sql(_insert(self.count))
        # Counts what is there.
        self.stack.migrate()
        self.redis = self.stack.redis()
        self.probe = Probe(f"http://127.0.0.1:{self.stack.read.port}/items", AS_HAPROXY)

    def questions(self) -> dict[str, str]:
        """Return the paths to ask for, by what they stand for."""
        middle = self.count // PAGE // 2
        before = self.stack.read.get(f"/items?page={middle - 1}").json
        questions: dict[str, dict[str, object]] = {
            "first page": {},
            "deep page by number": {"page": middle},
            "deep page by link": {"page": middle, "cursor": before["next"]},
            "deep page by price, by number": {"page": middle, "sort": "price"},
            "search, rare": {"q": _number(7)},
            "search, common": {"q": "walnut"},
            "search, absent": {"q": "quicksilver"},
        }
        return {name: f"/items?{urlencode(query)}" for name, query in questions.items()}


def size(images: dict[str, str], directory: Path) -> Iterator[Figure]:
    """Compare 100,000 items with 200, question by question, answered by MySQL and from the cache."""
    catalogues = []
    for count in (SMALL, LARGE):
        (directory / str(count)).mkdir()
        catalogues.append(Sized(images, directory / str(count), count))
    with ExitStack() as undo:
        for catalogue in catalogues:
            undo.callback(catalogue.stack.stop)
        with ThreadPoolExecutor() as pool:
            list(pool.map(Sized.start, catalogues))
        asked = [catalogue.questions() for catalogue in catalogues]
        for name in asked[0]:
            for cached, turns in ((False, 12), (True, 40)):
                yield _ratio(name, catalogues, [questions[name] for questions in asked], cached, turns)
        yield at_most("errors of both", sum(catalogue.probe.failures for catalogue in catalogues), 0)


def _ratio(name: str, catalogues: list[Sized], paths: list[str], cached: bool, turns: int) -> Figure:
    rounds, times = [], []
    for _ in range(ROUNDS):
        taken: list[list[float]] = [[], []]
        for _ in range(turns):
            for catalogue, path, into in zip(catalogues, paths, taken, strict=True):
                if not cached:
                    catalogue.redis.flushall()
                into.append(catalogue.probe.time_ms(path))
        small, large = (statistics.median(each) for each in taken)
        rounds.append(large / small)
        times.append(large)
    how = f"{'cached' if cached else 'from MySQL'}, {statistics.median(times):.1f} ms"
    return at_most(f"100,000 : 200, {name} ({how})", statistics.median(rounds), 2, "", tuple(rounds))


def faults(stack: FullStack) -> Iterator[Figure]:
    """Let a herd in, and bring Redis into trouble under load."""
    with stack.redis() as client:
        yield from _herd(stack, client)
        for name, trouble in TROUBLE.items():
            for site, what in (("web", "page"), (LIVE, "page, freshness 0")):
                # Each state is entered anew, so that its first moments are part of the load.
                with trouble(stack, client):
                    before = stack.selects()
                    load = wrk(stack.site(site), FAULT_SECONDS)
                    rate = (stack.selects() - before) / load.seconds
                yield at_most(f"Redis {name}: p99 of {what}", load.p99_ms, 500, "ms")
                yield at_most(f"Redis {name}: errors of {what} in {load.requests} requests", load.errors, 0)
                yield at_most(f"Redis {name}: SELECTs, {what}", rate, None, "/s")
                wait_until(lambda: stack.read.fresh().get("/items").cache == "hit", "the cache is used again")


def tls(images: dict[str, str], directory: Path) -> Iterator[Figure]:
    """Compare a shop whose containers speak TLS with each other with one whose do not."""
    with ExitStack() as undo:
        stacks = []
        for name in ("plain", "tls"):
            (directory / name).mkdir()
            sites = {LIVE: {"SHOP_FRESHNESS_MS": "0"}}
            opened = running(directory / name, sites, images=images, internal_tls=name == "tls")
            stacks.append(undo.enter_context(opened))
        cookies = [_log_in(stack) for stack in stacks]
        loads: dict[str, Callable[[int], Load]] = {
            "page": lambda which: wrk(stacks[which].site("web"), ROUND_SECONDS),
            "page, freshness 0": lambda which: wrk(stacks[which].site(LIVE), ROUND_SECONDS),
            "admin page": lambda which: wrk(f"{stacks[which].url}/admin/", ROUND_SECONDS, headers=cookies[which]),
        }
        errors = 0
        for name, load in loads.items():
            rates, times = [], []
            for which in (0, 1):
                load(which)
            for _ in range(ROUNDS):
                plain, with_tls = load(0), load(1)
                rates.append(with_tls.rate / plain.rate)
                times.append(with_tls.p50_ms / plain.p50_ms)
                errors += plain.errors + with_tls.errors
            yield at_least(f"TLS : plaintext, {name}: rate", rates, None)
            yield at_most(f"TLS : plaintext, {name}: median time", statistics.median(times), None, "", tuple(times))
        for site, what in (("web", "page"), (LIVE, "page, freshness 0")):
            spent = [list(_processor_time(stack, site, what)) for stack in stacks]
            for plain_time, tls_time in zip(*spent, strict=True):
                if plain_time.value:
                    yield at_most(f"TLS : plaintext, {plain_time.name}", tls_time.value / plain_time.value, None)
        yield at_most("TLS and plaintext: errors under load", errors, 0)


def _log_in(stack: FullStack) -> dict[str, str]:
    """Log in to the admin page, and return what a browser then sends."""
    browser = Browser(stack.url)
    browser.log_in()
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.session.cookies.items())}


def _herd(stack: FullStack, client: redis.Redis) -> Iterator[Figure]:
    def selects_of(ask: Callable[[], T]) -> tuple[int, T]:
        before = stack.selects()
        counting = stack.selects() - before
        answer = ask()
        return stack.selects() - before - 2 * counting, answer

    client.flushall()
    one_query, _ = selects_of(partial(stack.read.get, "/items"))
    for site, what in (("web", "page"), (LIVE, "page, freshness 0")):
        # A question that nobody has asked before, by 1,000 at once.
        begun = monotonic()
        selects, visits = selects_of(partial(visit, f"{stack.site(site)}/?q={secrets.token_hex(4)}", HERD, 1))
        took = monotonic() - begun
        yield at_most(f"herd of {HERD}, {what}: queries", selects / one_query, 2)
        yield at_most(f"herd of {HERD}, {what}: errors", HERD - sum(one.ok for one in visits), 0)
        yield at_most(f"herd of {HERD}, {what}: all answered after", took, None, "s")


@contextmanager
def _frozen(stack: FullStack, _: redis.Redis) -> Iterator[None]:
    stack.pause("redis")
    try:
        yield
    finally:
        stack.unpause("redis")


@contextmanager
def _refusing(stack: FullStack, _: redis.Redis) -> Iterator[None]:
    stack.halt("redis")
    try:
        yield
    finally:
        stack.resume("redis")


@contextmanager
def _stalling(_: FullStack, client: redis.Redis) -> Iterator[None]:
    over = threading.Event()

    def stall() -> None:
        while not over.is_set():
            client.client_pause(500, all=True)
            # Waits until the pause has ended.
            client.ping()

    stalling = threading.Thread(target=stall)
    stalling.start()
    try:
        yield
    finally:
        over.set()
        stalling.join()


@contextmanager
def _full(_: FullStack, client: redis.Redis) -> Iterator[None]:
    client.config_set("maxmemory", 1)
    try:
        yield
    finally:
        client.config_set("maxmemory", 0)


TROUBLE = {"frozen": _frozen, "refusing": _refusing, "stalling 500 ms at a time": _stalling, "full": _full}


def images_under_test() -> dict[str, str]:
    """Build the images of this tree where they are absent, and return their names by the keys of IMAGES."""
    quiet = subprocess.run(
        ["ansible-playbook", "tests/images.yml", "-i", "inventory/lab"],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    if quiet.returncode:
        raise SystemExit(quiet.stdout + quiet.stderr)
    found = dict(re.findall(r"^export (\w+)=(\S+)$", (ROOT / ".fleet" / "test-images.env").read_text(), re.MULTILINE))
    return {name: found[variable] for name, variable in IMAGES.items()}


def code_under_test(images: dict[str, str]) -> dict[str, object]:
    """Say what exactly is measured: the commit, whether files differ from it, and the images."""

    def output(*command: str) -> str:
        return subprocess.check_output(command, cwd=ROOT, text=True).strip()

    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": output("git", "rev-parse", "HEAD"),
        "dirty": bool(output("git", "status", "--porcelain")),
        "images": {
            name: [tag, output("docker", "inspect", "--format", "{{.Id}}", tag)] for name, tag in images.items()
        },
    }


def main() -> int:
    """Run the benchmark and print its figures.

    Returns:
        The exit code: 1 when a request failed, whatever the speed.
    """
    parts = {"speed": speed, "proxy": proxy, "faults": faults}
    # With stacks of their own.
    apart = {"size": size, "tls": tls}
    parser = argparse.ArgumentParser(prog="./fleet bench shop", description="Measure the shop's speed.")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", choices=[*parts, *apart, []], help="speed proxy size faults tls"
    )
    wanted = parser.parse_args().parts or [*parts, *apart]

    images = images_under_test()
    report: dict[str, object] = code_under_test(images)
    print(f"commit {report['commit']}{', with changes' if report['dirty'] else ''}")
    for name, (tag, digest) in report["images"].items():  # type: ignore[attr-defined]
        print(f"{name:8} {tag} {digest[:19]}")
    figures: list[Figure] = []

    def show(found: Iterator[Figure]) -> None:
        for figure in found:
            figures.append(figure)
            verdict = "" if not figure.target else "ok" if figure.met else "MISSED"
            print(f"{figure.name:72} {figure.value:10.3f} {figure.unit:3} {figure.target:10} {verdict}", flush=True)

    with TemporaryDirectory() as scratch:
        directory = Path(scratch)
        directory.chmod(0o755)
        for name, measure in apart.items():
            if name in wanted:
                (directory / name).mkdir()
                show(measure(images, directory / name))
        if set(wanted) & set(parts):
            (directory / "stack").mkdir()
            sites: dict[str, dict[str, str]] = {BARE: {}, LIVE: {"SHOP_FRESHNESS_MS": "0"}}
            with running(directory / "stack", sites, images=images) as stack:
                for name in parts:
                    if name in wanted:
                        show(parts[name](stack))

    report["figures"] = [asdict(figure) for figure in figures]
    (ROOT / ".fleet" / "bench-shop.json").write_text(json.dumps(report, indent=2) + "\n")
    return int(any("errors" in figure.name and not figure.met for figure in figures))


if __name__ == "__main__":
    # However it ends, the containers go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
