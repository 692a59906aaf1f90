"""A set of files on a host: written whole, left alone when it is as it should be, and never shown when secret."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from plugin import load

ROOT = Path(__file__).resolve().parents[2]
unlike = load("filter/host_files.py").unlike
SECRET = "open\n'sesame'\n"
# Prints what a module would log on a host.
LOGGING = """
import runpy, sys
from ansible.module_utils import basic
basic.has_journal = False
basic.syslog.syslog = lambda *arguments: print(arguments[-1], file=sys.stderr)
runpy.run_path(sys.argv.pop(), run_name="__main__")
"""


def execute(module: str, check: bool = False, **arguments: object) -> subprocess.CompletedProcess[str]:
    given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True, "_ansible_no_log": False}
    return subprocess.run(
        [sys.executable, "-c", LOGGING, str(ROOT / "plugins/modules" / f"{module}.py")],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": given}),
        capture_output=True,
        text=True,
        check=False,
    )


def run(module: str, check: bool = False, **arguments: object) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(execute(module, check, **arguments).stdout)
    return result


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def files(tmp_path: Path) -> list[dict[str, Any]]:
    folder, owner = tmp_path / "folder", os.getuid()
    return [
        {"path": str(folder), "mode": "0750", "owner": owner},
        {"path": str(folder / "plain"), "content": "text\n", "mode": "0644", "owner": owner},
        {"path": str(folder / "secret"), "secret": base64_of(SECRET), "mode": "0400", "owner": owner},
    ]


def test_what_is_written_is_there_with_its_mode_and_a_second_run_finds_it(files: list[dict[str, Any]]) -> None:
    first = run("host_files", files=files)
    assert (first["changed"], first["paths"]) == (True, [file["path"] for file in files])
    assert [oct(Path(file["path"]).stat().st_mode & 0o777) for file in files] == ["0o750", "0o644", "0o400"]
    assert [Path(file["path"]).read_text() for file in files[1:]] == ["text\n", SECRET]
    assert [name for _, _, names in os.walk(files[0]["path"]) for name in names if name.endswith(".new")] == []
    second = run("host_files", files=files)
    assert (second["changed"], second["paths"]) == (False, [])


def test_check_mode_writes_nothing_and_names_what_would_be_written(files: list[dict[str, Any]]) -> None:
    run("host_files", files=files)
    files[1]["content"] = "other\n"
    foretold = run("host_files", check=True, files=files)
    assert foretold["paths"] == [files[1]["path"]]
    assert Path(files[1]["path"]).read_text() == "text\n"
    assert run("host_files", files=files)["paths"] == foretold["paths"]


@pytest.mark.parametrize("former", [None, "old sesame"])
def test_a_secret_is_neither_shown_nor_logged(files: list[dict[str, Any]], former: str | None) -> None:
    if former:
        run("host_files", files=[files[0], files[2] | {"secret": base64_of(former)}])
    done = execute("host_files", files=files)
    for output in (done.stdout, done.stderr):
        assert "text" in output
        assert [word for word in ("sesame", files[2]["secret"]) if word in output] == []


@pytest.mark.parametrize("spoil", ["content", "mode", "kind"])
def test_what_was_changed_by_hand_is_put_right(files: list[dict[str, Any]], spoil: str) -> None:
    run("host_files", files=files)
    plain = Path(files[1]["path"])
    if spoil == "content":
        plain.write_text("by hand")
    elif spoil == "mode":
        plain.chmod(0o666)
    else:
        plain.unlink()
        plain.symlink_to(files[2]["path"])
    assert run("host_files", files=files)["paths"] == [files[1]["path"]]
    assert (plain.read_text(), plain.is_symlink(), plain.stat().st_mode & 0o777) == ("text\n", False, 0o644)


def test_a_folder_in_the_way_is_named(files: list[dict[str, Any]]) -> None:
    Path(files[1]["path"]).mkdir(parents=True)
    failed = run("host_files", files=files)
    assert failed["failed"]
    assert files[1]["path"] in failed["msg"]


def test_a_host_is_not_asked_about_what_the_look_has_found(files: list[dict[str, Any]], tmp_path: Path) -> None:
    run("host_files", files=files)
    look = run("host_look", paths=[files[0]["path"], "/absent"], records=str(tmp_path / "records"))
    seen = look["ansible_facts"]["look"]["files"]
    assert seen[files[1]["path"]]["digest"] == hashlib.sha256(b"text\n").hexdigest()
    assert unlike(files, seen) == []
    for change in ({"content": "other"}, {"mode": "0600"}, {"owner": 12345}, {"path": "/absent"}):
        other = files[1] | change
        assert unlike([files[0], other, files[2]], seen) == [other["path"]]
    assert unlike([files[0] | {"path": files[1]["path"]}], seen), "a file is no folder"


def test_the_look_knows_this_machine(tmp_path: Path) -> None:
    look = run("host_look", paths=[], units=[], records=str(tmp_path))["ansible_facts"]["look"]
    assert "dpkg" in look["packages"].split()
    assert look["debian"] == platform.freedesktop_os_release()["VERSION_ID"]
    assert (look["files"], look["units"], look["deployed"]) == ({}, {}, {})
