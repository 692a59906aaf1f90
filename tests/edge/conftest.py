"""Fixtures of the edge tests: the role's HAProxy before a server that believes everything."""

import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "api"))
sys.path.insert(0, str(Path(__file__).parents[1] / "stack"))
sys.path.insert(0, str(Path(__file__).parent))

from edge import Edge, OpenEdge, render
from recorder import OK, Recorder
from shop_stack import docker

IMAGE = "SHOP_TEST_HAPROXY_IMAGE"


@pytest.fixture(scope="session")
def network() -> Iterator[str]:
    name = f"shop-test-{secrets.token_hex(4)}"
    docker("network", "create", name)
    yield name
    docker("network", "rm", name)


@pytest.fixture(scope="session")
def behind(network: str) -> Iterator[Recorder]:
    """What stands in for every server behind HAProxy."""
    recorder = Recorder(docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network))
    yield recorder
    recorder.stop()


@pytest.fixture(scope="session")
def open_edge(network: str, behind: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenEdge]:
    image = os.environ.get(IMAGE)
    if not image:
        pytest.fail(f"set {IMAGE} to the image to test with", pytrace=False)
    port = {"address": behind.address, "port": behind.port}
    instances = [
        {"name": name, "service": name, "server": name, "ports": {"http": port}}
        for name in ("web", "admin", "api", "admin-api")
    ]
    instances.append({"name": "haproxy", "service": "haproxy", "ports": {"api": port, "admin-api": port}})
    instances += [{"name": name, "service": name, "ports": {name: port}} for name in ("mysql", "redis")]
    opened: list[Edge] = []

    @cache
    def rendered(**settings: object) -> Path:
        folder = tmp_path_factory.mktemp("rendered")
        render(folder, instances, settings)
        return folder

    def open_one(change: Callable[[str], str] = str, **settings: object) -> Edge:
        folder = tmp_path_factory.mktemp("edge")
        shutil.copytree(rendered(**settings), folder, dirs_exist_ok=True)
        configuration = folder / "haproxy.cfg"
        configuration.write_text(change(configuration.read_text()))
        opened.append(Edge(image, network, folder))
        opened[-1].wait()
        return opened[-1]

    yield open_one
    docker("rm", "--force", "--volumes", *(edge.name for edge in opened), check=False)


@pytest.fixture(scope="session")
def edge(open_edge: OpenEdge) -> Edge:
    """With the catalogue's defaults, but without a limit to the number of forms."""
    return open_edge()


@pytest.fixture
def server(behind: Recorder) -> Iterator[Recorder]:
    """The server behind HAProxy, which has forgotten what came before."""
    behind.heads.clear()
    yield behind
    behind.heads.clear()
    behind.answer = OK
