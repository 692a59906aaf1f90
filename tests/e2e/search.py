"""Runs on a host or on the controller: prints, as JSON, the places where one of the words on its input is found.

The words come by the input, since arguments and variables are among what is searched. Folders to search are its
arguments; files that only their owner can read are left out with --readable.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

arguments = argparse.ArgumentParser()
arguments.add_argument("--readable", action="store_true")
arguments.add_argument("--containers", action="store_true")
arguments.add_argument("--since", default="@0")
arguments.add_argument("folders", nargs="+")
options = arguments.parse_args()
words = sys.stdin.read().splitlines()
found: set[str] = set()


def output(*command: str, stdin: bytes | None = None) -> bytes:
    """What a program prints on both of its channels."""
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout


def look(place: str, content: bytes) -> None:
    """Remember the place when a word is in its content."""
    if any(word.encode() in content for word in words):
        found.add(place)


for process in Path("/proc").glob("[0-9]*"):
    for kind in ("environ", "cmdline"):
        with suppress(OSError):
            look(kind, (process / kind).read_bytes())

if Path("/run/systemd/system").is_dir():
    look("journal", output("journalctl", "--all", "--quiet", "--output=export"))

if options.containers:
    for kind in ("container", "image", "network", "volume"):
        every = ["--all"] if kind in ("container", "image") else []
        for name in output("docker", kind, "ls", "--quiet", *every).decode().split():
            look(f"{kind} inspect", output("docker", kind, "inspect", name))
            if kind == "container":
                look("logs", output("docker", "logs", name))
            if kind == "image":
                look("history", output("docker", "history", "--no-trunc", name))

# Layers lie below /var/lib/docker as they are; "merged" shows the same files once more.
readable = ["-perm", "/044"] if options.readable else []
skipped = ["(", "-path", "/proc", "-o", "-path", "/sys", "-o", "-path", "/dev", "-o", "-name", "merged", ")", "-prune"]
files = output(
    *("find", *options.folders, *skipped, "-o", "-type", "f", *readable, "-newermt", options.since, "-print0")
)
paths = [name.decode(errors="surrogateescape") for name in files.split(b"\0") if name.startswith(b"/")]
for start in range(0, len(paths), 1000):
    grep = ["grep", "--fixed-strings", "--file=-", "--files-with-matches", "--no-messages", "--"]
    some = subprocess.run(
        [*grep, *paths[start : start + 1000]],
        input="\n".join(words),
        capture_output=True,
        text=True,
        errors="surrogateescape",
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    for path in some.stdout.splitlines():
        with suppress(OSError):
            found.add(f"{path} {Path(path).stat().st_mode & 0o777:o}")
print(json.dumps(sorted(found)))
