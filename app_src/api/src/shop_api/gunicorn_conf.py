"""gunicorn's configuration. Nothing connects before the fork, so that the workers can share the preloaded code."""

import tempfile

from shop_api.observability import logging_config
from shop_api.settings import Mode, ServerSettings

_settings = ServerSettings.load()

wsgi_app = "shop_api.wsgi:app"
bind = "0.0.0.0:8080"
worker_class = "gthread"
workers = _settings.workers
threads = _settings.threads
preload_app = True
worker_tmp_dir = tempfile.gettempdir()
timeout = 30
graceful_timeout = 8
# Longer than any proxy keeps a connection idle: it is the proxy that closes, never we under a request.
keepalive = 75
control_socket_disable = True
logconfig_dict = {
    **logging_config(),
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True, "qualname": "gunicorn.error"},
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False, "qualname": "gunicorn.access"},
    },
}


def post_fork(_server: object, _worker: object) -> None:
    """Start the threads of a worker."""
    from shop_api import wsgi

    if wsgi.settings.mode is Mode.ADMIN:
        wsgi.catalogue.start_publishing()
