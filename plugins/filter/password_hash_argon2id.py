"""Filter for the password hashes that PHP's password_verify understands."""

from __future__ import annotations

from typing import Any

from argon2.low_level import Type, hash_secret


def argon2id(password: str, salt: str) -> str:
    """Hash a password with argon2id.

    The cost is OWASP's recommendation for argon2id: 19 MiB of memory, two passes, one lane
    (Password Storage Cheat Sheet).

    Args:
        password: The password in clear.
        salt: At least 8 characters, generated once and kept, so that a second run gives the same hash.

    Returns:
        The hash in PHC string format (`$argon2id$v=19$…`).
    """
    digest: bytes = hash_secret(
        password.encode(),
        salt.encode(),
        time_cost=2,
        memory_cost=19 * 1024,
        parallelism=1,
        hash_len=32,
        type=Type.ID,
    )
    return digest.decode()


class FilterModule:
    """Ansible's entry point to the filter."""

    def filters(self) -> dict[str, Any]:
        """Return the filter by name."""
        return {"argon2id": argon2id}
