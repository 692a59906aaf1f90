"""What a stand-in promises to the Dockerfiles that are written for the official images."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

REFERENCES: dict[str, str] = json.loads(
    (Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "references.json").read_text()
)


def output_of(image: str, *command: str) -> str:
    done = subprocess.run(
        ["docker", "run", "--rm", "--entrypoint", "", REFERENCES[image], *command],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("image", "command", "version"),
    [
        ("php", "php -v", "PHP 8.4."),
        ("python", "python3 --version", "Python 3.13."),
        ("redis", "redis-server --version", "Redis server v=8."),
        ("mysql", "mysqld --version", "Ver 9.7."),
        ("haproxy", "haproxy -v", "HAProxy version 3."),
        ("registry", "docker-registry --version", "docker-registry"),
    ],
)
def test_is_the_version_of_the_official_image(image: str, command: str, version: str) -> None:
    assert version in output_of(image, *command.split())


@pytest.mark.parametrize(
    ("image", "user", "uid"),
    [
        ("php", "www-data", 33),
        ("redis", "redis", 999),
        ("mysql", "mysql", 999),
        ("haproxy", "haproxy", 99),
    ],
)
def test_has_the_official_images_user(image: str, user: str, uid: int) -> None:
    assert output_of(image, "id", user).startswith(f"uid={uid}({user}) gid={uid}({user})")


def test_mysql_is_mysql() -> None:
    assert "MariaDB" not in output_of("mysql", "mysqld", "--version")


def test_python_has_what_extensions_are_compiled_against() -> None:
    output_of("python", "python3", "-c", "import ensurepip, venv")
    output_of("python", "test", "-e", "/usr/include/python3.13/Python.h")


def test_apache_is_prefork_with_php_and_an_empty_document_root() -> None:
    assert "prefork" in output_of("php", "apachectl", "-V")
    assert output_of("php", "ls", "-A", "/var/www/html") == ""


@pytest.mark.parametrize("image", ["php", "python", "redis", "mysql", "haproxy", "registry"])
def test_carries_no_package_lists_and_no_manuals(image: str) -> None:
    found = output_of(image, "sh", "-c", "ls -A /var/lib/apt/lists /var/cache/apt/archives /usr/share/man 2>/dev/null")
    assert ".deb" not in found
    assert "_Packages" not in found
    assert "man1" not in found


@pytest.mark.parametrize("image", ["php", "python"])
def test_starts_no_service_when_a_package_is_installed(image: str) -> None:
    output_of(image, "sh", "-c", "/usr/sbin/policy-rc.d; test $? -eq 101")
