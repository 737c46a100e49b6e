"""The search for the knee, on simulated systems."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadtests.throughput.knee import PROBES_MAX, TOLERANCE, Knee, search


@dataclass(frozen=True)
class Result:
    """What a probe measured."""

    passed: bool
    served_per_s: float


@dataclass
class System:
    """Takes up to `limit` a second. Of more, it serves `kept` of the limit, measured with `noise`."""

    limit: float
    kept: float = 1.0
    noise: float = 0.0
    tells: bool = True
    seed: int = 1
    asked: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self, per_s: float, seconds: float) -> Result:
        """Probe it. A system that does not `tell` serves all that is offered, late."""
        self.asked.append((per_s, seconds))
        rng = random.Random(self.seed + len(self.asked))  # noqa: S311 - a seeded choice, no secret
        if per_s <= self.limit:
            return Result(passed=True, served_per_s=per_s)
        served = self.limit * self.kept * (1 + rng.uniform(-self.noise, self.noise))
        return Result(passed=False, served_per_s=served if self.tells else per_s)


def found(system: System, start_per_s: float = 2.0) -> Knee:
    """The knee of a system."""
    return search(system, start_per_s=start_per_s, seconds=40)


@given(limit=st.floats(0.6, 60), part=st.floats(0.04, 10))
def test_a_hard_limit_that_an_overload_shows_is_found(limit: float, part: float) -> None:
    """Within five percent, wherever the search began: the overload's estimate, then its two neighbours."""
    system = System(limit)
    knee = found(system, limit * part)
    assert knee.settled
    assert knee.per_s == pytest.approx(limit, rel=TOLERANCE)
    assert len(system.asked) == knee.probes <= PROBES_MAX


@given(limit=st.floats(1, 20), noise=st.floats(0, 0.045), seed=st.integers(0, 999))
@example(limit=16.0, noise=0.03125, seed=74)
@example(limit=8.0, noise=0.045, seed=3)
def test_an_estimate_with_noise_is_confirmed_from_both_sides(limit: float, noise: float, seed: int) -> None:
    """So it is as near as the bracket says."""
    knee = found(System(limit, noise=noise, seed=seed))
    assert knee.settled
    assert knee.passed_per_s <= limit <= knee.failed_per_s
    assert knee.per_s == pytest.approx(limit, rel=2 * TOLERANCE)


@given(limit=st.floats(1, 12), kept=st.floats(0.3, 0.93))
def test_a_system_that_does_less_under_more_load_is_found_by_halves(limit: float, kept: float) -> None:
    """Its estimates are too low each time, and believed twice at most: the answer lies in the bracket."""
    knee = found(System(limit, kept=kept))
    assert knee.passed_per_s <= limit <= knee.failed_per_s
    if knee.settled:
        assert knee.per_s == pytest.approx(limit, rel=TOLERANCE * 1.001)


@given(limit=st.floats(1, 20), kept=st.floats(0.9, 1.0), lenient=st.floats(1.0, 1.02))
def test_an_estimate_that_is_a_little_low_costs_one_probe_more(
    limit: float, kept: float, lenient: float
) -> None:
    """Overload costs a little, and just above its limit a system still seems to follow: no wide search."""
    system = System(limit * lenient, kept=kept / lenient)
    knee = search(system, start_per_s=limit * 0.8, seconds=40)
    assert knee.settled
    assert knee.probes <= PROBES_MAX
    assert knee.per_s == pytest.approx(limit, rel=0.06)
    assert knee.passed_per_s <= limit * lenient <= knee.failed_per_s


@given(limit=st.floats(1, 12))
def test_a_system_that_serves_all_late_is_found_by_halves(limit: float) -> None:
    """As where what is beyond a limit goes out in another form."""
    knee = found(System(limit, tells=False))
    assert knee.settled
    assert knee.per_s == pytest.approx(limit, rel=TOLERANCE * 1.001)


@given(limit=st.floats(0.5, 200), start=st.floats(0.5, 20), probes=st.integers(1, PROBES_MAX))
def test_too_few_probes_leave_a_bracket_and_no_knee(limit: float, start: float, probes: int) -> None:
    """What was seen to pass and to fail is told; a number in between would be made up."""
    knee = search(System(limit, tells=False), start_per_s=start, seconds=40, probes_max=probes)
    assert knee.probes <= probes
    assert (knee.passed_per_s or 0) <= limit
    assert knee.failed_per_s is None or knee.failed_per_s > limit
    assert (knee.per_s is not None) is knee.settled


def test_nothing_passes() -> None:
    """Then the knee is below what was tried, and nobody knows where."""
    knee = found(System(0.0))
    assert (knee.passed_per_s, knee.per_s, knee.probes) == (None, None, PROBES_MAX)


def test_nothing_fails() -> None:
    """Then it is above."""
    knee = found(System(1e9))
    assert knee.passed_per_s == 2.0 * 2 ** (PROBES_MAX - 1)
    assert (knee.failed_per_s, knee.per_s) == (None, None)


def test_only_what_lies_close_together_takes_the_whole_time() -> None:
    """A probe far from the knee is over in half of it."""
    system = System(5.0)
    found(system)
    assert system.asked[:3] == [(2.0, 20), (4.0, 20), (8.0, 20)]
    assert [seconds for _, seconds in system.asked[3:]] == [40, 40]
