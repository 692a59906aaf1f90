"""The application factory."""

import json

from flask import Flask, Response, request
from werkzeug.routing import BaseConverter, IntegerConverter

from shop_api import observability, openapi, problems
from shop_api.cache import Cache, make_client
from shop_api.cached_reads import CachedReads
from shop_api.catalogue import Catalogue
from shop_api.changes import changes
from shop_api.db import Database, make_engine
from shop_api.imports import imports
from shop_api.routes import is_page, list_items, operations, reads
from shop_api.service_key import ServiceKey
from shop_api.settings import Mode, Settings
from shop_api.writes import writes

MAX_BODY_BYTES = 64 * 1024
MAX_IGNORED_BYTES = 1024 * 1024


class NameConverter(BaseConverter):
    """Takes the rest of the path as it is: a name may hold, start and end with slashes."""

    regex = "(?s:.+)"
    part_isolating = False


class IdConverter(IntegerConverter):
    """Takes a number as MySQL counts rows; longer ones name nothing."""

    regex = "[1-9][0-9]{0,17}"


def create_app(mode: Mode, catalogue: Catalogue, service_key: ServiceKey) -> Flask:
    """Make the application.

    Args:
        mode: the admin API has the routes that write, too.
        catalogue: what the routes work on.
        service_key: what tells who may ask.
    """
    app = Flask("shop_api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["catalogue"] = catalogue
    app.url_map.merge_slashes = False
    app.url_map.converters |= {"name": NameConverter, "id": IdConverter}
    observability.init_app(app)
    problems.init_app(app)
    service_key.init_app(app)
    app.after_request(_read_the_rest)
    app.register_blueprint(operations)
    app.register_blueprint(reads)
    if mode is Mode.ADMIN:
        for blueprint in (writes, changes, imports):
            app.register_blueprint(blueprint)
    app.extensions["openapi"] = json.dumps(openapi.document(app, mode)).encode()
    endpoint = f"{reads.name}.{list_items.__name__}"
    short_way = CachedReads(app.wsgi_app, catalogue.cache, endpoint, is_page, service_key)
    app.extensions["cached_reads"] = short_way
    app.wsgi_app = short_way  # type: ignore[method-assign]
    return app


def _read_the_rest(response: Response) -> Response:
    # The server closes a connection that a body was left on, together with the request that comes next on it.
    body = request.environ["wsgi.input"]
    left = MAX_IGNORED_BYTES
    while left > 0 and (part := body.read(MAX_BODY_BYTES)):
        left -= len(part)
    if left <= 0:
        response.headers["Connection"] = "close"
    return response


def make_catalogue(settings: Settings) -> Catalogue:
    """Make the catalogue that the settings describe; it connects at first use."""
    return Catalogue(Database(make_engine(settings, settings.threads)), Cache(make_client(settings)))
