"""The checks that `./fleet up` makes before it changes anything."""

from __future__ import annotations

import importlib.util
import socket
import sys
from ipaddress import IPv4Network
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "roles/lab/files/preflight.py"
GOOD = {
    "LAB_SUBNET": "10.60.0.0/16",
    "SHOP_HTTP_PORT": "80",
    "SHOP_HTTPS_PORT": "443",
    "LAB_DEBIAN": "12",
    "LAB_NAME": "shopfleet",
}


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("preflight", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["preflight"] = module
    spec.loader.exec_module(module)
    return module


preflight = load()


def test_settings_come_from_the_file_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "lab.cfg"
    file.write_text("# a comment\nLAB_SUBNET=10.60.0.0/16\nSHOP_HTTP_PORT=80\n")
    settings = preflight.read_settings(file, {"SHOP_HTTP_PORT": "8080", "LAB_SUBNET": "", "HOME": "/root"})
    assert settings == {"LAB_SUBNET": "10.60.0.0/16", "SHOP_HTTP_PORT": "8080"}


def test_default_settings_are_good() -> None:
    settings = preflight.read_settings(SCRIPT.parents[3] / "inventory/lab/lab.cfg", {})
    assert set(settings) == set(GOOD)
    assert preflight.check_settings(settings) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHOP_HTTP_PORT", "0"),
        ("SHOP_HTTP_PORT", "65536"),
        ("SHOP_HTTP_PORT", "http"),
        ("SHOP_HTTPS_PORT", "https"),
        ("LAB_SUBNET", "10.60.0.0/24"),
        ("LAB_SUBNET", "10.60.0.1/16"),
        ("LAB_SUBNET", "fd00::/16"),
        ("LAB_SUBNET", "lab"),
        ("LAB_DEBIAN", "11"),
    ],
)
def test_a_bad_setting_is_named_with_its_value(name: str, value: str) -> None:
    (problem,) = preflight.check_settings({**GOOD, name: value})
    assert problem.startswith(f"{name} is '{value}': set it to ")


def test_a_kernel_without_ipv6_is_a_problem(tmp_path: Path) -> None:
    assert preflight.check_ipv6(SCRIPT) == []
    assert "ipv6.disable" in preflight.check_ipv6(tmp_path / "absent")[0]


@pytest.mark.parametrize(("setting", "other"), [("SHOP_HTTP_PORT", 8080), ("SHOP_HTTPS_PORT", 8443)])
def test_a_port_that_is_held_is_a_problem(setting: str, other: int) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        (problem,) = preflight.check_port(port, preflight.Docker(), setting)
        assert problem.startswith(f"Port {port} of this machine is taken")
        assert problem.endswith(f"type: {setting}={other} ./fleet up")


def test_a_port_that_is_held_on_all_addresses_is_a_problem() -> None:
    with socket.socket() as holder:
        holder.bind(("", 0))
        holder.listen()
        assert preflight.check_port(holder.getsockname()[1], preflight.Docker(), "SHOP_HTTP_PORT")


def test_a_port_that_the_lab_itself_holds_is_none() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        docker = preflight.Docker(True, lab_ports=f"127.0.0.1:{port}->80/tcp")
        assert preflight.check_port(port, docker, "SHOP_HTTP_PORT") == []


def test_a_port_that_was_just_given_up_is_none() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
    assert preflight.check_port(port, preflight.Docker(), "SHOP_HTTP_PORT") == []


def test_routes_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    assert preflight.read_routes(table) == [preflight.Route(IPv4Network("192.0.2.0/24"), "eth0")]


def test_this_machine_has_routes_that_can_be_read() -> None:
    assert all(route.network.prefixlen > 0 for route in preflight.read_routes())


@pytest.mark.parametrize("network", ["10.60.0.0/16", "10.60.20.0/24", "10.0.0.0/8"])
def test_a_subnet_that_is_taken_is_a_problem_and_a_free_one_is_named(network: str) -> None:
    routes = [preflight.Route(IPv4Network(network), "tun0")]
    (problem,) = preflight.check_subnet(IPv4Network("10.60.0.0/16"), routes, "shopfleet")
    assert network in problem
    assert "tun0" in problem
    suggested = problem.split("LAB_SUBNET=")[1].split()[0]
    assert preflight.check_subnet(IPv4Network(suggested), routes, "shopfleet") == []


def test_the_labs_own_bridges_are_none() -> None:
    routes = [preflight.Route(IPv4Network("10.60.10.0/24"), "shopfleet-edge")]
    assert preflight.check_subnet(IPv4Network("10.60.0.0/16"), routes, "shopfleet") == []


def test_too_little_room_is_a_problem_and_names_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet" / "there"
    (problem,) = preflight.check_disk({folder: 10**6, tmp_path: 0})
    assert problem.startswith(f"{folder} has ")
    assert "1e+06 GB are needed" in problem


def test_no_docker_and_no_root_names_the_command() -> None:
    (problem,) = preflight.check_machine("linux", is_root=False, docker=preflight.Docker())
    assert problem.endswith("Type: sudo ./fleet up")


@pytest.mark.parametrize(("is_root", "answers"), [(True, False), (False, True)])
def test_root_or_an_answering_docker_suffices(is_root: bool, answers: bool) -> None:
    assert preflight.check_machine("linux", is_root, preflight.Docker(answers)) == []


def test_another_system_than_linux_is_a_problem() -> None:
    assert len(preflight.check_machine("darwin", is_root=True, docker=preflight.Docker(answers=True))) == 1


def test_a_mirror_that_refuses_does_not_answer() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        site = f"http://127.0.0.1:{closed.getsockname()[1]}/debian"
        assert not preflight.mirror_answers(site, proxy="")


def test_problems_are_printed_and_the_exit_code_is_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_DEBIAN", "11")
    assert preflight.main([]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "fleet: LAB_DEBIAN is '11': set it to 12 or 13.\n" in captured.err


def test_another_checkouts_data_is_not_touched(tmp_path: Path) -> None:
    docker = preflight.Docker(answers=True, has_data=True)
    (problem,) = preflight.check_data(docker, tmp_path / "absent")
    assert problem.endswith("./fleet down -e purge=data")
    assert preflight.check_data(docker, tmp_path) == []
    assert preflight.check_data(preflight.Docker(answers=True), tmp_path / "absent") == []


def test_data_of_a_lab_whose_name_begins_alike_is_none() -> None:
    assert preflight.holds_data("shopfleet", ["shopfleet-db1-data", "other"])
    assert not preflight.holds_data("shopfleet", ["shopfleet-molecule-debian12-data", "shopfleet-db1", "my-data"])
