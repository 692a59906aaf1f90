"""Reads through the cache and writes that it follows."""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection

from shop_api import repository
from shop_api.cache import INTENT_MS, Cache, Entry, Lookup
from shop_api.db import CommitUnknownError, Database, DatabaseUnavailableError
from shop_api.observability import CACHE_RESULTS
from shop_api.single_flight import SingleFlight

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.1
START_RETRY_SECONDS = 1.0
# How long a load that somebody else has begun is waited for; polls begin with the first pause, which then doubles.
WAIT_SECONDS = 0.5
FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.03

T = TypeVar("T")


class Answer(NamedTuple):
    """What a read gives: status and body, and where it came from."""

    status: int
    body: bytes
    cache: str = ""
    age: int | None = None


class Publisher:
    """Publishes in the background what could not be published at once."""

    def __init__(self, cache: Cache) -> None:
        """Begin with nothing to publish.

        Args:
            cache: where to publish.
        """
        self._cache = cache
        self._changed = threading.Condition()
        self._version = 0
        self._published = 0
        self._tokens: list[str] = []

    def add(self, version: int, tokens: list[str]) -> None:
        """Publish this version as soon as Redis can be reached."""
        with self._changed:
            self._version = max(self._version, version)
            self._tokens += tokens
            self._changed.notify_all()

    def wait(self, version: int, seconds: float) -> None:
        """Return when this version has been published, or after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._published >= version, seconds)

    def run(self) -> None:
        """Publish until the process ends."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._version > self._published or self._tokens)
                version, tokens = self._version, list(self._tokens)
            if not self._cache.publish(version, tokens):
                time.sleep(RETRY_SECONDS)
                continue
            log.info("version published", extra={"version": version})
            with self._changed:
                self._published = max(self._published, version)
                del self._tokens[: len(tokens)]
                self._changed.notify_all()


class Catalogue:
    """The items, as the routes use them."""

    def __init__(self, database: Database, cache: Cache) -> None:
        """Begin without any thread.

        Args:
            database: where the items are.
            cache: where answers are kept.
        """
        self.database = database
        self.cache = cache
        self.publisher = Publisher(cache)
        self._loads: SingleFlight[tuple[int, Answer]] = SingleFlight(WAIT_SECONDS)

    def read(
        self,
        key: str,
        load: Callable[[Connection], Answer],
        check: Callable[[Answer], bool],
        found: Lookup | None = None,
    ) -> Answer:
        """Answer from the cache, or from the database and keep the answer.

        Args:
            key: names the question.
            load: finds the answer in a snapshot of the database.
            check: tells whether what the cache holds is well-formed; runs on every hit.
            found: what the cache has just said about the key, if it was asked already.

        Raises:
            DatabaseUnavailableError: nothing is known and MySQL cannot be asked.
        """
        answer = self._read(key, load, check, found)
        CACHE_RESULTS.labels(result=answer.cache).inc()
        return answer

    def _read(
        self,
        key: str,
        load: Callable[[Connection], Answer],
        check: Callable[[Answer], bool],
        found: Lookup | None,
    ) -> Answer:
        found = self._lookup(key, check, found)
        if found.current and found.entry:
            return Answer(found.entry.status, found.entry.body, "hit")

        def fetch() -> tuple[int, Answer]:
            with self.database.snapshot() as connection:
                return repository.version(connection), load(connection)

        try:
            # The lease makes this the only load anywhere; without one it can at least be the only one in this process.
            version, answer = fetch() if found.lease else self._loads.run(key, fetch)
        except Exception as error:
            self.cache.release(key, found)
            if found.entry is None or not isinstance(error, DatabaseUnavailableError):
                raise
            return Answer(found.entry.status, found.entry.body, "stale", found.age_ms // 1000)
        if not found.reached:
            return answer._replace(cache="bypass")
        self.cache.fill(key, found, Entry(version, found.now_ms, answer.status, answer.body))
        return answer._replace(cache="miss")

    def _lookup(self, key: str, check: Callable[[Answer], bool], found: Lookup | None) -> Lookup:
        def valid(entry: Entry) -> bool:
            return check(Answer(entry.status, entry.body))

        found = found or self.cache.lookup(key, valid)
        patience = time.monotonic() + WAIT_SECONDS
        pause = FIRST_PAUSE
        while found.wait and time.monotonic() < patience:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            found = self.cache.lookup(key, valid)
        return found

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in a transaction and return when no reader can see what was before.

        Args:
            work: changes items; called again after a deadlock.

        Raises:
            DatabaseUnavailableError: MySQL cannot be asked now.
        """

        def versioned(connection: Connection) -> tuple[int, T]:
            return repository.next_version(connection), work(connection)

        token = self.cache.announce()
        try:
            version, result = self.database.transact(versioned)
        except CommitUnknownError:
            # It may have been written: the intent stays, and its deadline passes.
            raise
        except Exception:
            self.cache.withdraw(token)
            raise
        self._publish(version, token)
        return result

    def _publish(self, version: int, token: str) -> None:
        if self.cache.publish(version, [token]):
            return
        log.warning("publication postponed: Redis cannot be reached", extra={"version": version})
        self.publisher.add(version, [token])
        # However often readers renewed the intent's deadline before the commit, by then it has passed.
        self.publisher.wait(version, INTENT_MS / 1000)

    def start_publishing(self) -> None:
        """Start the publisher's thread; only after a fork, which threads do not survive."""
        threading.Thread(target=self._publish_forever, name="publisher", daemon=True).start()

    def _publish_forever(self) -> None:
        # The process before this one may have died between a commit and its publication.
        while True:
            try:
                with self.database.snapshot() as connection:
                    self.publisher.add(repository.version(connection), [])
                break
            except DatabaseUnavailableError:
                time.sleep(START_RETRY_SECONDS)
        self.publisher.run()
