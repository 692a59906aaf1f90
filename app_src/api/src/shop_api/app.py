"""The application factory."""

from flask import Flask
from werkzeug.routing import BaseConverter

from shop_api import observability, problems
from shop_api.cache import Cache, make_client
from shop_api.catalogue import Catalogue
from shop_api.db import Database, make_engine
from shop_api.routes import operations, reads, writes
from shop_api.settings import Mode, Settings

MAX_BODY_BYTES = 64 * 1024


class NameConverter(BaseConverter):
    """Takes the rest of the path as it is: a name may hold, start and end with slashes."""

    regex = "(?s:.+)"
    part_isolating = False


def create_app(mode: Mode, catalogue: Catalogue) -> Flask:
    """Make the application.

    Args:
        mode: the admin API has the routes that write, too.
        catalogue: what the routes work on.
    """
    app = Flask("shop_api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["catalogue"] = catalogue
    app.url_map.merge_slashes = False
    app.url_map.converters["name"] = NameConverter
    observability.init_app(app)
    problems.init_app(app)
    app.register_blueprint(operations)
    app.register_blueprint(reads)
    if mode is Mode.ADMIN:
        app.register_blueprint(writes)
    return app


def make_catalogue(settings: Settings) -> Catalogue:
    """Make the catalogue that the settings describe; it connects at first use."""
    return Catalogue(Database(make_engine(settings, settings.threads)), Cache(make_client(settings)))
