"""The rendered configuration, read by the programs that will use it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from edge_certificate import make_certificate
from images_under_test import image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    # containers read it as users of their own
    folder.chmod(0o755)
    for parent in folder.parents[:2]:
        parent.chmod(0o755)
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    playbook = ROOT / "tests" / "template" / "render.yml"
    subprocess.run(
        ["ansible-playbook", playbook, "-i", ROOT / "inventory" / "lab", "-e", f"rendered_dir={folder}"],
        check=True,
        env=environment,
    )
    make_certificate(folder)
    return folder


def run_in(image_name: str, rendered: Path, *command: str, options: tuple[str, ...] = ()) -> str:
    """Run a program of an image on the rendered files and return what it printed.

    The program must succeed.
    """
    entrypoint, *arguments = command
    container = ["--rm", "--network=none", f"--volume={rendered}:/etc/shopfleet:ro", "--tmpfs=/tmp:mode=1777"]
    done = subprocess.run(
        ["docker", "run", *container, *options, f"--entrypoint={entrypoint}", image_name, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


@pytest.mark.parametrize("name", ["haproxy.cfg", "haproxy-internal-tls.cfg"])
def test_haproxy_accepts_its_configuration_without_a_warning(rendered: Path, name: str) -> None:
    output = run_in(image("SHOP_TEST_HAPROXY_IMAGE"), rendered, "haproxy", "-c", "-f", f"/etc/shopfleet/{name}")
    assert "WARNING" not in output
    assert "ALERT" not in output


def test_haproxy_refuses_a_broken_configuration(rendered: Path, tmp_path: Path) -> None:
    shutil.copytree(rendered, tmp_path, dirs_exist_ok=True)
    broken = (rendered / "haproxy.cfg").read_text().replace("default_backend web", "default_backend nowhere")
    (tmp_path / "haproxy.cfg").write_text(broken)
    make_certificate(tmp_path)
    with pytest.raises(AssertionError, match="nowhere"):
        run_in(image("SHOP_TEST_HAPROXY_IMAGE"), tmp_path, "haproxy", "-c", "-f", "/etc/shopfleet/haproxy.cfg")


def test_the_roles_render_as_the_template_module_does(rendered: Path) -> None:
    by_lookup = (rendered / "haproxy.cfg.rendered").read_text().splitlines()
    by_module = (rendered / "haproxy.cfg").read_text().splitlines()
    assert (by_lookup[0], by_module[0]) == ("# Managed by Ansible", "# Ansible managed")
    assert by_lookup[1:] == by_module[1:]


def test_haproxy_has_a_server_line_for_each_web_server(rendered: Path) -> None:
    lines = (rendered / "haproxy.cfg").read_text().splitlines()
    assert [line.split()[1] for line in lines if line.strip().startswith("server web-")] == ["web-1", "web-2", "web-3"]


def test_haproxy_speaks_tls_inside_when_it_is_told_to_and_only_then(rendered: Path) -> None:
    def inside(name: str) -> set[str]:
        """Return the lines about who is dialled, and where services dial."""
        text = (rendered / name).read_text().split("\nfrontend api\n")[1]
        web = (rendered / name).read_text().split("\nbackend web\n")[1].split("\nfrontend api\n")[0]
        return {line.strip() for line in (web + text).splitlines() if re.match(r"\s(server |bind :500)", line)}

    assert not [line for line in inside("haproxy.cfg") if "ssl" in line]
    for line in inside("haproxy-internal-tls.cfg"):
        assert line.endswith(f" verifyhost {line.split()[1]}") or " ssl crt /etc/shopfleet/certificate.pem " in line


@pytest.mark.parametrize("backend", ["web", "admin"])
def test_haproxy_leaves_a_worker_of_apache_to_the_health_checks(rendered: Path, backend: str) -> None:
    section = (rendered / "haproxy.cfg").read_text().split(f"\nbackend {backend}\n")[1].split("\n\n")[0]
    bounds = {name: int(value) for name, value in re.findall(r"(maxconn|pool-max-conn) (\d+)", section)}
    workers = re.search(r"^Define WORKERS (\d+)$", (ROOT / "app_src/web/shopfleet.conf").read_text(), re.MULTILINE)
    assert workers
    assert set(bounds) == {"maxconn", "pool-max-conn"}
    assert sum(bounds.values()) < int(workers[1])


def test_haproxy_and_php_take_the_same_from_a_form(rendered: Path) -> None:
    (kibibytes,) = re.findall(r"post_max_size = (\d+)K", (ROOT / "app_src/web/php.ini").read_text())
    limits = re.findall(r"413 if { req.hdr_val\(content-length\) gt (\d+) }", (rendered / "haproxy.cfg").read_text())
    assert limits == [str(int(kibibytes) * 1024)]


def test_mysqld_accepts_its_configuration(rendered: Path) -> None:
    run_in(
        image("SHOP_TEST_MYSQL_IMAGE"),
        rendered,
        "mysqld",
        "--defaults-file=/etc/shopfleet/my.cnf",
        "--validate-config",
        options=("--tmpfs=/run/mysqld:mode=1777",),
    )


@pytest.mark.parametrize("host", ["lb1", "web1", "api1", "db1"])
def test_nft_accepts_each_hosts_rules(rendered: Path, host: str) -> None:
    run_in(
        image("SHOP_TEST_HOST_IMAGE"),
        rendered,
        "/usr/sbin/nft",
        "-c",
        "-f",
        f"/etc/shopfleet/{host}.nft",
        options=("--cap-add=NET_ADMIN",),
    )


@pytest.fixture
def redis(rendered: Path) -> Iterator[str]:
    name = f"shopfleet-test-{uuid4().hex[:8]}"
    options = ["--rm", "--detach", f"--name={name}", "--network=none", "--read-only", "--tmpfs=/tmp:mode=1777"]
    volume = f"--volume={rendered}:/etc/shopfleet:ro"
    subprocess.run(["docker", "run", *options, volume, image("SHOP_TEST_REDIS_IMAGE")], check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True)


def test_redis_knows_the_caches_user_and_no_other(redis: str, rendered: Path) -> None:
    password = (rendered / "users.acl").read_text().split(">")[1].split()[0]

    def ask(*command: str, user: str = "cache") -> str:
        login = ["--user", user] if user else []
        environment = ["--env", f"REDISCLI_AUTH={password if user else ''}"]
        tls = ["--tls", "--cacert", "/etc/shopfleet/ca.pem"]
        program = ["docker", "exec", *environment, redis, "redis-cli", *login, *tls, *command]
        return subprocess.run(program, check=False, capture_output=True, text=True, timeout=10).stdout.strip()

    for _ in range(50):
        if ask("ping") == "PONG":
            break
    assert ask("set", "shop:entry:x", "1") == "OK"
    assert "NOPERM" in ask("config", "get", "*")
    assert "NOAUTH" in ask("ping", user="")
    assert "NOAUTH" in ask("ping", user="default")


def test_admins_passwords_are_stored_as_argon2id_hashes_only(rendered: Path) -> None:
    hashes = json.loads((rendered / "admins.json").read_text())
    assert set(hashes) == {"admin", "alice"}
    assert hashes["admin"] != hashes["alice"], "equal passwords must not look alike"
    assert all(value.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for value in hashes.values())
