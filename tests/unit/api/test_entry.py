"""What is kept in Redis, and the breaker."""

import threading

from hypothesis import given
from hypothesis import strategies as st
from shop_api.cache import Breaker, Entry


@given(st.integers(0, 2**53), st.integers(0, 2**53), st.sampled_from([200, 404]), st.binary())
def test_an_entry_comes_back_as_it_was(version: int, filled_ms: int, status: int, body: bytes) -> None:
    entry = Entry(version, filled_ms, status, body)
    assert Entry.unpack(entry.pack()) == entry


@given(st.binary())
def test_anything_else_is_no_entry(raw: bytes) -> None:
    assert Entry.unpack(raw) is None


@given(st.binary(min_size=1), st.data())
def test_a_changed_body_is_no_entry(body: bytes, data: st.DataObject) -> None:
    packed = Entry(1, 2, 200, body).pack()
    index = data.draw(st.integers(len(packed) - len(body), len(packed) - 1))
    assert Entry.unpack(packed[:index] + bytes([packed[index] ^ 1]) + packed[index + 1 :]) is None
    assert Entry.unpack(packed[:-1]) is None


def test_an_open_breaker_tries_on_its_own_until_it_works() -> None:
    probed = threading.Semaphore(0)
    works = threading.Event()

    def probe() -> bool:
        probed.release()
        return works.is_set()

    breaker = Breaker(probe, failures=2, pause=0.001)
    for success in (False, True, False):
        breaker.record(success)
        assert breaker.closed
    breaker.record(success=False)
    breaker.record(success=False)
    for _ in range(3):
        assert probed.acquire(timeout=5)
        assert not breaker.closed
    works.set()
    for thread in threading.enumerate():
        if thread.name == "breaker":
            thread.join(5)
    assert breaker.closed
