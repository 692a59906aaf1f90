"""Errors as application/problem+json (RFC 9457)."""

import json
import logging
from http import HTTPStatus

from flask import Flask, Response, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from shop_api.db import DatabaseUnavailableError
from shop_api.validation import FieldError, field_errors

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5


class ProblemError(Exception):
    """Ends a request with a problem document."""

    def __init__(self, status: HTTPStatus, detail: str, errors: list[FieldError] | None = None) -> None:
        """Say what went wrong.

        Args:
            status: the HTTP status.
            detail: what went wrong, for people.
            errors: what is wrong with which field; for 422 only.
        """
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors


def invalid(field: str, message: str) -> ProblemError:
    """Return the problem of one field that is not valid."""
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, message, [{"field": field, "message": message}])


def parameters() -> dict[str, str]:
    """Return the parameters of the current request.

    Raises:
        ProblemError: one is there twice, and could be read in two ways.
    """
    for name, values in request.args.lists():
        if len(values) > 1:
            raise invalid(name, "A parameter must be given once.")
    return request.args.to_dict()


def problem_body(status: HTTPStatus, detail: str, errors: list[FieldError] | None = None) -> bytes:
    """Render the problem document for the current request."""
    document: dict[str, object] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": request.path,
    }
    if errors is not None:
        document["errors"] = errors
    return json.dumps(document).encode()


def _response(status: HTTPStatus, detail: str, errors: list[FieldError] | None = None) -> Response:
    return Response(problem_body(status, detail, errors), status.value, mimetype="application/problem+json")


def init_app(app: Flask) -> None:
    """Answer every error with a problem document."""
    app.register_error_handler(ProblemError, _on_problem)
    app.register_error_handler(ValidationError, _on_invalid)
    app.register_error_handler(DatabaseUnavailableError, _on_unavailable)
    app.register_error_handler(HTTPException, _on_http)
    app.register_error_handler(Exception, _on_unknown)


def _on_problem(error: ProblemError) -> Response:
    return _response(error.status, error.detail, error.errors)


def _on_invalid(error: ValidationError) -> Response:
    errors = field_errors(error)
    return _response(HTTPStatus.UNPROCESSABLE_ENTITY, errors[0]["message"], errors)


def _on_unavailable(_: DatabaseUnavailableError) -> Response:
    response = _response(HTTPStatus.SERVICE_UNAVAILABLE, "The database cannot be reached now. Please try again soon.")
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _on_http(error: HTTPException) -> Response:
    status = HTTPStatus(error.code or 500)
    response = _response(status, error.description or status.phrase)
    allow = getattr(error, "valid_methods", None)
    if allow:
        response.headers["Allow"] = ", ".join(sorted(allow))
    return response


def _on_unknown(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return _response(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side.")
