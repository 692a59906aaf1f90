"""What is seen on a host and stands in the way of a deploy is told with its remedy; what does not, is not."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from typing import Any

import pytest
from plugin import ROOT, load

judge = load("filter/host_faults.py")
topology = load("filter/topology.py")
survey = load("modules/host_survey.py")

SERVICES = {
    "front": {
        "group": "front",
        "tier": "app",
        "memory": "128m",
        "ports": {"http": {"port": 80, "clients": ["outside"]}},
    },
    "shop": {
        "group": "back",
        "tier": "app",
        "instances": 2,
        "memory": "1g",
        "ports": {"http": {"port": 8081, "target": 8080, "clients": ["front"]}},
    },
    "job": {"group": "back", "tier": "job", "memory": "256m"},
}
PLACED = topology.instances(
    SERVICES,
    {"front": ["lb1"], "back": ["web1"]},
    {"lb1": {"internal_address": "198.51.100.11"}, "web1": {"internal_address": "198.51.100.12"}},
)
NEEDS = {
    "addresses": {"internal_address": "198.51.100.12"},
    "clock_seconds": 60,
    "directories": {"/var/lib/docker": 1500, "/var/lib/shopfleet": 300, "/etc": 100},
    "docker_networks": ["172.30.0.1/24", "172.31.0.0/16"],
    "docker_root": "/var/lib/docker",
    "registry": "127.0.0.1:5010",
    "releases": ["12", "13"],
}


def container(name: str, *ports: tuple[str, int], state: str = "running", **labels: str) -> dict[str, Any]:
    return {
        "name": name,
        "labels": {label.replace("_", "."): value for label, value in labels.items()},
        "state": state,
        "ports": [{"address": address, "port": port} for address, port in ports],
    }


def disk(
    free: int = 9 * 10**9, device: str = "1", inodes: int | None = 10**6, read_only: bool = False
) -> dict[str, Any]:
    return {"device": device, "free": free, "free_inodes": inodes, "read_only": read_only}


def listener(address: str, port: int, process: str) -> dict[str, Any]:
    return {"address": address, "port": port, "process": process}


@pytest.fixture
def look() -> dict[str, Any]:
    """A host on which the shop runs, and a container of somebody's that is in nobody's way."""
    now = time.time()
    return {
        "system": {"user": 0, "id": "debian", "version": "12", "python": "3.11.2", "systemd": True},
        "clock": {"controller": now, "host": now},
        "memory": 4 << 30,
        "directories": {"/var/lib/docker": disk(), "/var/lib/shopfleet": disk(), "/etc": disk()},
        "interfaces": {"lo": ["127.0.0.1/8"], "eth0": ["198.51.100.12/24", "fe80::1/64"], "br-shop-1": []},
        "routes": [
            {"network": "0.0.0.0/0", "interface": "eth0"},
            {"network": "198.51.100.0/24", "interface": "eth0"},
            {"network": "172.30.0.0/24", "interface": "docker0"},
            {"network": "172.31.0.0/28", "interface": "br-shop-1"},
            {"network": "172.31.0.16/28", "interface": "br-0123456789ab"},
        ],
        "listening": [
            listener("0.0.0.0", 22, "sshd"),
            listener("198.51.100.12", 8081, "docker-proxy"),
            listener("127.0.0.1", 5010, "sshd-session"),
        ],
        "docker": {
            "state": "running",
            "root": "/var/lib/docker",
            "elsewhere": [],
            "containers": [
                container("shop-1", ("198.51.100.12", 8081), shopfleet_service="shop"),
                container("shop-2", state="exited", shopfleet_service="shop"),
                container("wiki", ("198.51.100.12", 9000)),
            ],
            "networks": [
                {"name": "bridge", "bridge": "docker0", "subnets": ["172.30.0.0/24"]},
                {"name": "shopfleet-shop-1", "bridge": "br-shop-1", "subnets": ["172.31.0.0/28"]},
                {"name": "wiki", "bridge": "br-0123456789ab", "subnets": ["172.31.0.16/28", "fd00::/64"]},
            ],
        },
        "unfinished": [],
        "packages": {"docker.io": "20.10"},
    }


def faults(look: dict[str, Any], host: str = "web1") -> list[str]:
    found: list[str] = judge.host_faults(look, host, PLACED, SERVICES, NEEDS)
    return found


def test_a_host_that_a_deploy_can_work_with_has_no_faults(look: dict[str, Any]) -> None:
    assert faults(look) == []


def test_a_bare_host_has_no_faults(look: dict[str, Any]) -> None:
    look["docker"] = {"state": "absent", "root": "/var/lib/docker", "elsewhere": [], "containers": [], "networks": []}
    look["packages"] = {}
    look["listening"] = []
    look["interfaces"].pop("br-shop-1")
    look["routes"] = look["routes"][:2]
    assert faults(look) == []
    elsewhere = NEEDS | {"docker_root": "/srv/docker"}
    assert judge.host_faults(look, "web1", PLACED, SERVICES, elsewhere) == []


def test_a_stopped_docker_leaves_its_bridges_and_that_is_no_fault(look: dict[str, Any]) -> None:
    look["docker"] |= {"state": "stopped", "networks": []}
    look["listening"] = []
    assert faults(look) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"system.id": "ubuntu", "system.version": "24.04"}, "runs ubuntu 24.04: install Debian 12 or 13"),
        ({"system.version": ""}, "runs debian: install Debian 12 or 13"),
        ({"system.systemd": False}, "systemd does not run it"),
        ({"system.user": 1000}, "set ansible_user to root, or ansible_become to true"),
        ({"memory": 2 << 30}, "has 2048 MiB of memory and its containers may take 2304: give it more"),
        (
            {"unfinished": ["libc6", "bash"]},
            "dpkg was interrupted at libc6, bash: finish that with: dpkg --configure -a",
        ),
        (
            {"packages": {"docker-ce": "5:28", "containerd.io": "2"}},
            "not Debian's (containerd.io, docker-ce), and two get in each other's way: move away what runs in it and "
            "type there: apt-get purge containerd.io docker-ce",
        ),
        ({"docker.elsewhere": ["/snap/bin/docker"]}, "type there: snap remove docker"),
        ({"docker.elsewhere": ["/usr/local/bin/dockerd"]}, "type there: rm /usr/local/bin/dockerd"),
        ({"docker.state": "silent"}, "runs and does not answer: type there: systemctl restart docker"),
        ({"docker.root": "/srv/docker"}, "set docker_host_settings to {data-root: /srv/docker}"),
        ({"interfaces.eth0": ["198.51.100.21/24"]}, "has no address 198.51.100.12: correct internal_address"),
    ],
)
def test_a_fault_is_told_with_its_remedy(look: dict[str, Any], change: dict[str, Any], sentence: str) -> None:
    for path, value in change.items():
        *parents, key = path.split(".")
        part = look
        for parent in parents:
            part = part[parent]
        part[key] = value
    (fault,) = faults(look)
    assert sentence in fault


@pytest.mark.parametrize(
    ("seconds", "sentence"),
    [
        (-61, "61 s behind this machine's"),
        (-7300, "2 h behind"),
        (90, "s ahead of this machine's"),
        (86400 * 3, "3 d ahead of"),
    ],
)
def test_a_wrong_clock_is_refused(look: dict[str, Any], seconds: int, sentence: str) -> None:
    look["clock"]["host"] += seconds
    (fault,) = faults(look)
    assert sentence in fault


def test_a_slow_look_is_no_wrong_clock(look: dict[str, Any]) -> None:
    look["clock"] = {"controller": time.time() - 600, "host": time.time() - 5}
    assert faults(look) == []
    look["clock"]["host"] = time.time() - 599
    assert faults(look) == []


def test_directories_of_one_file_system_need_the_sum_of_their_room(look: dict[str, Any]) -> None:
    look["directories"] = dict.fromkeys(look["directories"], disk(free=1_899_000_000))
    assert faults(look) == [
        "/var/lib/docker and /var/lib/shopfleet and /etc has 1899 MB free, 1900 MB are needed: "
        "make room or a larger disk"
    ]
    look["directories"] = {path: disk(free=1_600_000_000, device=path) for path in look["directories"]}
    assert faults(look) == []


def test_a_file_system_without_room_for_files_or_for_nothing_but_reading_is_refused(look: dict[str, Any]) -> None:
    look["directories"]["/etc"] = disk(device="2", inodes=9)
    look["directories"]["/var/lib/shopfleet"] = disk(device="3", inodes=None, read_only=True)
    read_only, full = faults(look)
    assert read_only.startswith("/var/lib/shopfleet cannot be written to")
    assert full.startswith("/etc has room for 9 more files only")


@pytest.mark.parametrize(
    ("route", "sentence"),
    [
        (
            {"network": "198.51.100.8/29", "interface": "wg0"},
            "198.51.100.11 of lb1 leads through wg0 (198.51.100.8/29)",
        ),
        ({"network": "0.0.0.0/0", "interface": "eth1"}, "leads through eth1 (0.0.0.0/0)"),
        (None, "no route to 198.51.100.11 of lb1: correct the prefix of 198.51.100.12 on eth0"),
    ],
)
def test_who_is_dialled_lies_behind_the_internal_interface(
    look: dict[str, Any], route: dict[str, str] | None, sentence: str
) -> None:
    placed = copy.deepcopy(PLACED)
    placed[0]["ports"]["http"]["clients"] = ["shop"]
    assert judge.host_faults(look, "web1", placed, SERVICES, NEEDS) == []
    look["routes"] = look["routes"][2:] + ([route] if route else [])
    (fault,) = judge.host_faults(look, "web1", placed, SERVICES, NEEDS)
    assert sentence in fault


def test_services_of_one_host_dial_each_other_over_no_interface(look: dict[str, Any]) -> None:
    placed = copy.deepcopy(PLACED)
    placed[1]["ports"]["http"]["clients"] = ["shop"]
    look["routes"][:2] = []
    assert judge.host_faults(look, "web1", placed, SERVICES, NEEDS) == []


def test_a_container_made_by_hand_with_one_of_our_names_is_not_replaced(look: dict[str, Any]) -> None:
    look["docker"]["containers"][1] = container("shop-2", state="exited")
    (fault,) = faults(look)
    assert "container shop-2 was made by hand" in fault
    assert fault.endswith("docker rename shop-2 shop-2-by-hand")


def test_a_container_of_ours_that_somebody_paused_is_told(look: dict[str, Any]) -> None:
    look["docker"]["containers"][0]["state"] = "paused"
    assert faults(look) == ["its container shop-1 is paused: type there: docker unpause shop-1"]


@pytest.mark.parametrize("address", ["198.51.100.12", "0.0.0.0", "::"])
def test_a_port_in_use_is_told_with_who_uses_it(look: dict[str, Any], address: str) -> None:
    look["listening"].append(listener(address, 8082, "nginx"))
    assert faults(look) == ["port 8082 of 198.51.100.12, which shop-2 is to have, is taken by nginx: stop that there"]


def test_a_port_is_published_by_ipv6_too(look: dict[str, Any]) -> None:
    placed = copy.deepcopy(PLACED)
    placed[1]["ports"]["http"]["address6"] = "2001:db8::12"
    look["listening"].append(listener("2001:db8::12", 8081, "nginx"))
    (fault,) = judge.host_faults(look, "web1", placed, SERVICES, NEEDS)
    assert "port 8081 of 2001:db8::12, which shop-1 is to have, is taken by nginx" in fault


def test_a_port_in_use_on_another_address_is_nobodys_business(look: dict[str, Any]) -> None:
    look["listening"] += [listener("127.0.0.1", 8082, "nginx"), listener("203.0.113.1", 8082, "nginx")]
    assert faults(look) == []


@pytest.mark.parametrize(
    ("holder", "sentence"),
    [
        (
            container("wiki-2", ("0.0.0.0", 8082)),
            "container wiki-2: type there: docker rm -f wiki-2, or give it another",
        ),
        (
            container("shop-9", ("198.51.100.12", 8082), shopfleet_service="shop"),
            "container shop-9, left over from another inventory: type there: docker rm -f shop-9",
        ),
        (
            container("job", ("198.51.100.12", 8082), shopfleet_service="job"),
            "container job: type there: docker rm -f job",
        ),
    ],
)
def test_a_port_that_another_container_publishes_is_told_with_its_name(
    look: dict[str, Any], holder: dict[str, Any], sentence: str
) -> None:
    look["docker"]["containers"].append(holder)
    look["listening"].append(listener("198.51.100.12", 8082, "docker-proxy"))
    (fault,) = faults(look)
    assert sentence in fault


def test_the_way_in_of_images_is_free_or_theirs(look: dict[str, Any]) -> None:
    look["listening"][2]["process"] = "python3"
    assert faults(look) == ["port 5010 of 127.0.0.1, which images come in by, is taken by python3: stop that there"]
    look["listening"][2]["process"] = "docker-proxy"
    look["docker"]["containers"].append(container("registry", ("127.0.0.1", 5010), shopfleet_part="registry"))
    assert faults(look) == []


@pytest.mark.parametrize("network", ["172.31.0.0/20", "172.30.0.128/25", "172.16.0.0/12"])
def test_a_network_that_docker_would_hide_is_told(look: dict[str, Any], network: str) -> None:
    look["routes"].append({"network": network, "interface": "eth1"})
    (fault,) = faults(look)
    assert f"reaches {network} through eth1, and Docker would hide that: set docker_host_bridge_address" in fault


def test_a_network_of_dockers_in_the_place_of_its_bridge_is_told(look: dict[str, Any]) -> None:
    look["docker"]["networks"][2]["subnets"] = ["172.30.0.0/16"]
    (fault,) = faults(look)
    assert "Docker network wiki (172.30.0.0/16) overlaps 172.30.0.0/24, meant for docker0" in fault


def test_a_bridge_with_one_of_our_names_is_told(look: dict[str, Any]) -> None:
    look["docker"]["networks"][1]["name"] = "by-hand"
    (fault,) = faults(look)
    assert fault.endswith("docker network rm by-hand")
    del look["docker"]["networks"][1]
    (fault,) = faults(look)
    assert fault.endswith("ip link delete br-shop-1")


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        ({"unreachable": True, "msg": "Connection refused."}, "ssh does not get in"),
        ({"failed": True, "msg": "Missing sudo password"}, "Ansible cannot become root: let its account use sudo"),
        ({"msg": "The module interpreter '/usr/bin/python3' was not found."}, "its Python does not start: install"),
        (
            {
                "unreachable": True,
                "msg": "Child start failed: [Errno 2] No such file or directory: '/usr/bin/python3'. Command was: zzz",
            },
            "It said: Child start failed: [Errno 2] No such file or directory: '/usr/bin/python3'.",
        ),
        ({"msg": "the program ip is missing: install iproute2"}, "looked at: the program ip is missing: install"),
    ],
)
def test_a_host_that_cannot_be_looked_at_is_told_with_the_others(look: dict[str, Any], sentence: str) -> None:
    (fault,) = faults(look)
    assert sentence in fault
    report = judge.fault_report({"web1": [fault], "db1": ["it has two faults", "and this one"], "lb1": []})
    assert [line.split(" ")[0] for line in report.splitlines()] == ["No", "web1:", "db1:", "db1:"]
    assert all(line.endswith((".", ":")) and not line.endswith("..") for line in report.splitlines())


def test_the_module_looks_at_this_machine_and_says_what_it_documents() -> None:
    arguments = {"ANSIBLE_MODULE_ARGS": {"directories": ["/etc", "/absent/folder"], "controller_time": 1.5}}
    done = subprocess.run(
        [sys.executable, str(ROOT / "plugins/modules/host_survey.py")],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        check=True,
    )
    look = json.loads(done.stdout)
    assert look["changed"] is False
    assert look["clock"]["controller"] == 1.5
    assert abs(look["clock"]["host"] - time.time()) < 60
    assert "127.0.0.1/8" in look["interfaces"]["lo"]
    assert look["directories"]["/etc"]["free"] > 0
    assert set(look["directories"]["/absent/folder"]) == {"device", "free", "free_inodes", "read_only"}
    assert look["memory"] > 1 << 28
    documented = {line.rstrip(":") for line in survey.RETURN.splitlines() if line.strip() and line[0] != " "}
    assert set(look) - {"changed", "invocation"} == documented


def test_installed_packages_are_told_from_those_that_were_removed_or_interrupted() -> None:
    status = "\n\n".join(
        f"Package: {name}\nStatus: {state}\nArchitecture: amd64\nVersion: {version}\nDescription: one\n Status: none"
        for name, state, version in [
            ("bash", "install ok installed", "5.2-1"),
            ("held", "hold ok installed", "1.0"),
            ("gone", "deinstall ok config-files", "2.0"),
            ("torn", "install ok half-configured", "3.0"),
        ]
    )
    installed, unfinished = survey.read_packages(status + "\n")
    assert installed == {"bash": "5.2-1", "held": "1.0"}
    assert unfinished == ["torn"]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("0100007F", "127.0.0.1"),
        ("00000000", "0.0.0.0"),
        ("00000000000000000000000000000000", "::"),
        ("B80D0120000000000000000001000000", "2001:db8::1"),
    ],
)
def test_addresses_are_read_as_the_kernel_writes_them(written: str, address: str) -> None:
    assert survey._address(written) == address
