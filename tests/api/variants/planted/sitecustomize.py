"""Makes the API fail where only a search through its parameters finds it."""

from shop_api import listing
from shop_api.validation import ListQuery
from sqlalchemy import Connection

_page = listing.page


def _fails(connection: Connection, query: ListQuery, cursor: listing.Cursor | None) -> listing.Page:
    if query.sort != "name":
        raise RuntimeError("planted")
    return _page(connection, query, cursor)


listing.page = _fails
