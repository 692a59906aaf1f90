"""The small plugins: what an image is tagged by, and how a password is kept."""

from __future__ import annotations

from pathlib import Path

import argon2
import pytest
from plugin import load

digest = load("lookup/tree_digest.py")
hashing = load("filter/password_hash_argon2id.py")


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
    kept = hashing.argon2id("open sesame", "0123456789abcdef")
    assert kept == hashing.argon2id("open sesame", "0123456789abcdef")
    assert argon2.PasswordHasher().verify(kept, "open sesame")
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(kept, "open barley")
