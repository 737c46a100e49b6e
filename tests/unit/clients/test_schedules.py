"""When alerts are due: rates hold over any stage, and no schedule goes back in time."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.schedules import Recorded, Schedule, Stage, Stages, Steady

_RATE = st.floats(0, 50, allow_nan=False)
_STAGE = st.builds(Stage, st.floats(0.1, 20), _RATE, _RATE)


def _times(schedule: Schedule) -> list[float]:
    due = (schedule.due_s(number) for number in range(100_000))
    return list(itertools.takewhile(lambda at_s: at_s is not None, due))  # type: ignore[arg-type]  # none is None


@settings(deadline=None)
@given(st.lists(_STAGE, min_size=1, max_size=4))
def test_stages_send_as_many_as_their_rates_say_in_order_and_in_time(stages: list[Stage]) -> None:
    """The integral of the rate, from the first stage's begin to the last one's end."""
    schedule = Stages(tuple(stages))
    times = _times(schedule)
    assert len(times) == schedule.count
    assert times == sorted(times)
    assert all(0 <= at_s <= schedule.seconds + 1e-6 for at_s in times)


def test_a_ramp_is_as_fast_at_each_moment_as_it_says() -> None:
    """From 0 to 10 a second in 10 s, half of the way is a quarter of the alerts."""
    times = _times(Stages((Stage(10, 0, 10),)))
    assert len(times) == 50
    assert sum(at_s < 5 for at_s in times) == pytest.approx(12.5, abs=1)


def test_a_steady_rate_has_its_alerts_ahead_at_once() -> None:
    """More of them make the others due earlier."""
    steady = Steady(2.0, ahead=3)
    assert [steady.due_s(number) for number in range(6)] == [0, 0, 0, 0, 0.5, 1.0]
    steady.ahead += 2
    assert steady.due_s(6) == 0.5


def test_a_recording_begins_at_once() -> None:
    """However late its first alert was recorded."""
    assert _times(Recorded([5.0, 5.5, 9.0])) == [0.0, 0.5, 4.0]
