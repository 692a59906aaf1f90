"""Writes that take effect once, however often their request comes."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Response, request
from sqlalchemy import Connection, insert, select

from shop_api.documents import WriteHeaders
from shop_api.problems import invalid
from shop_api.tables import idempotency_keys


class Outcome(NamedTuple):
    """What a write is answered with.

    Attributes:
        status: of the answer.
        body: of the answer; JSON, or nothing.
        change_id: the last line that the write added to the log, if any.
    """

    status: int
    body: str
    change_id: int | None = None


Work = Callable[[Connection, str], Outcome]
"""Does a write in a transaction, on behalf of somebody."""


def answer_once(transact: Callable[[Callable[[Connection], Outcome]], Outcome], work: Work) -> Response:
    """Do a write and answer; answer the same again when the request comes again with its Idempotency-Key.

    Args:
        transact: runs a function in a transaction in which no other writer runs.
        work: the write.

    Raises:
        ProblemError: the key was used for another request.
        ValidationError: a header is not valid.
    """
    given = {"idempotency_key": request.headers.get("Idempotency-Key"), "x_actor": request.headers.get("X-Actor")}
    headers = WriteHeaders.model_validate({name: value for name, value in given.items() if value is not None})
    key, fingerprint = headers.idempotency_key, _fingerprint()

    def once(connection: Connection) -> Outcome:
        # A repeated request is published like the first: who did that may have died before its publication.
        if key and (stored := _stored(connection, key, fingerprint)):
            return stored
        outcome = work(connection, headers.x_actor)
        if key:
            values: dict[str, Any] = {"idempotency_key": key, "fingerprint": fingerprint, **outcome._asdict()}
            connection.execute(insert(idempotency_keys).values(values))
        return outcome

    return _response(transact(once))


def _stored(connection: Connection, key: str, fingerprint: str) -> Outcome | None:
    row = connection.execute(select(idempotency_keys).where(idempotency_keys.c.idempotency_key == key)).one_or_none()
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise invalid("idempotency_key", "This Idempotency-Key was used for another request.")
    return Outcome(row.status, row.body, row.change_id)


def _fingerprint() -> str:
    head = json.dumps([request.method, request.full_path, request.content_type])
    return hashlib.sha256(head.encode() + b"\n" + request.get_data()).hexdigest()


def _response(outcome: Outcome) -> Response:
    response = Response(outcome.body, outcome.status, mimetype="application/json")
    if outcome.change_id is not None:
        response.headers["X-Change-Id"] = str(outcome.change_id)
    return response
