"""Who may log in to the admin page is changed by a verb, at once, and nothing is restarted for it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator

import pytest
from lab import ROOT, AdminPage, Lab, fleet, fleet_on_a_terminal

STORE = ROOT / ".fleet/secrets/lab/admins.json"


@pytest.fixture
def alice() -> Iterator[str]:
    """An admin beside the first one; the password is generated, since there is no terminal."""
    name, password = fleet("password", "-e", "user=alice").split()
    assert name == "alice"
    yield password
    if "alice" in json.loads(STORE.read_text()):
        fleet("password", "-e", "user=alice", "-e", "state=absent")


def log_in(lab: Lab, user: str, password: str) -> AdminPage:
    page = AdminPage(lab.url)
    page.log_in(user, password)
    return page


def test_a_new_admin_can_log_in_at_once_and_a_removed_one_no_more(lab: Lab) -> None:
    started = lab.started()
    name, password = fleet("password", "-e", "user=alice").split()
    page = log_in(lab, name, password)
    assert page.is_logged_in()
    fleet("password", "-e", "user=alice", "-e", "state=absent")
    assert not page.is_logged_in()
    assert not log_in(lab, name, password).is_logged_in()
    assert lab.started() == started


def test_a_changed_password_ends_the_sessions_of_that_admin_alone(lab: Lab, alice: str) -> None:
    other = lab.admin()
    page = log_in(lab, "alice", alice)
    assert page.is_logged_in()
    _, password = fleet("password", "-e", "user=alice").split()
    assert not page.is_logged_in()
    assert not log_in(lab, "alice", alice).is_logged_in()
    assert log_in(lab, "alice", password).is_logged_in()
    assert other.is_logged_in()


@pytest.mark.usefixtures("alice")
def test_a_password_typed_on_a_terminal_is_taken_and_not_shown(lab: Lab) -> None:
    shown = fleet_on_a_terminal("password", "-e", "user=alice", answers=["{{ 1 }} open sésame"] * 2)
    assert "open" not in shown
    assert log_in(lab, "alice", "{{ 1 }} open sésame").is_logged_in()
    shown = fleet_on_a_terminal("password", "-e", "user=alice", answers=["open barley", "open wheat"])
    assert "not the same" in shown
    assert log_in(lab, "alice", "{{ 1 }} open sésame").is_logged_in()


def test_credentials_names_everybody_the_first_admin_first(lab: Lab, alice: str) -> None:
    assert fleet("credentials").splitlines() == [" ".join(lab.credentials), f"alice {alice}"]
    assert stat.S_IMODE(STORE.stat().st_mode) == 0o600


def test_the_last_admin_stays_and_the_inventorys_admins_are_changed_there(lab: Lab) -> None:
    with pytest.raises(AssertionError, match="'admin' is the last admin"):
        fleet("password", "-e", "user=admin", "-e", "state=absent")
    with pytest.raises(AssertionError, match="The admins come from the inventory"):
        fleet("password", "-e", "user=admin", "-e", '{"catalogue_admins": {"admin": "open sesame"}}')
    assert lab.admin().is_logged_in()
