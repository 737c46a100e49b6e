"""Threads: what runs beside what, and that nothing is left running."""

import threading

import pytest

from handlers.adapters.system import ThreadExecutor

LONG_S = 5.0
"""Longer than any thread needs to be scheduled."""


def test_call_in_time_has_nothing_beside_it() -> None:
    """Patience that was not needed costs nothing."""
    beside: list[str] = []
    value = ThreadExecutor().overlap(lambda: 7, patience_s=LONG_S, meanwhile=lambda: beside.append("ran"))
    assert (value, beside) == (7, [])


def test_late_call_goes_on_while_something_is_done_beside_it() -> None:
    """It is neither given up nor waited for."""
    may_end = threading.Event()
    value = ThreadExecutor().overlap(lambda: may_end.wait(LONG_S), patience_s=0.01, meanwhile=may_end.set)
    assert value is True


@pytest.mark.parametrize("patience_s", [0.01, LONG_S])
def test_error_of_the_call_comes_as_it_was_raised(patience_s: float) -> None:
    """Late or in time."""
    may_end = threading.Event()

    def call() -> None:
        may_end.wait(LONG_S if patience_s < 1 else 0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ThreadExecutor().overlap(call, patience_s=patience_s, meanwhile=may_end.set)


def test_error_beside_it_comes_after_the_call_has_ended() -> None:
    """No thread runs on in an environment that Lambda freezes."""
    ended = threading.Event()

    def call() -> None:
        threading.Event().wait(0.1)
        ended.set()

    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ThreadExecutor().overlap(call, patience_s=0.01, meanwhile=fails)
    assert ended.is_set()


def test_calls_beside_each_other_may_each_have_something_beside_them() -> None:
    """However many there are, none waits for a thread that another one keeps."""
    executor, beside = ThreadExecutor(), []

    def call(number: int) -> int:
        may_end = threading.Event()

        def meanwhile() -> None:
            beside.append(number)
            may_end.set()

        executor.overlap(lambda: may_end.wait(LONG_S), patience_s=0.01, meanwhile=meanwhile)
        return number

    assert executor.map(call, range(30)) == sorted(beside) == list(range(30))
