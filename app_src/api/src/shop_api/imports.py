"""The HTTP routes that import and export the catalogue as a file; in the admin API only."""

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from flask import Blueprint, Flask, Response, current_app, request
from pydantic import ValidationError
from sqlalchemy import Connection

from shop_api import csv_file, import_store, plans, repository
from shop_api.catalogue import Answer
from shop_api.csv_file import CsvError, CsvFile
from shop_api.documents import ApplyImport, ImportOutcome, Plan
from shop_api.import_store import Import
from shop_api.once import Outcome, answer_once
from shop_api.problems import ProblemError, invalid
from shop_api.routes import cache_key, conditional, respond, the_catalogue
from shop_api.settings import ImportSettings
from shop_api.writes import json_object, write

IMPORT = "/imports/<id:import_id>"

imports = Blueprint("imports", __name__)

T = TypeVar("T")


def limit_imports(app: Flask, settings: ImportSettings) -> None:
    """Tell the routes how large a file may be.

    Args:
        app: the admin API.
        settings: say it.
    """
    app.extensions["imports"] = settings


def _limits() -> ImportSettings:
    limits: ImportSettings = current_app.extensions["imports"]
    return limits


@imports.post("/imports")
def create_import() -> Response:
    """Keep a file and answer what it would change; nothing is changed yet."""
    request.max_content_length = _limits().import_max_kib * 1024
    if request.mimetype != "text/csv" or request.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The request must be text/csv in UTF-8.")
    content = request.get_data()
    file = _parsed(content)

    def work(connection: Connection, actor: str) -> Outcome:
        plan = plans.plan(connection, import_store.keep(connection, actor, content), file)
        return Outcome(HTTPStatus.CREATED, plan.model_dump_json())

    return answer_once(_transact_in_line, work)


@imports.get(IMPORT)
def get_import(import_id: int) -> Response:
    """Answer what an import would change now, or how much it did."""

    def load(connection: Connection) -> Answer:
        # The problem ends the read: that there is no import is not cached, for its creation raises no version.
        kept = _existing(connection, import_id)
        plan = plans.applied(kept) or plans.plan(connection, import_id, _parsed(kept.csv))
        return Answer(HTTPStatus.OK, plan.model_dump_json().encode())

    return respond(the_catalogue().read(cache_key("import", str(import_id)), load, _is_plan))


@imports.post(f"{IMPORT}/apply")
def apply_import(import_id: int) -> Response:
    """Do what the plan says: all of it, or nothing when it is no longer the plan that was looked at."""
    digest = ApplyImport.model_validate(json_object()).digest
    with the_catalogue().database.snapshot() as connection:
        # Read before the writers' line is entered, which is to be held as short as possible.
        file = _parsed(_existing(connection, import_id).csv)

    def work(connection: Connection, actor: str) -> Outcome:
        if outcome := _existing(connection, import_id).outcome:
            return Outcome(HTTPStatus.OK, outcome.model_dump_json())
        plan = plans.plan(connection, import_id, file)
        if plan.faults:
            raise ProblemError(HTTPStatus.CONFLICT, "The file has faults: nothing was changed.")
        if plan.digest != digest:
            raise ProblemError(HTTPStatus.CONFLICT, "The catalogue was changed meanwhile: look at the plan again.")
        change_id = import_store.apply(connection, actor, plan)
        counts = ImportOutcome(id=import_id, created=plan.created, updated=plan.updated, unchanged=plan.unchanged)
        return Outcome(HTTPStatus.OK, counts.model_dump_json(), change_id)

    return write(work)


@imports.get("/export.csv")
def export() -> Response:
    """Answer all items as a file that can be imported; too large for the cache."""
    with the_catalogue().database.snapshot() as connection:
        content = csv_file.render(repository.everything(connection))
    headers = {"Content-Disposition": 'attachment; filename="items.csv"', "X-Cache": "bypass"}
    return conditional(Response(content, headers=headers, content_type="text/csv; charset=utf-8; header=present"))


def _is_plan(answer: Answer) -> bool:
    # Looked through each time, not remembered like shorter documents: a plan may have a megabyte.
    try:
        Plan.model_validate_json(answer.body)
    except ValidationError:
        return False
    return answer.status == HTTPStatus.OK


def _parsed(content: bytes) -> CsvFile:
    try:
        return csv_file.parse(content, _limits().import_max_rows)
    except CsvError as error:
        raise invalid("file", str(error)) from None


def _existing(connection: Connection, import_id: int) -> Import:
    kept = import_store.kept(connection, import_id)
    if kept is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "There is no import of this number.")
    return kept


def _transact_in_line(work: Callable[[Connection], T]) -> T:
    def in_line(connection: Connection) -> T:
        repository.hold_version(connection)
        return work(connection)

    return the_catalogue().database.transact(in_line)
