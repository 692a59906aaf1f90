"""The description of the API in OpenAPI 3.1, made from the routes and from the models that judge what comes and goes.

What neither of them tells, which model a route takes and which statuses it answers, is said here, once for each route;
`document` refuses a route of which nothing is said.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

from flask import Flask
from pydantic import Field
from pydantic.json_schema import models_json_schema

from shop_api import service_key
from shop_api.documents import (
    ApplyImport,
    ChangesPage,
    ChangesQuery,
    ImportOutcome,
    Plan,
    WriteHeaders,
)
from shop_api.settings import Mode
from shop_api.validation import ListQuery, PatchItem, PutItem, ShownItem, ShownPage, Strict

PROBLEM, JSON, CSV, TEXT = "application/problem+json", "application/json", "text/csv", "text/plain"
TITLES = {Mode.READ: "Shopfleet API", Mode.ADMIN: "Shopfleet admin API"}
_COMPONENT = "#/components/schemas/{model}"
_METHODS_OF_FLASK = frozenset({"HEAD", "OPTIONS"})

Schema = dict[str, Any]


class FieldFault(Strict):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(Strict):
    """A problem document (RFC 9457); `errors` comes with 422 only."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldFault] = Field(default_factory=list)


class Dependencies(Strict):
    """What this process depends on."""

    mysql: Literal["ok", "unavailable"]
    redis: Literal["ok", "unavailable"]


class Readiness(Strict):
    """The answer to GET /readyz."""

    status: Literal["ready", "not ready"]
    dependencies: Dependencies


class Liveness(Strict):
    """The answer to GET /healthz."""

    status: Literal["alive"]


class Operation(NamedTuple):
    """What is said of a route.

    Attributes:
        answers: what it answers on success: a model of JSON, another media type, or nothing.
        problems: the statuses it answers otherwise.
        query: the model of its parameters.
        body: what it takes: a model of JSON, or another media type.
        kind: whether it reads or writes the catalogue, or neither.
    """

    answers: dict[int, type[Strict] | str | None]
    problems: tuple[int, ...] = ()
    query: type[Strict] | None = None
    body: type[Strict] | str | None = None
    kind: Literal["read", "write", "operation"] = "operation"


_WRITE = (422, 503)
_JSON_WRITE = (400, 413, 415, *_WRITE)

OPERATIONS = {
    "operations.healthz": Operation({200: Liveness}),
    "operations.readyz": Operation({200: Readiness, 503: Readiness}),
    "operations.metrics": Operation({200: TEXT}),
    "operations.openapi": Operation({200: JSON}),
    "reads.list_items": Operation({200: ShownPage}, (422, 503), query=ListQuery, kind="read"),
    "reads.get_item": Operation({200: ShownItem}, (404, 503), kind="read"),
    "writes.put_item": Operation({200: ShownItem, 201: ShownItem}, (409, *_JSON_WRITE), body=PutItem, kind="write"),
    "writes.patch_item": Operation({200: ShownItem}, (404, 409, *_JSON_WRITE), body=PatchItem, kind="write"),
    "writes.delete_item": Operation({204: None}, (404, 409, *_WRITE), kind="write"),
    "changes.list_changes": Operation({200: ChangesPage}, (422, 503), query=ChangesQuery, kind="read"),
    "changes.undo_change": Operation({200: ShownItem}, (404, 409, *_WRITE), kind="write"),
    "imports.create_import": Operation({201: Plan}, (413, 415, *_WRITE), body=CSV, kind="write"),
    "imports.get_import": Operation({200: Plan}, (404, 503), kind="read"),
    "imports.apply_import": Operation({200: ImportOutcome}, (404, 409, *_JSON_WRITE), body=ApplyImport, kind="write"),
    "imports.export": Operation({200: CSV}, (503,), kind="read"),
}

_TAKEN: tuple[type[Strict], ...] = (ListQuery, ChangesQuery, WriteHeaders, PutItem, PatchItem, ApplyImport, Problem)
_ANSWERED: tuple[type[Strict], ...] = (
    *(ShownItem, ShownPage, ChangesPage, Plan, ImportOutcome),
    *(Readiness, Liveness),
)


def _header(description: str, schema: Schema, *, required: bool = True) -> Schema:
    return {"description": description, "required": required, "schema": schema}


_REQUEST_ID = {"X-Request-ID": _header("Names the request in every log.", {"type": "string"})}
_READ = {
    "ETag": _header("Names these very bytes.", {"type": "string", "pattern": '^"[0-9a-f]{32}"$'}),
    "Cache-Control": _header("To be asked for each time.", {"const": "no-cache"}),
}
_CACHED = {
    "X-Cache": _header("Where the answer came from.", {"enum": ["hit", "miss", "stale", "bypass"]}),
    "Age": _header("Seconds; on a stale answer.", {"type": "string", "pattern": "^[0-9]+$"}, required=False),
}
_CHANGE_ID = {
    "X-Change-Id": _header("The line of the log, if anything was changed.", {"type": "string"}, required=False)
}
_SECURITY = "serviceKey"
_CHALLENGE = {"WWW-Authenticate": _header("That a key is wanted.", {"type": "string"})}
_RETRY = {"Retry-After": _header("Seconds.", {"type": "string", "pattern": "^[0-9]+$"})}


def document(app: Flask, mode: Mode) -> Schema:
    """Describe the routes of an application.

    Args:
        app: has all of its routes.
        mode: what the application is for.

    Raises:
        KeyError: nothing is said about a route.
    """
    models: list[tuple[type[Strict], Literal["validation", "serialization"]]] = [
        *((model, "validation") for model in _TAKEN),
        *((model, "serialization") for model in _ANSWERED),
    ]
    _, schemas = models_json_schema(models, ref_template=_COMPONENT)
    components = schemas["$defs"]
    paths: dict[str, Schema] = {}
    for rule in app.url_map.iter_rules():
        view, said = app.view_functions[rule.endpoint], OPERATIONS[rule.endpoint]
        for method in sorted((rule.methods or set()) - _METHODS_OF_FLASK):
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            parameters = [_path_parameter(argument) for argument in sorted(rule.arguments)]
            described = _operation(rule.endpoint, view, said, parameters, components)
            if path == service_key.OPEN_PATH:
                described["security"] = []
            else:
                described["responses"]["401"] = _problem(HTTPStatus.UNAUTHORIZED, _CHALLENGE)
            paths.setdefault(path, {})[method.lower()] = described
    used = _closure(paths, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLES[mode], "version": "1"},
        "paths": paths,
        "components": {
            "schemas": {name: components[name] for name in sorted(used)},
            "securitySchemes": {_SECURITY: {"type": "apiKey", "in": "header", "name": service_key.HEADER}},
        },
        "security": [{_SECURITY: []}],
    }


def _operation(
    endpoint: str, view: Callable[..., object], said: Operation, parameters: list[Schema], components: Schema
) -> Schema:
    described: Schema = {
        "operationId": endpoint.partition(".")[2],
        "tags": [endpoint.partition(".")[0]],
        "summary": (view.__doc__ or "").strip().splitlines()[0],
        "parameters": parameters + _parameters(said, components),
        "responses": _responses(endpoint, said),
    }
    if said.body is CSV:
        described["requestBody"] = {"required": True, "content": {CSV: {"schema": {"type": "string"}}}}
    elif said.body is not None and not isinstance(said.body, str):
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": _body(said.body, components)}}}
    return described


def _body(model: type[Strict], components: Schema) -> Schema:
    if model is PutItem:
        # Its name is in the path.
        components[model.__name__]["properties"].pop("name", None)
        components[model.__name__]["required"] = ["quantity"]
    if model is PatchItem:
        components[model.__name__]["minProperties"] = 1
        for field in components[model.__name__]["properties"].values():
            field.pop("default", None)
    return _ref(model)


def _path_parameter(name: str) -> Schema:
    schema = {"type": "string", "minLength": 1} if name == "name" else {"type": "integer", "minimum": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _parameters(said: Operation, components: Schema) -> list[Schema]:
    parameters = []
    if said.query:
        fields = components[said.query.__name__]["properties"].items()
        parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in fields]
    if said.kind == "write":
        fields = components[WriteHeaders.__name__]["properties"].items()
        headers = {"idempotency_key": "Idempotency-Key", "x_actor": "X-Actor"}
        parameters += [{"name": headers[name], "in": "header", "schema": _plain(schema)} for name, schema in fields]
    if said.kind == "read":
        parameters.append({"name": "If-None-Match", "in": "header", "schema": {"type": "string"}})
    return parameters


def _plain(schema: Schema) -> Schema:
    # What may be absent is null in the model only.
    return next((kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}), schema)


def _responses(endpoint: str, said: Operation) -> Schema:
    cached = _CACHED if said.kind == "read" else {}
    read = {**_READ, **cached} if said.kind == "read" or endpoint == "operations.openapi" else {}
    written = _CHANGE_ID if said.kind == "write" else {}
    responses: Schema = {
        str(status): _response(status, {**_REQUEST_ID, **read, **written}, _content(answer))
        for status, answer in said.answers.items()
    }
    if read:
        responses["304"] = _response(304, {**_REQUEST_ID, **read}, {})
    if said.query:
        # The server says so before the application sees anything of the request.
        responses["414"] = {"description": "The query is too long for a request line."}
    for status in said.problems:
        more = _RETRY if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        responses[str(status)] = _problem(status, more)
    return responses


def _problem(status: int, headers: Schema) -> Schema:
    return _response(status, {**_REQUEST_ID, **headers}, {PROBLEM: {"schema": _ref(Problem)}})


def _response(status: int, headers: Schema, content: Schema) -> Schema:
    return {
        "description": HTTPStatus(status).phrase,
        "headers": headers,
        **({"content": content} if content else {}),
    }


def _content(answer: type[Strict] | str | None) -> Schema:
    if answer is None:
        return {}
    if isinstance(answer, str):
        return {answer: {"schema": {"type": "object" if answer == JSON else "string"}}}
    return {JSON: {"schema": _ref(answer)}}


def _ref(model: type[Strict]) -> Schema:
    return {"$ref": _COMPONENT.format(model=model.__name__)}


def _closure(paths: Schema, components: Schema) -> set[str]:
    used: set[str] = set()
    waiting = [str(paths)]
    while waiting:
        for name in set(re.findall(r"#/components/schemas/(\w+)", waiting.pop())) - used:
            used.add(name)
            waiting.append(str(components[name]))
    return used
