"""The credential that comes with each request: an address inside the subnet is not enough to be answered."""

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from pydantic import SecretStr

from shop_api.problems import ProblemError

HEADER = "X-Service-Key"
# A probe of the container itself, which tells nothing.
OPEN_PATH = "/healthz"

_CHALLENGE = "ServiceKey"


class ServiceKey:
    """Tells whether a request comes from the load balancer."""

    def __init__(self, key: SecretStr) -> None:
        """Take the key.

        Args:
            key: what the load balancer sends.
        """
        self._key = key.get_secret_value().encode()

    def is_in(self, environ: Mapping[str, Any]) -> bool:
        """Tell whether a request carries the key.

        Args:
            environ: of the request, as WSGI has it.

        Returns:
            Whether it does; how long that takes tells nothing about the key.
        """
        given: str = environ.get("HTTP_X_SERVICE_KEY", "")
        return hmac.compare_digest(given.encode("latin-1", "replace"), self._key)

    def init_app(self, app: Flask) -> None:
        """Answer 401 to every request without it, whatever it asks for.

        Args:
            app: writes its log lines by then.
        """
        app.before_request(self._require)
        app.after_request(_challenge)

    def _require(self) -> None:
        if request.path != OPEN_PATH and not self.is_in(request.environ):
            raise ProblemError(HTTPStatus.UNAUTHORIZED, f"Send the load balancer's key in the header {HEADER}.")


def _challenge(response: Response) -> Response:
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = _CHALLENGE
    return response
