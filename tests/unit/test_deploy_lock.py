"""One run at a time: real runs on this machine, each with a task under way for as long as the test wants."""

from __future__ import annotations

import getpass
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin import ROOT

_PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - deploy_lock: {path: lock}
    - ansible.builtin.command: sh -c 'echo begun >begun; cat go'
      check_mode: false
      when: long is defined
"""


class Runs:
    """The runs of a test."""

    def __init__(self, folder: Path) -> None:
        """Lay out what they run."""
        self._folder = folder
        self._begun: list[subprocess.Popen[str]] = []
        for name in ("begun", "go"):
            os.mkfifo(folder / name)
        (folder / "playbook.yml").write_text(_PLAYBOOK)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts one."""
        program = [str(Path(sys.executable).with_name("ansible-playbook")), "playbook.yml", "-i", "localhost,"]
        run = subprocess.Popen(
            [*program, "-c", "local", *arguments],
            cwd=self._folder,
            env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._begun.append(run)
        return run

    def start_long(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts one, and returns when it is in the midst of a task."""
        run = self.start("-e", "long=yes", *arguments)
        (self._folder / "begun").read_text()
        return run

    def let_go(self) -> None:
        """Ends the task that is under way."""
        (self._folder / "go").write_text("")

    def end(self) -> None:
        """Ends those that are left."""
        for run in self._begun:
            if run.poll() is None:
                run.terminate()
            run.communicate()


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    started = Runs(tmp_path)
    yield started
    started.end()


def test_the_second_run_stops_and_says_who_is_at_work_since_when_and_from_where(runs: Runs) -> None:
    first = runs.start_long()
    second = runs.start()
    said = second.communicate(timeout=60)[0]
    assert second.returncode != 0
    begun = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    who = re.escape(f"{getpass.getuser()}@{platform.node()} (process {first.pid}) from here")
    assert re.search(rf"Another run is at work here: {who} since {begun}\. Wait until", said)
    assert first.poll() is None
    runs.let_go()
    assert first.wait(timeout=60) == 0
    assert runs.start().wait(timeout=60) == 0


def test_a_killed_run_leaves_no_lock_but_what_it_has_under_way_is_waited_for(runs: Runs) -> None:
    first = runs.start_long()
    first.kill()
    first.wait(timeout=60)
    second = runs.start()
    assert second.stdout
    for line in second.stdout:
        if "Waiting for what a run that was killed has under way on localhost" in line:
            break
    else:
        pytest.fail("the second run did not wait")
    runs.let_go()
    assert second.wait(timeout=60) == 0


def test_a_run_that_is_interrupted_leaves_no_lock(runs: Runs) -> None:
    first = runs.start_long()
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=60) != 0
    assert runs.start().wait(timeout=60) == 0


def test_a_run_that_only_looks_does_not_look_at_a_change_halfway(runs: Runs) -> None:
    first = runs.start_long()
    looking = runs.start("--check")
    assert "Another run is at work here" in looking.communicate(timeout=60)[0]
    assert looking.returncode != 0
    runs.let_go()
    assert first.wait(timeout=60) == 0
