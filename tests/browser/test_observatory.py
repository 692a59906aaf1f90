"""MDN's HTTP Observatory gives its best grade by https. What http alone costs is named, test by test."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edge import Edge, render
from full_stack import FullStack
from inspection import TOOLS

SCANNER = TOOLS / "@mdn" / "mdn-http-observatory"
HTTP_ONLY = {"strict-transport-security", "redirection"}


@pytest.fixture(scope="module")
def only_https(stack: FullStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """The same shop, as behind a certificate that was given."""
    folder = tmp_path_factory.mktemp("only-https")
    render(folder, stack.instances(), {"catalogue_hsts": True})
    edge = Edge(stack.images["haproxy"], stack.prefix, folder)
    try:
        edge.wait()
        yield edge
    finally:
        edge.remove()


def scan(url: str, certificate: Path) -> dict[str, Any]:
    """Let it judge a site."""
    # Its list of sites that browsers know beforehand would be downloaded; none of ours is on it.
    preload = SCANNER / "conf" / "hsts-preload.json"
    if not preload.exists():
        preload.write_text("{}")
    done = subprocess.run(
        ["node", SCANNER / "src" / "scan.js", url.split("//")[1]],
        env=os.environ | {"NODE_EXTRA_CA_CERTS": str(certificate)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def failed(result: dict[str, Any]) -> set[str]:
    """Return the names of the tests that were not passed."""
    return {name for name, test in result["tests"].items() if not test["pass"]}


def test_https_gets_the_best_grade(only_https: Edge) -> None:
    result = scan(only_https.https_url, only_https.certificate)
    assert failed(result) == set()
    assert result["scan"]["grade"] == "A+"


def test_http_passes_all_but_what_needs_https(stack: FullStack) -> None:
    result = scan(stack.url, stack.directory / "haproxy" / "edge.pem")
    assert failed(result) == HTTP_ONLY
