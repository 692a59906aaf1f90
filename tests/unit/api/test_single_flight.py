"""Who may share whose load."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from shop_api.single_flight import SingleFlight


class _Database:
    """Its loads last until they are let go."""

    def __init__(self) -> None:
        self.begun: list[Future[str]] = []
        self.changed = threading.Condition()

    def load(self) -> str:
        with self.changed:
            self.begun.append(Future())
            mine = self.begun[-1]
            self.changed.notify_all()
        return mine.result(5)

    def await_loads(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.begun) >= count, 5)


def boarded(flights: SingleFlight[str], key: str) -> bool:
    return key in flights._boarding


def wait_until_boarded(flights: SingleFlight[str], key: str) -> None:
    for _ in range(5000):
        if boarded(flights, key):
            return
        threading.Event().wait(0.001)
    raise AssertionError("nobody waits")


def test_who_comes_during_a_load_shares_the_next_one() -> None:
    database, flights = _Database(), SingleFlight[str](patience=5)
    with ThreadPoolExecutor(10) as threads:
        first = threads.submit(flights.run, "k", database.load)
        database.await_loads(1)
        later = [threads.submit(flights.run, "k", database.load) for _ in range(5)]
        wait_until_boarded(flights, "k")
        assert len(database.begun) == 1
        database.begun[0].set_result("before the write")
        assert first.result(5) == "before the write"
        database.await_loads(2)
        database.begun[1].set_result("after the write")
        for reader in later:
            # One that was slow to come may have to fly alone.
            if len(database.begun) > 2:
                database.begun[2].set_result("after the write")
            assert reader.result(5) == "after the write"


def test_another_key_does_not_wait() -> None:
    database, flights = _Database(), SingleFlight[str](patience=5)
    with ThreadPoolExecutor(2) as threads:
        readers = [threads.submit(flights.run, key, database.load) for key in ("a", "b")]
        database.await_loads(2)
        for load in database.begun:
            load.set_result("done")
        assert [reader.result(5) for reader in readers] == ["done", "done"]


def test_a_load_that_hangs_is_not_waited_for_for_ever() -> None:
    database, flights = _Database(), SingleFlight[str](patience=0.01)
    with ThreadPoolExecutor(2) as threads:
        hung = threads.submit(flights.run, "k", database.load)
        database.await_loads(1)
        other = threads.submit(flights.run, "k", database.load)
        database.await_loads(2)
        database.begun[1].set_result("beside")
        assert other.result(5) == "beside"
        database.begun[0].set_result("late")
        assert hung.result(5) == "late"


def test_a_failure_is_for_all_who_shared_it_and_for_nobody_after() -> None:
    flights = SingleFlight[str](patience=5)

    def fail() -> str:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        flights.run("k", fail)
    assert flights.run("k", lambda: "works") == "works"
