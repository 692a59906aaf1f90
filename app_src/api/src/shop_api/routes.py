"""The HTTP routes that both APIs have: reads and operations."""

import hashlib
import json
from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Response, current_app, request
from sqlalchemy import Connection

from shop_api import listing, repository
from shop_api.cached_reads import FOUND, tag_of
from shop_api.catalogue import Answer, Catalogue
from shop_api.observability import metrics_text
from shop_api.problems import parameters, problem_body
from shop_api.validation import (
    ListQuery,
    ShownItem,
    ShownPage,
    ShownProblem,
    Strict,
    is_document,
    normalise,
)

reads = Blueprint("reads", __name__)
operations = Blueprint("operations", __name__)

ITEM = "/items/<name:name>"
NO_SUCH_ITEM = "There is no item of this name."


def the_catalogue() -> Catalogue:
    """Return what the routes work on."""
    catalogue: Catalogue = current_app.extensions["catalogue"]
    return catalogue


def respond(answer: Answer) -> Response:
    """Answer a read, and say where the answer came from."""
    ok = answer.status == HTTPStatus.OK
    response = Response(answer.body, answer.status, mimetype="application/json" if ok else "application/problem+json")
    response.headers["X-Cache"] = answer.cache
    if answer.age is not None:
        response.headers["Age"] = str(answer.age)
    return conditional(response)


def conditional(response: Response) -> Response:
    """Let the client keep the answer if it asks each time, and say 304 if it has it already."""
    response.headers["Cache-Control"] = "no-cache"
    if response.status_code == HTTPStatus.OK:
        tag = tag_of(response.get_data())
        response.set_etag(tag)
        if "If-None-Match" in request.headers and request.if_none_match.contains_weak(tag):
            response.status_code = HTTPStatus.NOT_MODIFIED
            response.set_data(b"")
            del response.headers["Content-Type"], response.headers["Content-Length"]
    return response


@reads.get("/items")
def list_items() -> Response:
    """Answer one page of items."""
    query = ListQuery.model_validate(parameters())
    cursor = listing.Cursor.parse(query.cursor, query) if query.cursor else None

    def load(connection: Connection) -> Answer:
        page = listing.page(connection, query, cursor)
        document = {
            "items": [item.model_dump() for item in page.items],
            "total": page.total,
            "total_exact": page.exact,
            "page": query.page,
            "size": query.size,
            "pages": -(-page.total // query.size),
            "next": page.next,
            "previous": page.previous,
        }
        return Answer(HTTPStatus.OK, json.dumps(document, ensure_ascii=False).encode())

    key = cache_key("list", query.model_dump_json())
    current_app.extensions["cached_reads"].learn(request.environ.get("QUERY_STRING", ""), key)
    return respond(the_catalogue().read(key, load, is_page, request.environ.pop(FOUND, None)))


@reads.get(ITEM)
def get_item(name: str) -> Response:
    """Answer one item."""
    missing = problem_body(HTTPStatus.NOT_FOUND, NO_SUCH_ITEM)

    def load(connection: Connection) -> Answer:
        item = repository.one(connection, normalise(name))
        return Answer(HTTPStatus.OK, repository.to_json(item)) if item else Answer(HTTPStatus.NOT_FOUND, missing)

    # As it came, not normalised: the problem document tells the path as it came.
    return respond(the_catalogue().read(cache_key("item", name), load, well_formed(ShownItem)))


@operations.get("/healthz")
def healthz() -> Response:
    """Tell that this process is alive, whatever it depends on."""
    return Response('{"status": "alive"}', mimetype="application/json")


@operations.get("/readyz")
def readyz() -> Response:
    """Tell whether this process can do its job: without Redis it can, only slower."""
    catalogue = the_catalogue()
    mysql, redis = catalogue.database.ping(), catalogue.cache.ping()
    document = {
        "status": "ready" if mysql else "not ready",
        "dependencies": {name: "ok" if up else "unavailable" for name, up in (("mysql", mysql), ("redis", redis))},
    }
    status = HTTPStatus.OK if mysql else HTTPStatus.SERVICE_UNAVAILABLE
    return Response(json.dumps(document), status, mimetype="application/json")


@operations.get("/metrics")
def metrics() -> Response:
    """Answer the metrics of all workers."""
    return Response(metrics_text(), content_type="text/plain; version=0.0.4; charset=utf-8")


@operations.get("/openapi.json")
def openapi() -> Response:
    """Answer the description of this API."""
    return conditional(Response(current_app.extensions["openapi"], mimetype="application/json"))


def well_formed(model: type[Strict]) -> Callable[[Answer], bool]:
    """Return what tells whether an answer from the cache is such a document, or a problem where it is none."""
    return lambda answer: is_document(model if answer.status == HTTPStatus.OK else ShownProblem, answer.body)


is_page = well_formed(ShownPage)


def cache_key(kind: str, question: str) -> str:
    """Return the name under which the answer to a question is cached."""
    return f"{kind}:{hashlib.sha256(question.encode()).hexdigest()}"
