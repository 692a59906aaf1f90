"""The HTTP routes: reads in both modes, writes in the admin API only."""

import hashlib
import json
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, current_app, request
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from shop_api import repository
from shop_api.catalogue import Answer, Catalogue
from shop_api.db import CHECK_VIOLATED, DUPLICATE, error_code
from shop_api.observability import metrics_text
from shop_api.problems import ProblemError, problem_body
from shop_api.repository import StoredAnswer
from shop_api.validation import QUANTITY_MAX, IdempotencyKey, Item, ListQuery, PatchItem, PutItem, normalise

reads = Blueprint("reads", __name__)
writes = Blueprint("writes", __name__)
operations = Blueprint("operations", __name__)

ITEM = "/items/<name:name>"
NO_SUCH_ITEM = "There is no item of this name."


def _catalogue() -> Catalogue:
    catalogue: Catalogue = current_app.extensions["catalogue"]
    return catalogue


def _respond(answer: Answer) -> Response:
    ok = answer.status == HTTPStatus.OK
    response = Response(answer.body, answer.status, mimetype="application/json" if ok else "application/problem+json")
    response.headers["X-Cache"] = answer.cache
    if answer.age is not None:
        response.headers["Age"] = str(answer.age)
    return response


@reads.get("/items")
def list_items() -> Response:
    """Answer one page of items."""
    known = {key: value for key, value in request.args.items() if key in ListQuery.model_fields}
    query = ListQuery.model_validate(known)

    def load(connection: Connection) -> Answer:
        found, total = repository.page(connection, query)
        document = {
            "items": [item.model_dump() for item in found],
            "total": total,
            "page": query.page,
            "size": query.size,
            "pages": -(-total // query.size),
        }
        return Answer(HTTPStatus.OK, json.dumps(document, ensure_ascii=False).encode())

    return _respond(_catalogue().read(_key("list", query.model_dump_json()), load))


@reads.get(ITEM)
def get_item(name: str) -> Response:
    """Answer one item."""
    missing = problem_body(HTTPStatus.NOT_FOUND, NO_SUCH_ITEM)

    def load(connection: Connection) -> Answer:
        item = repository.one(connection, normalise(name))
        return Answer(HTTPStatus.OK, repository.to_json(item)) if item else Answer(HTTPStatus.NOT_FOUND, missing)

    # As it came, not normalised: the problem document tells the path as it came.
    return _respond(_catalogue().read(_key("item", name), load))


@writes.put(ITEM)
def put_item(name: str) -> Response:
    """Insert an item, or update the one of this name."""
    body = _json_object()
    if "name" in body:
        raise _invalid("name", "The name is given in the path only.")
    item = PutItem.model_validate({**body, "name": name})
    key = request.headers.get("Idempotency-Key")
    if key is not None:
        key = IdempotencyKey(idempotency_key=key).idempotency_key
    fingerprint = hashlib.sha256(item.model_dump_json().encode()).hexdigest()

    def work(connection: Connection) -> StoredAnswer:
        if key and (stored := repository.stored_answer(connection, key)):
            # Published like a write: the one who stored it may have died before its publication.
            return stored
        created = repository.put(connection, item)
        if created is None:
            raise _invalid("price", "A new item needs a price.")
        stored_item = _stored(connection, item.name)
        status = HTTPStatus.CREATED if created else HTTPStatus.OK
        answer = StoredAnswer(fingerprint, status, repository.to_json(stored_item).decode())
        if key:
            repository.store_answer(connection, key, answer)
        return answer

    try:
        answer = _catalogue().write(work)
    except OperationalError as error:
        if error_code(error) != CHECK_VIOLATED:
            raise
        raise _invalid("quantity", f"Quantity would be more than {QUANTITY_MAX:,} then.") from None
    if answer.fingerprint != fingerprint:
        raise _invalid("idempotency_key", "This Idempotency-Key was used for another request.")
    return Response(answer.body, answer.status, mimetype="application/json")


@writes.patch(ITEM)
def patch_item(name: str) -> Response:
    """Change some fields of an item."""
    changes = PatchItem.model_validate(_json_object()).model_dump(exclude_unset=True)
    if not changes:
        raise _invalid("body", "Give at least one of name, quantity and price.")

    def work(connection: Connection) -> Item:
        if not repository.patch(connection, normalise(name), changes):
            raise ProblemError(HTTPStatus.NOT_FOUND, NO_SUCH_ITEM)
        return _stored(connection, changes.get("name", normalise(name)))

    try:
        item = _catalogue().write(work)
    except IntegrityError as error:
        if error_code(error) != DUPLICATE:
            raise
        raise _invalid("name", "Another item has this name already.") from None
    return Response(repository.to_json(item), mimetype="application/json")


@writes.delete(ITEM)
def delete_item(name: str) -> Response:
    """Delete an item."""

    def work(connection: Connection) -> None:
        if not repository.delete(connection, normalise(name)):
            raise ProblemError(HTTPStatus.NOT_FOUND, NO_SUCH_ITEM)

    _catalogue().write(work)
    return Response(status=HTTPStatus.NO_CONTENT)


@operations.get("/healthz")
def healthz() -> Response:
    """Tell that this process is alive, whatever it depends on."""
    return Response('{"status": "alive"}', mimetype="application/json")


@operations.get("/readyz")
def readyz() -> Response:
    """Tell whether this process can do its job: without Redis it can, only slower."""
    catalogue = _catalogue()
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


def _key(kind: str, question: str) -> str:
    return f"{kind}:{hashlib.sha256(question.encode()).hexdigest()}"


def _stored(connection: Connection, name: str) -> Item:
    item = repository.one(connection, name)
    if item is None:
        raise RuntimeError("the row that was just written is not valid")
    return item


def _invalid(field: str, message: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, message, [{"field": field, "message": message}])


def _json_object() -> dict[str, Any]:
    if not request.is_json:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The request must be JSON.")
    try:
        document = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "The request is not valid JSON.") from None
    if not isinstance(document, dict):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "The request must be a JSON object.")
    return document
