"""What the application's sources must not contain: each rule holds for all of them, and finds what breaks it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PHP = [*(ROOT / "app_src" / "web").rglob("*.php")]
PYTHON = [*(ROOT / "app_src" / "api" / "src").rglob("*.py")]
_CALL = r"(?<![\w>:$.])(?:{})\s*\("

# What would run a text, build a command, a query, a template or an object out of it, or fetch what it names.
DANGEROUS = {
    "php": _CALL.format(
        "eval|assert|create_function|call_user_func\\w*|exec|system|passthru|shell_exec|popen|proc_open|pcntl_exec|"
        "unserialize|mail|ldap_\\w+|simplexml_\\w+|xml_\\w+|mysqli\\w*|fsockopen|stream_socket_client|parse_str|putenv"
    )
    + r"|`[^`]+`\s*;|\bnew\s+(?:PDO|DOMDocument|XMLReader|SimpleXMLElement|SoapClient|\$)",
    "python": _CALL.format("eval|exec|compile|__import__|input")
    + r"|\b(?:pickle|marshal|shelve|subprocess|urllib|xml|lxml|smtplib|ldap|jinja2|yaml)\b\.?\w*\(?"
    + r"|\bos\.(?:system|popen|spawn\w*|exec\w*\((?!sys\.executable,))"
    + r"|render_template|\btext\(\s*f[\"']|\.format_map\(",
}
# Dials the address that its settings give.
APPROVED = {"app_src/web/src/Connection.php": ["stream_socket_client("]}
# Broken, or not meant for secrets.
WEAK = {
    "php": _CALL.format("md5\\w*|sha1\\w*|crypt|rand|mt_rand|uniqid|lcg_value|mcrypt_\\w+|openssl_\\w+|str_shuffle")
    + r"|['\"](?:md4|md5|sha1|crc32b?|des|rc4)['\"]",
    "python": r"\b(?:md5|sha1|DES|ARC4|Blowfish|ECB|PKCS1v15)\b|\brandom\.(?!SystemRandom)\w+\(",
}


def found(rule: str, text: str) -> list[str]:
    """Return what breaks a rule, comments and the text of messages left out."""
    code = re.sub(r"/\*.*?\*/|^\s*(?://|#(?!\[)).*?$|\"\"\".*?\"\"\"", "", text, flags=re.DOTALL | re.MULTILINE)
    return [match.group() for match in re.finditer(rule, code)]


@pytest.mark.parametrize("rules", [DANGEROUS, WEAK], ids=["interprets a text", "is weak"])
def test_no_source_calls_what_should_not_be_called(rules: Mapping[str, str]) -> None:
    sources = {"php": PHP, "python": PYTHON}
    assert all(len(files) > 20 for files in sources.values())
    assert {
        str(file.relative_to(ROOT)): calls
        for language, files in sources.items()
        for file in files
        if (calls := found(rules[language], file.read_text()))
    }.items() <= APPROVED.items()


@pytest.mark.parametrize(
    ("rules", "language", "line"),
    [
        (DANGEROUS, "php", "$x = unserialize($text);"),
        (DANGEROUS, "php", "shell_exec ('ls');"),
        (DANGEROUS, "php", "return new $class();"),
        (DANGEROUS, "python", "subprocess.run(name)"),
        (DANGEROUS, "python", 'connection.execute(text(f"SELECT {name}"))'),
        (DANGEROUS, "python", "item = pickle.loads(body)"),
        (WEAK, "php", "$token = md5(uniqid());"),
        (WEAK, "php", "hash_hmac('sha1', $a, $b)"),
        (WEAK, "python", "hashlib.sha1(body)"),
        (WEAK, "python", "token = random.choice(letters)"),
    ],
)
def test_such_a_call_is_found(rules: Mapping[str, str], language: str, line: str) -> None:
    assert found(rules[language], line)


def test_php_compares_and_takes_nothing_for_what_it_is_not() -> None:
    assert [file.name for file in PHP if "\ndeclare(strict_types=1);\n" not in file.read_text()] == []
    loose = {file.name: found(r"(?<![=!<>])(?:==|!=)(?!=)|<>", file.read_text()) for file in PHP}
    assert {name: places for name, places in loose.items() if places} == {}
    assert found(r"(?<![=!<>])(?:==|!=)(?!=)|<>", "if ($a == $b) {")


def test_every_library_has_one_version() -> None:
    lines = [
        line.split("#")[0].strip()
        for file in [*ROOT.glob("requirements*.txt"), *(ROOT / "app_src" / "api").glob("requirements*.txt")]
        for line in file.read_text().splitlines()
    ]
    libraries = [line for line in lines if line and not line.startswith("-r ")]
    assert len(libraries) > 20
    assert [line for line in libraries if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line)] == []
    packages = json.loads((ROOT / "tests" / "browser" / "package-lock.json").read_text())["packages"]
    assert [name for name, entry in packages.items() if name and not entry.get("integrity")] == []
