"""Filters for the people who may log in to the admin page: names, passwords and their hashes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from argon2.low_level import Type, hash_secret
from zxcvbn.frequency_lists import FREQUENCY_LISTS

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_NAME_REMEDY = "take at most 32 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit"
# NIST SP 800-63B's least length of a password.
_SHORTEST_PASSWORD = 8
# Those used most often in leaks, and what comes to mind first before this shop.
_COMMON = frozenset(FREQUENCY_LISTS["passwords"])
_CONTEXT = ("shopfleet", "shop", "fleet", "admin", "administrator", "password", "haproxy", "mysql", "redis")


def admin_hashes(admins: Mapping[str, str], salt: str) -> dict[str, str]:
    """Hash the admins' passwords as PHP's password_verify understands them.

    The cost is OWASP's recommendation for argon2id: 19 MiB of memory, two passes, one lane
    (Password Storage Cheat Sheet).

    Args:
        admins: Passwords in clear, by name.
        salt: At least 8 characters, generated once and kept, so that a second run gives the same hashes. Each admin's
            salt is derived from it, so that equal passwords have hashes of their own.

    Returns:
        The hashes in PHC string format (`$argon2id$v=19$…`), by name.
    """
    return {
        name: _argon2id(admins[name], hashlib.sha256(f"{salt}:{name}".encode()).digest()[:16])
        for name in sorted(admins)
    }


def _argon2id(password: str, salt: bytes) -> str:
    digest: bytes = hash_secret(
        password.encode(), salt, time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, type=Type.ID
    )
    return digest.decode()


def admin_faults(admins: object) -> list[str]:
    """Look for admins who could not log in.

    Args:
        admins: Meant to be passwords by name.

    Returns:
        One sentence with the remedy for each fault, without any password; empty when there is none.
    """
    if not isinstance(admins, Mapping) or not admins:
        return ["catalogue_admins names nobody: give at least one admin, as name: password"]
    faults = [
        f"catalogue_admins names '{name}': {_NAME_REMEDY}"
        for name in admins
        if not isinstance(name, str) or not _NAME.fullmatch(name)
    ]
    faults += [
        f"catalogue_admins gives '{name}' a password of less than {_SHORTEST_PASSWORD} characters, or none in quotes: "
        "give a longer one"
        for name, password in admins.items()
        if not isinstance(password, str) or len(password) < _SHORTEST_PASSWORD
    ]
    faults += [
        f"catalogue_admins gives '{name}' a password that is guessed first: give one that is neither in lists of "
        "common passwords nor made of the names of the shop and of the admin"
        for name, password in admins.items()
        if isinstance(password, str) and len(password) >= _SHORTEST_PASSWORD and _is_guessed_first(password, str(name))
    ]
    return faults


def _is_guessed_first(password: str, name: str) -> bool:
    text = password.lower()
    words = sorted(filter(None, (*_CONTEXT, name.lower())), key=len, reverse=True)
    rest = re.sub("|".join(map(re.escape, words)), "", text)
    return text in _COMMON or (rest != text and not re.search(r"[^\W\d_]", rest))


def admin_change_faults(admins: Mapping[str, str], user: str, state: str) -> list[str]:
    """Look for what stands against a change of one admin.

    Args:
        admins: The admins there are.
        user: Name of the one to change.
        state: `present` to add an admin or change the password, `absent` to remove the admin.

    Returns:
        One sentence with the remedy for each fault; empty when there is none.
    """
    if not user:
        return ["name the admin: ./fleet password -e user=NAME"]
    if state not in ("present", "absent"):
        return [f"state is '{state}': write present, or absent to remove '{user}'"]
    if state == "absent":
        if user not in admins:
            return [f"there is no admin '{user}'; these there are: {', '.join(sorted(admins))}"]
        if len(admins) == 1:
            return [f"'{user}' is the last admin: add another one first"]
        return []
    return [] if _NAME.fullmatch(user) else [f"'{user}' cannot be an admin's name: {_NAME_REMEDY}"]


class FilterModule:
    """Ansible's entry point to the filters."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "admin_hashes": admin_hashes,
            "admin_faults": admin_faults,
            "admin_change_faults": admin_change_faults,
        }
