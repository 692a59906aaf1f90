"""An application that knows a service key, and a client that sends it."""

from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from shop_api.service_key import ServiceKey

KEY = "a key of the unit tests"
SERVICE_KEY = ServiceKey(SecretStr(KEY))


def keyed(app: Flask) -> FlaskClient:
    """Return a client of an application that sends the key with each request."""
    client = app.test_client()
    client.environ_base["HTTP_X_SERVICE_KEY"] = KEY
    return client
