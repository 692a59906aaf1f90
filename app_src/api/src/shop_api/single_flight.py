"""One load for all who ask the same at once, within this process: for when Redis can grant no lease."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Shares loads between threads.

    Who comes while a load is under way may not have its result: its snapshot may be older than a write that was
    acknowledged before they came. They share the next one, which begins when this one has ended.
    """

    def __init__(self, patience: float) -> None:
        """Begin with no load.

        Args:
            patience: seconds after which a load is no longer waited for and the next one begins beside it.
        """
        self._changed = threading.Condition()
        self._boarding: dict[str, Future[T]] = {}
        self._flying: set[str] = set()
        self._patience = patience

    def run(self, key: str, load: Callable[[], T]) -> T:
        """Return what `load` returns, called by this thread or, after this call began, by another one.

        Args:
            key: names what is loaded.
            load: loads it.
        """
        with self._changed:
            flight = self._boarding.get(key)
            if flight is None:
                leads = True
                flight = self._boarding[key] = Future()
            else:
                leads = False
        if leads:
            self._lead(key, flight, load)
        return flight.result()

    def _lead(self, key: str, flight: Future[T], load: Callable[[], T]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: key not in self._flying, self._patience)
            self._flying.add(key)
            del self._boarding[key]
        try:
            flight.set_result(load())
        except BaseException as error:
            flight.set_exception(error)
        finally:
            with self._changed:
                self._flying.discard(key)
                self._changed.notify_all()
