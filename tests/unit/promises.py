"""Reads in a page what a program can check: links, commands, paths, settings and names."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from plugin import ROOT

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:^|[\s`(])((?:[A-Z_]+=\S+ )*\./fleet(?: [^`\n]*)?)")
# A word that is the code's own: settings, functions, environment variables, header fields.
_NAME = re.compile(r"[a-z]\w*_\w+|_\w+|[A-Z][A-Z0-9]*_[A-Z0-9_]+|X-[A-Z][A-Za-z-]+")
# Verbs that are no playbooks.
_BUILT_IN = {"test", "bench", "help"}


@cache
def tracked() -> frozenset[str]:
    """The project's files, and their folders."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
    files = {file for file in listed if (ROOT / file).is_file()}
    return frozenset(files | {str(folder) for file in files for folder in PurePosixPath(file).parents})


@cache
def pages() -> tuple[Path, ...]:
    """What people read, without what is written by programs alone."""
    names = sorted(name for name in tracked() if name.endswith(".md") and not re.match(r"roles/\w+/README", name))
    return tuple(ROOT / name for name in names)


@cache
def words() -> frozenset[str]:
    """Every word that stands in a file which is no page, or in the name of a file."""
    found: set[str] = set()
    for name in tracked():
        path = ROOT / name
        found |= set(re.findall(r"[\w-]+", name))
        # The test of this module names much that there is not.
        if path.is_file() and name != "tests/unit/test_docs.py" and path.suffix not in (".md", ".png", ".csv"):
            found |= set(re.findall(r"[\w-]+", path.read_text(encoding="utf-8")))
            found |= set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    return frozenset(found)


@cache
def verbs() -> dict[str, Path | None]:
    """Every verb and its playbook."""
    found: dict[str, Path | None] = dict.fromkeys(_BUILT_IN)
    for playbook in ROOT.glob("playbooks/*.yml"):
        if playbook.read_text(encoding="utf-8").startswith("---\n# Verb: "):
            found["deploy" if playbook.stem == "site" else playbook.stem] = playbook
    return found


@cache
def settings() -> dict[str, Any]:
    """Every variable that a role describes, with its default."""
    found: dict[str, Any] = {}
    for file in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for spec in yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"].values():
            found |= {name: option.get("default") for name, option in spec.get("options", {}).items()}
    return found


@cache
def lanes() -> dict[str, Any]:
    """Every lane of ./fleet test."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "tests/lanes.yml").read_text(encoding="utf-8"))["lanes"]
    return found


def anchors(text: str) -> set[str]:
    """List the places of a page that a link may lead to.

    Args:
        text: The page.

    Returns:
        The names that GitHub gives to its headings.
    """
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "") for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def broken_links(page: Path, text: str) -> Iterator[str]:
    """Find links that lead nowhere.

    Args:
        page: Where the text stands.
        text: The page.

    Yields:
        A sentence for each.
    """
    for target in ("".join(groups) for groups in _LINK.findall(_FENCE.sub("", text))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists():
            yield f"the link {target} leads to no file"
        elif anchor and anchor not in anchors(text if file == page else file.read_text(encoding="utf-8")):
            yield f"the link {target} leads to no heading"


def wrong_commands(text: str) -> Iterator[str]:
    """Find commands that cannot be typed.

    Args:
        text: The page.

    Yields:
        A sentence for each.
    """
    for line in _COMMAND.findall(text):
        parts = shlex.split(line.split("   ")[0], comments=True)
        while "=" in parts[0]:
            setting = parts.pop(0).partition("=")[0]
            if setting not in words():
                yield f"nothing reads {setting} of: {line}"
        given = [part.strip(".,;:)") for part in parts[1:]]
        # `./fleet VERB` stands for any of them.
        if not given or given[0] == "VERB":
            continue
        verb, *arguments = given
        if verb not in verbs():
            yield f"there is no verb {verb}"
        elif verb == "test":
            yield from (
                f"there is no lane {name}"
                for name in arguments
                if re.fullmatch(r"[a-z]+(/\w+)?", name) and name.partition("/")[0] not in {*lanes(), "changed"}
            )
        elif verb == "bench" and arguments and not (ROOT / f"tests/bench/{arguments[0]}.py").is_file():
            yield f"there is no bench {arguments[0]}"
        else:
            yield from _unknown_variables(verbs()[verb], arguments)


def unknown_scenarios(text: str) -> Iterator[str]:
    """Find molecule's scenarios that there are not.

    Args:
        text: The page.

    Yields:
        A sentence for each.
    """
    for name in re.findall(r"\bmolecule [^`\n]*?(?:-s|--scenario-name) ([\w<>]+)", text):
        if not re.fullmatch(r"ROLE|<\w+>", name) and not (ROOT / "molecule" / name / "molecule.yml").is_file():
            yield f"there is no scenario {name}"


def _unknown_variables(playbook: Path | None, arguments: list[str]) -> Iterator[str]:
    given = [value.partition("=")[0] for flag, value in pairwise(arguments) if flag == "-e"]
    for name in given:
        read = playbook is not None and re.search(rf"\b{name}\b", playbook.read_text(encoding="utf-8"))
        if not read and name not in settings() and name not in words():
            yield f"nothing reads -e {name}"


def missing_paths(page: Path, text: str) -> Iterator[str]:
    """Find files and folders of the project that there are not.

    Args:
        page: Where the text stands.
        text: The page.

    Yields:
        A sentence for each.
    """
    top = "|".join(re.escape(name) for name in sorted(tracked()) if "/" not in name and (ROOT / name).is_dir())
    for told in re.findall(rf"(?<![\w/.<-])(?:{top})/[^\s`()\[\]|,;:#\"]*(?:::\w+)?", text):
        path, _, test = told.rstrip(".").partition("::")
        # What stands for any name, or for one of the reader's own.
        pattern = re.sub(r"<[^>]*>|\bROLE\b|\byours\b", "*", path)
        found = [*ROOT.glob(pattern), *page.parent.glob(pattern)]
        if not found:
            yield f"there is no {path}"
        elif test and not any(f"def {test}(" in file.read_text(encoding="utf-8") for file in found):
            yield f"there is no test {test} in {path}"


def unknown_names(text: str) -> Iterator[str]:
    """Find settings, functions, variables and header fields that the code does not know.

    Args:
        text: The page.

    Yields:
        A sentence for each.
    """
    for code in _CODE.findall(_FENCE.sub("", text)):
        for name in re.findall(r"(?<![\w/.*-])(?:X-[A-Za-z-]+|\w+)(?![\w*/-])", code):
            if not _NAME.fullmatch(name) or name.strip("_") == "role_x" or name in words():
                continue
            # What follows `catalogue_web_key` may be short for its neighbours.
            if not (name.startswith("_") and any(word.endswith(name) for word in words())):
                yield f"nothing is called {name}"


def wrong_defaults(text: str) -> Iterator[str]:
    """Find defaults in tables of settings that are not the roles'.

    Args:
        text: The page.

    Yields:
        A sentence for each.
    """
    for name, told in re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.MULTILINE):
        if name in settings() and yaml.safe_load(told) != settings()[name]:
            yield f"the default of {name} is {settings()[name]}, not {told}"


def faults(page: Path, text: str) -> list[str]:
    """Find what a page promises and the project does not keep.

    Args:
        page: Where the text stands.
        text: The page.

    Returns:
        A sentence for each.
    """
    return [
        *broken_links(page, text),
        *wrong_commands(text),
        *unknown_scenarios(text),
        *missing_paths(page, text),
        *unknown_names(text),
        *wrong_defaults(text),
    ]
