"""The checks of the CIS Docker Benchmark 1.6.0, sections 2 to 5: each by its number, each a list of what is wrong.

What they look at is what look.py found on a host. docs/hardening.md lists all of them with what was decided.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

State = dict[str, Any]
Check = Callable[[State], list[str]]
CHECKS: dict[str, Check] = {}


def _each(what: str, number: str, wrong: Callable[[State], bool]) -> None:
    """A check of each container or image of a host, with what makes one wrong."""

    def check(state: State) -> list[str]:
        return [str(entry.get("Name") or entry["RepoTags"]) for entry in state[what] if wrong(entry)]

    CHECKS[number] = check


def _container(number: str, wrong: Callable[[State], bool]) -> None:
    _each("containers", number, wrong)


def _settings(number: str, wrong: Callable[[State], bool]) -> None:
    CHECKS[number] = lambda state: [f"daemon.json: {state['settings']}"] if wrong(state) else []


def _file(number: str, name: str, wrong: Callable[[State], bool]) -> None:
    CHECKS[number] = lambda state: [str(entry) for entry in state["files"][name] if wrong(entry)]


def _owner(number: str, name: str, owner: str = "root:root") -> None:
    _file(number, name, lambda entry: entry["owner"] != owner)


def _mode(number: str, name: str, most: int) -> None:
    _file(number, name, lambda entry: bool(entry["mode"] & ~most))


def _any_process(container: State, wrong: Callable[[State], bool]) -> bool:
    return any(wrong(process) for process in container["processes"])


def _published(container: State) -> list[tuple[str, int, int]]:
    bindings = container["HostConfig"]["PortBindings"] or {}
    return [
        (binding["HostIp"], int(binding["HostPort"]), int(target.partition("/")[0]))
        for target, published in bindings.items()
        for binding in published
    ]


def _own_mount(container: State, mount: State) -> bool:
    name = container["Name"].removeprefix("/")
    configuration = mount["Source"] == f"/etc/shopfleet/{name}" and not mount["RW"]
    return configuration or mount["Source"].startswith(f"/var/lib/shopfleet/{name}/")


def _socket_mounted(container: State) -> bool:
    return any(mount["Source"].endswith("docker.sock") for mount in container["Mounts"])


def _host(container: State, key: str) -> Any:  # noqa: ANN401  whatever Docker says
    return container["HostConfig"][key]


# 2: the daemon
CHECKS["2.1"] = lambda state: list(state["group"])
_settings("2.2", lambda state: state["settings"].get("icc", True) or state["bridge"]["Options"][_ICC] != "false")
_ICC = "com.docker.network.bridge.enable_icc"
_settings("2.3", lambda state: state["settings"].get("log-level", "info") != "info")
_settings("2.4", lambda state: not state["settings"].get("iptables", True))
_settings(
    "2.5",
    lambda state: bool(
        state["settings"].get("insecure-registries")
        or set(state["info"]["RegistryConfig"]["InsecureRegistryCIDRs"]) - {"127.0.0.0/8", "::1/128"}
    ),
)
_settings("2.6", lambda state: state["settings"].get("storage-driver", state["info"]["Driver"]) != "overlay2")
_settings("2.7", lambda state: any(host.startswith("tcp:") for host in state["settings"].get("hosts", [])))
_settings("2.8", lambda state: not {"nofile", "core"} <= state["settings"].get("default-ulimits", {}).keys())
_settings("2.10", lambda state: "cgroup-parent" in state["settings"])
_settings("2.11", lambda state: "storage-opts" in state["settings"])
_container("2.13", lambda entry: not {"max-size", "max-file"} <= (_host(entry, "LogConfig")["Config"] or {}).keys())
_settings("2.14", lambda state: not state["settings"].get("no-new-privileges"))
_settings("2.15", lambda state: not (state["settings"].get("live-restore") and state["info"]["LiveRestoreEnabled"]))
_settings(
    "2.17",
    lambda state: (
        "seccomp-profile" in state["settings"]
        or not any(
            option in ("name=seccomp,profile=default", "name=seccomp,profile=builtin")
            for option in state["info"]["SecurityOptions"]
        )
    ),
)
_settings("2.18", lambda state: bool(state["settings"].get("experimental") or state["info"]["ExperimentalBuild"]))

# 3: its files
_owner("3.1", "service")
_mode("3.2", "service", 0o644)
_owner("3.3", "socket unit")
_mode("3.4", "socket unit", 0o644)
_owner("3.5", "folder")
_mode("3.6", "folder", 0o755)
_owner("3.7", "certificates")
_mode("3.8", "certificates", 0o444)
_owner("3.15", "socket", "root:docker")
_mode("3.16", "socket", 0o660)
_owner("3.17", "settings")
_mode("3.18", "settings", 0o644)
_owner("3.19", "default")
_mode("3.20", "default", 0o644)
_mode("3.21", "sysconfig", 0o644)
_owner("3.22", "sysconfig")
_owner("3.23", "containerd")
_mode("3.24", "containerd", 0o660)

# 4: the images
_each("images", "4.1", lambda entry: entry["Config"]["User"].partition(":")[0] in ("", "0", "root"))
_container("4.3", lambda entry: bool(entry["inside"]["tools"]))
_container("4.8", lambda entry: bool(entry["inside"]["setuid"]))
# Nothing but ADD unpacks the root file system that all else stands on, and that is the first layer.
_each("images", "4.9", lambda entry: any(" ADD " in f" {step}" for step in entry["history"][:-1]))
_each(
    "images",
    "4.10",
    lambda entry: any(word in name.upper() for name in entry["Config"]["Env"] for word in ("PASSW", "SECRET", "TOKEN")),
)

# 5: the containers
CHECKS["5.1"] = lambda state: [] if state["info"]["Swarm"]["LocalNodeState"] == "inactive" else ["swarm"]
_container("5.2", lambda entry: entry["AppArmorProfile"] not in ("", "docker-default"))
_container("5.3", lambda entry: "label=disable" in (_host(entry, "SecurityOpt") or []))
_container(
    "5.4",
    lambda entry: (
        _host(entry, "CapDrop") != ["ALL"]
        or bool(_host(entry, "CapAdd"))
        or _any_process(entry, lambda process: any(int(word, 16) for word in process["capabilities"]))
    ),
)
_container("5.5", lambda entry: _host(entry, "Privileged"))
_container("5.6", lambda entry: any(not _own_mount(entry, mount) for mount in entry["Mounts"]))
_container("5.7", lambda entry: _any_process(entry, lambda process: process["name"] == "sshd"))
_container(
    "5.8",
    lambda entry: {port for _, port, _ in _published(entry) if port < 1024} > entry["promised"]["outside"],
)
_container("5.9", lambda entry: set(_published(entry)) != entry["promised"]["published"])
_container("5.10", lambda entry: _host(entry, "NetworkMode") == "host")
_container("5.11", lambda entry: not _host(entry, "Memory") or _host(entry, "MemorySwap") != _host(entry, "Memory"))
_container("5.12", lambda entry: not _host(entry, "NanoCpus") or _host(entry, "CpuShares") in (0, 1024))
_container("5.13", lambda entry: not _host(entry, "ReadonlyRootfs"))
_container("5.14", lambda entry: any(address in ("", "0.0.0.0", "::") for address, _, _ in _published(entry)))
_container("5.15", lambda entry: _host(entry, "RestartPolicy")["Name"] != "unless-stopped")
_container("5.16", lambda entry: _host(entry, "PidMode") == "host")
_container("5.17", lambda entry: _host(entry, "IpcMode") not in ("private", "none"))
_container("5.18", lambda entry: bool(_host(entry, "Devices")))
_container(
    "5.19",
    lambda entry: _any_process(
        entry, lambda process: process["core"] != "0" or not process["files"].isdigit() or int(process["files"]) > 8192
    ),
)
_container("5.20", lambda entry: any("shared" in mount["Propagation"] for mount in entry["Mounts"]))
_container("5.21", lambda entry: _host(entry, "UTSMode") == "host")
_container(
    "5.22",
    lambda entry: (
        "seccomp=unconfined" in (_host(entry, "SecurityOpt") or [])
        or _any_process(entry, lambda process: process["seccomp"] != "2")
    ),
)
_container("5.25", lambda entry: bool(_host(entry, "CgroupParent")))
_container(
    "5.26",
    lambda entry: (
        "no-new-privileges:true" not in (_host(entry, "SecurityOpt") or [])
        or _any_process(entry, lambda process: process["no_new_privileges"] != "1")
    ),
)
_container("5.27", lambda entry: not entry["Config"].get("Healthcheck"))
_container("5.28", lambda entry: entry["Config"]["Image"] != entry["promised"]["image"])
_container("5.29", lambda entry: not (_host(entry, "PidsLimit") or 0) > 0)
_container("5.30", lambda entry: _host(entry, "NetworkMode") in ("default", "bridge"))
_container("5.31", lambda entry: _host(entry, "UsernsMode") == "host")
_container("5.32", _socket_mounted)
