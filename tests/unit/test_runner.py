"""./fleet test: what it runs when, side by side, and how it ends."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path

import pytest
from plugin import ROOT

sys.path.insert(0, str(ROOT / "tests" / "runner"))

import cli
import engine
import plan
from engine import Engine, Result
from plan import Job, PlanError

LANES = plan.read()
EVERY = plan.jobs(LANES["lanes"])
WAIT = "until [ -e {0} ]; do sleep 0.02; done"

Script = Callable[..., None]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Writes the script of a lane, which is run in the folder of the test."""

    def write(lane: str, *lines: str) -> None:
        file = tmp_path / "tests" / "lanes" / lane
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(["#!/usr/bin/env bash", "set -eu", *lines, ""]))
        file.chmod(0o755)

    return write


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def two_places(tmp_path: Path, screen: io.StringIO) -> Engine:
    return Engine(tmp_path, 2, lambda slot: {"SLOT": str(slot)}, screen)


def verdicts(results: list[Result]) -> dict[str, str]:
    return {result.job.name: result.verdict for result in results}


def when(condition: Callable[[], bool], act: Callable[[], None]) -> threading.Thread:
    """Act as soon as something is true, beside what the test does."""

    def wait() -> None:
        while not condition():
            threading.Event().wait(0.02)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


# What there is to run


def test_every_lane_has_a_script_and_says_what_it_is() -> None:
    for lane, entry in LANES["lanes"].items():
        assert os.access(ROOT / "tests" / "lanes" / lane, os.X_OK), lane
        assert entry["about"]


def test_a_lane_stands_on_lanes_that_there_are_and_none_on_itself() -> None:
    order = list(LANES["lanes"])
    before = {lane: {*entry.get("needs", []), *entry.get("after", [])} for lane, entry in LANES["lanes"].items()}
    for _ in order:
        before = {lane: stands.union(*(before[other] for other in stands)) for lane, stands in before.items()}
    assert all(stands <= set(order) for stands in before.values())
    assert [lane for lane, stands in before.items() if lane in stands] == []


def test_every_scenario_and_every_test_over_http_is_a_part_of_a_lane() -> None:
    scenarios = {path.parent.name for path in ROOT.glob("molecule/*/converge.yml")}
    assert {job.part for job in EVERY if job.lane == "roles"} == scenarios
    named = {job.part for job in EVERY if job.lane == "api"} | {"browser", "e2e", "unit", "template"}
    assert {path.parent.relative_to(ROOT / "tests").parts[0] for path in ROOT.glob("tests/**/test_*.py")} == named


def test_scenarios_that_take_longest_are_started_first() -> None:
    longest = LANES["lanes"]["roles"]["longest"]
    parts = [job.part for job in EVERY if job.lane == "roles"]
    assert set(parts[: len(longest)]) == set(longest)


def test_what_is_asked_for_runs_with_what_it_needs_and_nothing_else() -> None:
    def names(*asked: str) -> list[str]:
        return [job.name for job in plan.choose(EVERY, asked)]

    assert names("lint") == ["lint"]
    assert names("roles/firewall") == ["images", "hosts", "roles/firewall"]
    assert names("api/edge", "lint") == ["lint", "images", "api/edge"]
    assert names() == [job.name for job in EVERY]


@pytest.mark.parametrize(
    ("asked", "offered"), [("unti", "lint images unit"), ("api/wbe", "api/api api/web"), ("lint/python", "lint images")]
)
def test_what_there_is_not_is_refused_with_what_there_is(asked: str, offered: str) -> None:
    with pytest.raises(PlanError, match=f"there is no lane '{asked}'. These there are: .*{offered}"):
        plan.choose(EVERY, [asked])


def test_scenarios_that_run_at_a_time_share_neither_name_nor_network() -> None:
    labs = [plan.molecule_lab(slot, {}) for slot in range(cli.MOST_PLACES)]
    assert labs[0]["MOLECULE_LAB"] == "shopfleet-molecule"
    for one, other in combinations(labs, 2):
        assert one["MOLECULE_LAB"] != other["MOLECULE_LAB"]
        assert not IPv4Network(one["MOLECULE_SUBNET"]).overlaps(IPv4Network(other["MOLECULE_SUBNET"]))
    mine = plan.molecule_lab(1, {"MOLECULE_LAB": "mine", "MOLECULE_SUBNET": "10.90.0.0/16"})
    assert mine == {"MOLECULE_LAB": "mine1", "MOLECULE_SUBNET": "10.90.32.0/19"}


# How it runs


def test_two_run_side_by_side_and_each_has_a_place_of_its_own(
    two_places: Engine, script: Script, tmp_path: Path
) -> None:
    script("one", "echo $SLOT >one.slot", WAIT.format("two.slot"))
    script("two", "echo $SLOT >two.slot", WAIT.format("one.slot"))
    assert set(verdicts(two_places.run([Job("one"), Job("two")], tmp_path)).values()) == {"passed"}
    assert {(tmp_path / name).read_text() for name in ("one.slot", "two.slot")} == {"0\n", "1\n"}


def test_no_more_run_than_there_are_places(script: Script, tmp_path: Path, screen: io.StringIO) -> None:
    for number in range(3):
        script(f"job{number}", "mkdir alone", "sleep 0.1", "rmdir alone")
    results = Engine(tmp_path, 1, lambda _: {}, screen).run([Job(f"job{number}") for number in range(3)], tmp_path)
    assert set(verdicts(results).values()) == {"passed"}


@pytest.mark.parametrize("order", [("shy", "bold", "last"), ("bold", "shy", "last")])
def test_nothing_runs_beside_what_runs_alone(
    two_places: Engine, script: Script, tmp_path: Path, order: tuple[str, ...]
) -> None:
    for lane in order:
        script(lane, f"echo begin {lane} >> order", "sleep 0.5", f"echo end {lane} >> order")
    jobs = [Job(lane, alone=lane == "shy") for lane in order]
    assert set(verdicts(two_places.run(jobs, tmp_path)).values()) == {"passed"}
    told = (tmp_path / "order").read_text().split("\n")
    assert told[told.index("begin shy") + 1] == "end shy"


def test_what_stands_on_something_waits_for_it(two_places: Engine, script: Script, tmp_path: Path) -> None:
    script("base", "sleep 0.3", "touch made")
    script("top", "[ -e made ]")
    assert verdicts(two_places.run([Job("top", after=("base",)), Job("base")], tmp_path)) == {
        "top": "passed",
        "base": "passed",
    }


def test_a_failure_stops_what_stands_on_it_and_nothing_else(
    two_places: Engine, script: Script, tmp_path: Path, screen: io.StringIO
) -> None:
    script("base", "echo the reason", "false")
    script("top", "true")
    script("roof", "true")
    script("other", "echo '== 3 passed, 1 skipped in 2.50s =='")
    jobs = [Job("base"), Job("top", after=("base",)), Job("roof", needs=("top",)), Job("other"), Job("other", "again")]
    results = two_places.run(jobs, tmp_path)
    assert list(verdicts(results).values()) == ["FAILED", "not run", "not run", "passed", "passed"]
    told = screen.getvalue()
    assert "    | the reason\n" in told
    assert "base did not pass" in told
    assert "other/again" in told
    assert "3 passed, 1 skipped" in told
    assert (tmp_path / "base.log").read_text() == "the reason\n"
    assert [line.split()[:2] for line in engine.summary(results)] == [
        ["base", "FAILED"],
        ["top", "not"],
        ["roof", "not"],
        ["other", "passed"],
    ]


def test_what_runs_alone_is_shown_as_it_goes(
    two_places: Engine, script: Script, tmp_path: Path, screen: io.StringIO
) -> None:
    script("one", "echo begun", WAIT.format("seen"), "echo ended", "false")
    when(lambda: "begun\n" in screen.getvalue(), (tmp_path / "seen").touch)
    assert verdicts(two_places.run([Job("one")], tmp_path)) == {"one": "FAILED"}
    assert screen.getvalue().count("begun") == screen.getvalue().count("ended") == 1


def test_an_interrupt_lets_those_that_run_clear_up_and_starts_nothing_more(
    two_places: Engine, script: Script, tmp_path: Path, screen: io.StringIO
) -> None:
    script("lab", "trap 'touch cleared' EXIT", "touch up", "sleep 60")
    script("beside", "sleep 60")
    script("next", "true")
    when((tmp_path / "up").exists, two_places.interrupt)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        results = two_places.run([Job("lab"), Job("beside"), Job("next")], tmp_path)
        assert stranger.poll() is None
        stranger.kill()
    assert verdicts(results) == {"lab": "interrupted", "beside": "interrupted", "next": "not run"}
    assert (tmp_path / "cleared").exists()
    assert "Ending lab, beside, and waiting until they have cleared up." in screen.getvalue()


def test_a_second_interrupt_kills_what_does_not_end(two_places: Engine, script: Script, tmp_path: Path) -> None:
    script("deaf", "trap '' INT", "echo $$ >up", "while :; do sleep 0.1; done")
    when((tmp_path / "up").exists, two_places.interrupt)
    when(lambda: bool(two_places._running and two_places._running[0].told), two_places.interrupt)
    assert verdicts(two_places.run([Job("deaf")], tmp_path)) == {"deaf": "interrupted"}
    assert not Path(f"/proc/{(tmp_path / 'up').read_text().strip()}").exists()


def test_what_pytest_counted_is_read_even_in_the_frame_that_molecule_draws() -> None:
    framed = "\x1b[2m│\x1b[0m ======== \x1b[32m12 passed\x1b[0m, 1 skipped in 1.69s ========\n"
    assert engine.outcome(framed) == "12 passed, 1 skipped"
    assert engine.outcome("450 passed in 62.71s (0:01:02)\nbye\n") == "450 passed"
    assert engine.outcome("2 hours passed in vain\n") == ""


def test_failed_tests_are_named_once_with_their_reason() -> None:
    log = (
        "1 FAILED\n\x1b[2m│\x1b[0m FAILED tests/a.py::test_x[a b] - assert 1 == 2\n  +  where 1 = f()\n"
        "ERROR tests/b.py::test_y - OSError: gone\nFAILED tests/a.py::test_x[a b] - assert 1 == 2\n"
    )
    assert engine.failures(log) == [
        "FAILED tests/a.py::test_x[a b] - assert 1 == 2",
        "ERROR tests/b.py::test_y - OSError: gone",
    ]


def test_the_slowest_tests_of_all_logs_are_named() -> None:
    logs = [
        "12.50s call     tests/a.py::test_x[a b]\n3.00s setup    tests/a.py::test_y\n",
        "took 99.0s call it\n",
        "40.1s call tests/b.py::z",
    ]
    assert engine.slowest(logs, 2) == ["   40.1 s  tests/b.py::z", "   12.5 s  tests/a.py::test_x[a b]"]


def test_what_hangs_is_ended(
    two_places: Engine, script: Script, tmp_path: Path, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LIMIT", 0.3)
    script("hanging", "sleep 60")
    assert verdicts(two_places.run([Job("hanging")], tmp_path)) == {"hanging": "FAILED"}
    assert "ended after" in screen.getvalue()


def test_what_a_job_leaves_running_ends_with_it(two_places: Engine, script: Script, tmp_path: Path) -> None:
    script("careless", "sleep 60 & echo $! >left")
    two_places.run([Job("careless")], tmp_path)
    left = Path(f"/proc/{(tmp_path / 'left').read_text().strip()}/stat")
    assert not left.exists() or left.read_text().rpartition(")")[2].split()[0] == "Z"


def test_two_runs_in_one_checkout_do_not_disturb_each_other(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    says = f"process {os.getpid()} runs tests in this checkout"
    with cli.alone(lock), pytest.raises(PlanError, match=says), cli.alone(lock):
        pytest.fail("both run")
    with cli.alone(lock):
        assert lock.read_text() == f"{os.getpid()}\n"


# What changed


@pytest.mark.parametrize(
    ("files", "lanes"),
    [
        (["README.md"], {"unit"}),
        (["roles/firewall/tasks/main.yml"], {"lint", "unit", "roles/firewall", "roles/verify", "lab"}),
        (["roles/harden_ssh/vars/main.yml"], {"lint", "unit", "roles/harden", "lab"}),
        (["app_src/web/src/x.php", "docs/admin.md"], {"unit", "api", "browser"}),
        (["tests/edge/test_edge.py"], {"lint", "api/edge"}),
        (["tests/stack/edge.py"], {"lint", "api/stack", "api", "browser"}),
        (["tests/lanes/api"], {"lint", "api"}),
        (["README.md", "of a new kind"], set()),
        ([], set()),
    ],
)
def test_changed_files_choose_the_lanes(files: list[str], lanes: set[str]) -> None:
    assert set(plan.lanes_for(files, LANES["changed"])) == lanes


def test_every_file_of_the_project_asks_for_lanes_that_there_are_or_for_all() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    unknown = []
    for file in listed.stdout.split("\0")[:-1]:
        names = plan.lanes_for([file], LANES["changed"])
        plan.choose(EVERY, names)
        unknown += [] if names else [file]
    # What all depends on; everything else has a rule.
    assert {file for file in unknown if not re.match(r"tests/(shared/|\w+\.yml)", file)} == {
        "ansible.cfg",
        "pyproject.toml",
        "requirements.txt",
        "requirements-dev.txt",
    }


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A branch that left main when main had the files `old` and `kept`; main has gone on."""
    git(tmp_path, "init", "-b", "main")
    for name in ("old", "kept"):
        (tmp_path / name).write_text(f"{name}\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "Begin")
    git(tmp_path, "checkout", "-b", "mine")
    git(tmp_path, "checkout", "main")
    (tmp_path / "of others").touch()
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "Go on")
    git(tmp_path, "checkout", "mine")
    return tmp_path


def test_changed_is_what_differs_from_where_the_branch_left_main(checkout: Path) -> None:
    assert plan.changed_files(checkout) == []
    (checkout / "committed").touch()
    git(checkout, "add", ".")
    git(checkout, "commit", "-m", "Add")
    git(checkout, "mv", "old", "new")
    (checkout / "kept").write_text("changed\n")
    (checkout / "ünknown to git").touch()
    assert plan.changed_files(checkout) == ["committed", "kept", "new", "old", "ünknown to git"]


def test_on_main_it_is_what_nobody_has_fetched(checkout: Path) -> None:
    git(checkout, "checkout", "main")
    assert plan.changed_files(checkout) == []
    git(checkout, "update-ref", "refs/remotes/origin/main", "main~1")
    assert plan.changed_files(checkout) == ["of others"]


def test_without_a_main_the_lanes_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"git cannot tell what changed: .*Name the lanes instead"):
        plan.changed_files(tmp_path)
    git(tmp_path, "init", "-b", "other")
    with pytest.raises(PlanError, match=r"no branch main to compare with\. Name the lanes instead"):
        plan.changed_files(tmp_path)


def test_ci_runs_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(PlanError, match="CI runs everything"):
        cli.wanted(["changed"])
    assert cli.wanted([]) == EVERY
