"""Deadlines that hold whatever a server does."""

import threading
import time

import pytest

from handlers.adapters.http import countdown, within


def test_call_in_time_gives_what_it_gives() -> None:
    """Its value, or its own error."""
    assert within(5, lambda: "value") == "value"
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)


def test_call_that_is_late_is_given_up() -> None:
    """The caller goes on; the call may still end, and its outcome is dropped."""
    may_end, ended = threading.Event(), threading.Event()

    def call() -> None:
        may_end.wait(5)
        ended.set()

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.05, call)
    assert time.monotonic() - started < 1
    may_end.set()
    assert ended.wait(5)


def test_own_timeout_of_a_call_is_not_taken_for_ours() -> None:
    """A socket's timeout is a TimeoutError too, and comes as it was raised."""

    def call() -> None:
        raise TimeoutError("of the socket")

    with pytest.raises(TimeoutError, match="of the socket"):
        within(5, call)


def test_countdown_runs_down_and_never_to_zero() -> None:
    """A socket would take 0 for `do not wait`, and None for `wait for ever`."""
    left_s = countdown(0.02)
    first = left_s()
    assert 0 < first <= 0.02
    deadline = time.monotonic() + 5
    while left_s() > 0.001 and time.monotonic() < deadline:
        pass
    assert left_s() == 0.001
