"""JSON logs, request ids and Prometheus metrics."""

import json
import logging
import os
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, has_request_context, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("shop_api_requests_total", "Requests answered.", ["method", "endpoint", "status"])
DURATION = Histogram(
    "shop_api_request_duration_seconds",
    "Time to answer a request.",
    ["endpoint"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
CACHE_RESULTS = Counter("shop_api_cache_results_total", "Reads by X-Cache value.", ["result"])
CACHE_ERRORS = Counter("shop_api_cache_errors_total", "Calls to Redis that failed.")
DATABASE_ERRORS = Counter("shop_api_database_errors_total", "Errors from MySQL by its error number.", ["code"])
BAD_ENTRIES = Counter("shop_api_bad_entries_total", "Entries from Redis discarded because they are not valid.")
BAD_ROWS = Counter("shop_api_bad_rows_total", "Rows from MySQL left out because they are not valid.")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})

access_log = logging.getLogger("shop_api.access")


class JsonFormatter(logging.Formatter):
    """One JSON object a line; what is passed as `extra` becomes fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Render the record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context() and "request_id" in g:
            line["request_id"] = g.request_id
        line.update({key: value for key, value in vars(record).items() if key not in _OWN_ATTRIBUTES})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def logging_config(stream: str = "stdout") -> dict[str, Any]:
    """Return a configuration for `logging.config` that sends all logs to one stream as JSON lines."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"json": {"class": "logging.StreamHandler", "formatter": "json", "stream": f"ext://sys.{stream}"}},
        "root": {"level": "INFO", "handlers": ["json"]},
        "loggers": {"alembic": {"level": "WARNING"}},
    }


def init_app(app: Flask) -> None:
    """Give every request an id, a log line and its share in the metrics."""
    app.before_request(_start)
    app.after_request(_finish)


def request_id_of(given: str) -> str:
    """Return the id of a request: the given one if it is well-formed, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def observe(
    request_id: str, method: str, endpoint: str | None, path: str, status: int, seconds: float, cache: str | None
) -> None:
    """Write the log line of a request that is answered, and count it.

    Args:
        request_id: its id.
        method: its method.
        endpoint: the route that answered; None when there is no such route.
        path: what was asked for.
        status: what was answered.
        seconds: how long that took.
        cache: where the answer came from, if it is a read.
    """
    # A method may be any word that a client thinks up; as a label it would grow without bound.
    REQUESTS.labels(method=method if endpoint else "other", endpoint=endpoint or "none", status=status).inc()
    DURATION.labels(endpoint=endpoint or "none").observe(seconds)
    level = logging.DEBUG if path in _QUIET and status < 500 else logging.INFO
    if not access_log.isEnabledFor(level):
        return
    access_log.log(
        level,
        "request",
        extra={
            "request_id": request_id,
            "method": method,
            "path": path,
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
            "cache": cache,
        },
    )


def _start() -> None:
    g.started = time.perf_counter()
    g.request_id = request_id_of(request.headers.get("X-Request-ID", ""))


def _finish(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    cache = response.headers.get("X-Cache")
    seconds = time.perf_counter() - g.started
    observe(g.request_id, request.method, request.endpoint, request.path, response.status_code, seconds, cache)
    return response


def metrics_text() -> bytes:
    """Render the metrics of all workers in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
