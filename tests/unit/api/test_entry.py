"""What is kept in Redis, and the breaker."""

import time

import pytest
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


def test_the_breaker_lets_one_call_try_in_each_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    breaker = Breaker(failures=2, pause=1.0)
    breaker.record(success=False)
    assert breaker.allows()
    breaker.record(success=False)
    assert not breaker.allows()
    now += 1.1
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.record(success=False)
    assert not breaker.allows()
    now += 1.1
    assert breaker.allows()
    breaker.record(success=True)
    assert [breaker.allows() for _ in range(3)] == [True, True, True]
