"""The WSGI server. Nothing connects before it forks, so that the workers can share the loaded code."""

from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from shop_api import wsgi
from shop_api.cli import PORT
from shop_api.observability import logging_config
from shop_api.settings import Mode

# Longer than any proxy keeps a connection idle: it is the proxy that closes, never we under a request.
KEEP_ALIVE_SECONDS = 75
# What is under way when the server has to end gets so long; below what Docker waits before it kills.
GRACE_SECONDS = 8


def serve() -> None:
    """Serve on all addresses until a signal ends it."""
    certificate = wsgi.settings.certificate
    Granian(
        "shop_api.wsgi:app",
        address="0.0.0.0",  # noqa: S104  in a container of its own
        port=PORT,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=KEEP_ALIVE_SECONDS * 1000),
        ssl_cert=certificate,
        ssl_key=certificate and certificate.with_name(f"{certificate.name}.key"),
        workers=wsgi.settings.workers,
        blocking_threads=wsgi.settings.threads,
        workers_kill_timeout=GRACE_SECONDS,
        respawn_failed_workers=True,
        log_dictconfig=logging_config(),
    ).serve(target_loader=_start_worker)


def _start_worker(_: str) -> Flask:
    # Called after the fork, which threads do not survive.
    if wsgi.settings.mode is Mode.ADMIN:
        wsgi.catalogue.start_publishing()
    return wsgi.app


if __name__ == "__main__":
    serve()
