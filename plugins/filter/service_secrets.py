"""Filters that look over the secrets which services are given."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

_OF_THE_CATALOGUE = "catalogue_"


def secret_variables(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the variables that hold the services' passwords and keys.

    Args:
        services: The catalogue.

    Returns:
        Their names, each once; without what is derived, such as the key of a certificate.
    """
    names = {name for service in services.values() for name in service.get("secrets", {}).values()}
    return sorted(name for name in names if name.startswith(_OF_THE_CATALOGUE))


def secret_faults(secrets: Mapping[str, object]) -> list[str]:
    """Look for secrets that are the same: who learned one would have the other.

    Args:
        secrets: Values by the names of their variables.

    Returns:
        One sentence with the remedy for each pair, without the value; empty when there is none.
    """
    return [
        f"{one} and {other} are the same: give each a value of its own, or leave it out to have one generated"
        for one, other in combinations(sorted(secrets), 2)
        if secrets[one] == secrets[other]
    ]


class FilterModule:
    """Ansible's entry point to the filters."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"secret_variables": secret_variables, "secret_faults": secret_faults}
