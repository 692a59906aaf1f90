"""The HTTP routes that change an item; in the admin API only."""

import json
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from shop_api import item_writes, repository
from shop_api.item_writes import Written
from shop_api.once import Outcome, Work, answer_once
from shop_api.problems import ProblemError, invalid
from shop_api.routes import ITEM, the_catalogue
from shop_api.validation import PatchItem, PutItem, normalise

writes = Blueprint("writes", __name__)


@writes.put(ITEM)
def put_item(name: str) -> Response:
    """Insert an item, or update the one of this name."""
    body = json_object()
    if "name" in body:
        raise invalid("name", "The name is given in the path only.")
    item = PutItem.model_validate({**body, "name": name})

    def work(connection: Connection, actor: str) -> Outcome:
        return item_outcome(item_writes.put(connection, actor, item))

    return write(work)


@writes.patch(ITEM)
def patch_item(name: str) -> Response:
    """Change some fields of an item."""
    values = PatchItem.model_validate(json_object()).model_dump(exclude_unset=True)
    if not values:
        raise invalid("body", "Give at least one of name, quantity and price.")

    def work(connection: Connection, actor: str) -> Outcome:
        return item_outcome(item_writes.patch(connection, actor, normalise(name), values))

    return write(work)


@writes.delete(ITEM)
def delete_item(name: str) -> Response:
    """Delete an item; the log of changes keeps what it was."""

    def work(connection: Connection, actor: str) -> Outcome:
        deleted = item_writes.delete(connection, actor, normalise(name))
        return Outcome(HTTPStatus.NO_CONTENT, "", deleted.change_id)

    return write(work)


def write(work: Work) -> Response:
    """Do a write of items and answer when no reader can see what was before."""
    return answer_once(the_catalogue().write, work)


def item_outcome(written: Written) -> Outcome:
    """Answer with the item that was written."""
    status = HTTPStatus.CREATED if written.created else HTTPStatus.OK
    return Outcome(status, repository.to_json(written.item).decode(), written.change_id)


def json_object() -> dict[str, Any]:
    """Return the body of the request, which must be a JSON object.

    Raises:
        ProblemError: it is none.
    """
    if not request.is_json:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The request must be JSON.")
    try:
        document = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "The request is not valid JSON.") from None
    if not isinstance(document, dict):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "The request must be a JSON object.")
    return document
