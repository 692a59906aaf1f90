"""Filters that derive from the service catalogue who has a certificate, and who must know the CA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def certificates(
    placed: Sequence[Mapping[str, Any]], services: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """List the certificates that containers need.

    Args:
        placed: The result of `instances`.
        services: The catalogue.

    Returns:
        For each container of a service with `certificate`: `name` (of its file, see `certificate_name`) and `names`
        (what HAProxy calls the container, and the addresses that its ports are published at, of both IP versions).
    """
    return [
        {
            "name": certificate_name(instance),
            "names": [
                instance["server"],
                # What its own health check dials.
                "127.0.0.1",
                *dict.fromkeys(address for port in instance["ports"].values() for address in _addresses(port)),
            ],
        }
        for instance in placed
        if services[instance["service"]].get("certificate")
    ]


def published_addresses(placed: Sequence[Mapping[str, Any]], service: str, port: str) -> list[str]:
    """List the addresses that a service's port is published at.

    Args:
        placed: The result of `instances`.
        service: Name of the service.
        port: Name of its port.

    Returns:
        The addresses of both IP versions, without repetitions.
    """
    ports = [instance["ports"][port] for instance in placed if instance["service"] == service]
    return list(dict.fromkeys(address for published in ports for address in _addresses(published)))


def _addresses(port: Mapping[str, Any]) -> list[str]:
    return [port[key] for key in ("address", "address6") if key in port]


def certificate_name(instance: Mapping[str, Any]) -> str:
    """Name the certificate of a container: containers of two hosts may share a name.

    Args:
        instance: An entry of `instances`.

    Returns:
        The name.
    """
    return f"{instance['host']}-{instance['name']}"


def trusting(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the services that must know the CA.

    Args:
        services: The catalogue.

    Returns:
        Those that have a certificate of it, and those that dial one that has.
    """
    certified = [service for service in services.values() if service.get("certificate")]
    clients = {client for service in certified for port in service["ports"].values() for client in port["clients"]}
    return [name for name, service in services.items() if service.get("certificate") or name in clients]


class FilterModule:
    """Ansible's entry point to the filters."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "certificates": certificates,
            "published_addresses": published_addresses,
            "certificate_name": certificate_name,
            "trusting": trusting,
        }
