"""The HTTP routes of the log of changes; in the admin API only."""

from http import HTTPStatus

from flask import Blueprint, Response
from sqlalchemy import Connection

from shop_api import change_log, item_writes
from shop_api.catalogue import Answer
from shop_api.documents import ChangesPage, ChangesQuery
from shop_api.once import Outcome
from shop_api.problems import parameters
from shop_api.routes import cache_key, respond, the_catalogue, well_formed
from shop_api.writes import item_outcome, write

changes = Blueprint("changes", __name__)


@changes.get("/changes")
def list_changes() -> Response:
    """Answer one page of the log, newest first."""
    query = ChangesQuery.model_validate(parameters())

    def load(connection: Connection) -> Answer:
        page = change_log.page(connection, query)
        return Answer(HTTPStatus.OK, page.model_dump_json(by_alias=True).encode())

    return respond(the_catalogue().read(cache_key("changes", query.model_dump_json()), load, well_formed(ChangesPage)))


@changes.post("/changes/<id:change_id>/undo")
def undo_change(change_id: int) -> Response:
    """Bring back what this change deleted."""

    def work(connection: Connection, actor: str) -> Outcome:
        return item_outcome(item_writes.restore(connection, actor, change_id))

    return write(work)
