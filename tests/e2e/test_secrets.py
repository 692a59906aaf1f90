"""No secret of the deployment is found where it does not belong: on a host, on the controller, in what a run prints."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kept import secrets_kept
from lab import ROOT, Lab, fleet

_SEARCH = Path(__file__).parent / "search.py"
_KEPT = ROOT / ".fleet"
# Where a container's secrets belong: readable by its user only.
_PLACE = re.compile(r"/etc/shopfleet/[a-z0-9-]+/[a-z0-9._-]+ 400")
_SPILL = """
logger "$1"
printf %s "$1" >/etc/planted
docker run --detach --name planted --env "WORD=$1" --entrypoint sh "$2" \\
    -c "echo $1 | tee /tmp/word; sleep 600" >/dev/null
docker commit planted planted >/dev/null
"""
_MOP_UP = "docker rm --force planted; docker image rm planted; rm -f /etc/planted"


@pytest.fixture(scope="module")
def words() -> list[str]:
    return list(secrets_kept().values())


def on_host(lab: Lab, host: str, words: list[str]) -> set[str]:
    """Search a host: its processes, journal, containers, images and every file."""
    script = f"cat >/run/search.py <<'END'\n{_SEARCH.read_text()}\nEND\n"
    lab.on(host, "sh", "-c", script)
    found = lab.on(host, "python3", "/run/search.py", "--containers", "/", stdin="\n".join(words))
    return {place for place in json.loads(found) if not _PLACE.fullmatch(place)}


def on_controller(words: list[str]) -> set[str]:
    """Search the controller: all processes, and what others than the owner can read and is younger than the secrets."""
    eldest = min(file.stat().st_mtime for file in (_KEPT / "secrets" / "lab").iterdir())
    folders = [str(path) for path in (ROOT, Path("/tmp"), Path("/var/log"), Path.home() / ".ansible") if path.exists()]  # noqa: S108
    search = [sys.executable, str(_SEARCH), "--readable", f"--since=@{eldest}", *folders]
    done = subprocess.run(search, input="\n".join(words), capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.fixture
def spilled(lab: Lab) -> Iterator[str]:
    """A word that was let slip wherever a host can let slip one."""
    word = f"planted{secrets.token_hex(8)}"
    host = lab.hosts[-1]
    image = next(lab.facts["images"][entry["service"]] for entry in lab.containers if entry["host"] == host)
    try:
        lab.on(host, "sh", "-c", _SPILL, "sh", word, image)
        yield word
    finally:
        lab.on(host, "sh", "-c", _MOP_UP)


def test_no_host_lets_a_secret_slip(lab: Lab, words: list[str]) -> None:
    assert {host: places for host in lab.hosts if (places := on_host(lab, host, words))} == {}


def test_the_controller_keeps_its_secrets_to_itself(words: list[str]) -> None:
    assert on_controller(words) == set()


def new_secrets(folder: Path, *names: str) -> tuple[Path, list[str]]:
    """Write a file with new values for some of the deployment's secrets, and return both."""
    new = {f"catalogue_{name}": secrets.token_hex(12) for name in names}
    admin = secrets.token_hex(12)
    file = folder / "new.json"
    file.touch(0o600)
    file.write_text(json.dumps(new | {"catalogue_admins": {"admin": admin}}))
    return file, [*new.values(), admin]


def test_a_run_prints_neither_the_old_secrets_nor_the_new(words: list[str], tmp_path: Path) -> None:
    names = ["redis_password", "mysql_migrator_password", "mysql_api_password", "mysql_admin_api_password"]
    keys = ["web_key", "haproxy_web_key", "haproxy_admin_api_key", "admin_salt"]
    file, new = new_secrets(tmp_path, *names, *keys)
    output = fleet("deploy", "--check", "--diff", "-vvv", "-e", f"@{file}")
    assert "the output has been hidden" in output
    assert "mysql_user" in output
    assert [word for word in (*words, *new) if word in output] == []


def test_a_run_that_mysql_refuses_does_not_print_its_roots_password_either(words: list[str], tmp_path: Path) -> None:
    file, new = new_secrets(tmp_path, "mysql_root_password")
    with pytest.raises(AssertionError, match="Access denied") as refused:
        fleet("deploy", "--check", "--diff", "-vvv", "-e", f"@{file}")
    assert [word for word in (*words, *new) if word in str(refused.value)] == []


def test_a_word_that_slipped_is_found_wherever_it_went(lab: Lab, spilled: str) -> None:
    found = on_host(lab, lab.hosts[-1], [spilled])
    places = {re.sub(r"^/var/lib/docker/([a-z0-9]+)/.*", r"\1", place) for place in found}
    kinds = {"environ", "cmdline", "journal", "logs", "container inspect", "image inspect", "history"}
    assert kinds | {"containers", "/etc/planted 644"} <= places


def test_a_word_that_slipped_on_the_controller_is_found(tmp_path: Path) -> None:
    word = f"planted{secrets.token_hex(8)}"
    file = tmp_path / "readable"
    for folder in (tmp_path, tmp_path.parent):
        assert folder.is_dir()
    file.write_text(word)
    file.chmod(0o644)
    with subprocess.Popen(["sleep", "60"], env={"WORD": word, "PATH": "/usr/bin:/bin"}) as process:
        found = on_controller([word])
        process.kill()
    assert {"environ", f"{file} 644"} <= found
