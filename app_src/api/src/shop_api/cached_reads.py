"""The short way for lists that the cache holds: past Flask, which costs more than all the rest of such an answer.

It knows nothing of what a list is: the long way teaches it which query string asks for which key. What is not a plain
hit goes the long way, together with what was found in the cache.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from shop_api.cache import Cache, Entry
from shop_api.catalogue import Answer
from shop_api.observability import CACHE_RESULTS, observe, request_id_of
from shop_api.service_key import ServiceKey

PATH = "/items"
FOUND = "shop_api.found"
KEYS_MAX = 1024

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]


def tag_of(body: bytes) -> str:
    """Return what names these bytes in an ETag."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


class CachedReads:
    """WSGI middleware before the Flask application."""

    def __init__(
        self, app: Wsgi, cache: Cache, endpoint: str, check: Callable[[Answer], bool], service_key: ServiceKey
    ) -> None:
        """Begin without knowing any query string.

        Args:
            app: the long way.
            cache: where answers are kept.
            endpoint: name of the long way's route, for the metrics.
            check: tells whether what the cache holds is well-formed.
            service_key: tells whom to answer; the long way refuses the others.
        """
        self._app = app
        self._cache = cache
        self._endpoint = endpoint
        self._check = check
        self._service_key = service_key
        self._lock = threading.Lock()
        self._keys: OrderedDict[str, str] = OrderedDict()

    def learn(self, query_string: str, key: str) -> None:
        """Remember that this query string is valid, and which key of the cache it asks for."""
        with self._lock:
            self._keys[query_string] = key
            if len(self._keys) > KEYS_MAX:
                self._keys.popitem(last=False)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        started = time.perf_counter()
        plain = environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"] == PATH
        key = self._keys.get(environ.get("QUERY_STRING", "")) if plain else None
        if key is None or not self._service_key.is_in(environ):
            return self._app(environ, start_response)
        found = self._cache.lookup(key, self._valid)
        entry = found.entry
        tag = f'"{tag_of(entry.body)}"' if entry else None
        known = environ.get("HTTP_IF_NONE_MATCH")
        # Weak tags and lists of tags are left to the long way as well.
        if not found.current or entry is None or known not in (None, tag):
            environ[FOUND] = found
            return self._app(environ, start_response)
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID", ""))
        headers = [("X-Cache", "hit"), ("Cache-Control", "no-cache"), ("ETag", tag), ("X-Request-ID", request_id)]
        if known is None:
            status, body = HTTPStatus.OK, entry.body
            headers[:0] = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        else:
            status, body = HTTPStatus.NOT_MODIFIED, b""
        CACHE_RESULTS.labels(result="hit").inc()
        seconds = time.perf_counter() - started
        observe(request_id, "GET", self._endpoint, PATH, status.value, seconds, "hit")
        start_response(f"{status.value} {status.phrase.upper()}", headers)
        return [body]

    def _valid(self, entry: Entry) -> bool:
        return self._check(Answer(entry.status, entry.body))
