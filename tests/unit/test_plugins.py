"""The small plugins: what an image is tagged by, and who may log in."""

from __future__ import annotations

from pathlib import Path

import argon2
import pytest
from plugin import load

digest = load("lookup/tree_digest.py")
admins = load("filter/admins.py")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("one")
    return tmp_path


def digest_of(*terms: str) -> str:
    digest.tree_digest.cache_clear()
    return str(digest.tree_digest(*terms))


def test_a_digest_changes_with_a_files_content_name_and_mode(tree: Path) -> None:
    seen = {digest_of(str(tree))}
    file = tree / "src" / "app.py"
    file.write_text("two")
    seen.add(digest_of(str(tree)))
    file.chmod(0o755)
    seen.add(digest_of(str(tree)))
    file.rename(tree / "src" / "main.py")
    seen.add(digest_of(str(tree)))
    seen.add(digest_of(str(tree), "another base"))
    assert len(seen) == 5
    assert all(len(value) == 12 for value in seen)


def test_a_digest_does_not_change_with_where_the_tree_lies_and_what_python_leaves_behind(tree: Path) -> None:
    before = digest_of(str(tree))
    (tree / "src" / "__pycache__").mkdir()
    (tree / "src" / "__pycache__" / "app.pyc").write_text("byte code")
    assert digest_of(str(tree)) == before
    moved = tree.rename(tree.with_name("elsewhere"))
    assert digest_of(str(moved)) == before


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        digest_of(str(tmp_path / "absent"))


def test_a_password_is_kept_as_a_hash_that_stays_the_same_and_opens_to_it_alone() -> None:
    people = {"alice": "open sesame", "bob": "open sesame"}
    kept = admins.admin_hashes(people, "0123456789abcdef")
    assert kept == admins.admin_hashes(people, "0123456789abcdef")
    assert kept["alice"] != kept["bob"]
    assert argon2.PasswordHasher().verify(kept["alice"], "open sesame")
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(kept["alice"], "open barley")


@pytest.mark.parametrize("name", ["a", "alice", "0.b_c-d", "x" * 32])
def test_a_sound_admin_has_no_faults(name: str) -> None:
    assert admins.admin_faults({name: "open sesame"}) == []
    assert admins.admin_change_faults({"admin": "open sesame"}, name, "present") == []


@pytest.mark.parametrize("name", ["", "Alice", ".alice", "-a", "x" * 33, "al ice", "alice\n", "ålice", 5])
def test_a_name_that_cannot_be_used_is_refused_with_the_remedy(name: object) -> None:
    (fault,) = admins.admin_faults({name: "open sesame"})
    assert f"'{name}': take at most 32 of a-z" in fault


@pytest.mark.parametrize("password", ["", "1234567", None, 12345678, ["open sesame"]])
def test_a_password_too_short_is_refused_and_not_shown(password: object) -> None:
    (fault,) = admins.admin_faults({"alice": password})
    assert "gives 'alice' a password of less than 8 characters" in fault
    assert "1234567" not in fault


@pytest.mark.parametrize(
    "password",
    ["baseball", "TrustNo1", "1234567890", "qwertyuiop", "Shopfleet2026!", "admin-alice-1", "alice2024alice"],
)
def test_a_password_that_is_guessed_first_is_refused_and_not_shown(password: str) -> None:
    (fault,) = admins.admin_faults({"alice": password})
    assert "gives 'alice' a password that is guessed first" in fault
    assert password not in fault


def test_the_list_of_common_passwords_holds_3000_that_are_long_enough() -> None:
    assert sum(len(password) >= 8 for password in admins._COMMON) >= 3000


@pytest.mark.parametrize(
    "password", ["all lower case", "UPPERCASE", "☃" * 8, "ab " * 100, "shopfleet is ours", "\"'$(`; --"]
)
def test_any_other_password_will_do_whatever_it_is_made_of(password: str) -> None:
    assert admins.admin_faults({"alice": password}) == []
    kept = admins.admin_hashes({"alice": password}, "0123456789abcdef")["alice"]
    assert argon2.PasswordHasher().verify(kept, password)
    for other in {password[:-1], password.swapcase(), f" {password}"} - {password}:
        with pytest.raises(argon2.exceptions.VerifyMismatchError):
            argon2.PasswordHasher().verify(kept, other)


@pytest.mark.parametrize("nobody", [{}, None, [], "alice"])
def test_a_shop_without_an_admin_is_refused(nobody: object) -> None:
    (fault,) = admins.admin_faults(nobody)
    assert "names nobody" in fault


@pytest.mark.parametrize(
    ("user", "state", "sentence"),
    [
        ("", "present", "./fleet password -e user=NAME"),
        ("bob", "gone", "state is 'gone': write present, or absent"),
        ("Alice", "present", "'Alice' cannot be an admin's name"),
        ("carol", "absent", "there is no admin 'carol'; these there are: admin, bob"),
    ],
)
def test_what_cannot_be_done_to_an_admin_is_said(user: str, state: str, sentence: str) -> None:
    (fault,) = admins.admin_change_faults({"bob": "open sesame", "admin": "open sesame"}, user, state)
    assert sentence in fault


def test_the_last_admin_stays() -> None:
    assert admins.admin_change_faults({"bob": "1", "alice": "2"}, "bob", "absent") == []
    assert "last admin" in admins.admin_change_faults({"bob": "1"}, "bob", "absent")[0]
