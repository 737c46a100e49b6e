"""Means and percentiles with intervals."""

import builtins
import random
import statistics
import subprocess
import sys
from typing import Any

import pytest

from loadtests.sizing.estimates import (
    ScipyMissingError,
    Stratum,
    mean,
    mean_of,
    percentile,
    percentile_of,
    ratio,
)


def noisy(middle: float, count: int, seed: int, weight: float = 1.0) -> Stratum:
    """A stratum of log-normal values."""
    draw = random.Random(seed)  # noqa: S311 - a seeded distribution
    return Stratum(weight, [middle * draw.lognormvariate(0, 0.3) for _ in range(count)])


def test_a_mean_weighs_its_strata_and_cuts_nothing_off() -> None:
    """An outlier counts as it is, and a payload as it weighs, however often it was sampled."""
    strata = [Stratum(0.9, [10.0, 20.0]), Stratum(0.1, [100.0, 100.0, 100.0, 1_000.0])]
    assert mean_of(strata) == pytest.approx(0.9 * 15 + 0.1 * 325)
    assert mean(strata, 1).value == pytest.approx(mean_of(strata))


@pytest.mark.parametrize("part", [0.5, 0.95, 0.99])
def test_a_percentile_is_a_value_with_its_part_at_or_below(part: float) -> None:
    """By the weights; with one stratum, as everybody counts."""
    values = [float(number) for number in range(1, 101)]
    strata = [Stratum(1.0, values)]
    assert percentile_of(strata, part) == part * 100
    assert percentile(strata, part, 1).value == part * 100


def test_a_weighted_percentile_follows_the_weights() -> None:
    """A payload of 4 % of the invocations is beyond the p95, whatever part of the samples it is."""
    rare = [Stratum(0.96, [1.0, 2.0]), Stratum(0.04, [50.0, 60.0, 70.0, 80.0])]
    common = [Stratum(0.90, [1.0, 2.0]), Stratum(0.10, [50.0, 60.0, 70.0, 80.0])]
    assert percentile_of(rare, 0.95) == percentile(rare, 0.95, 1).value == 2.0
    assert percentile_of(common, 0.95) == percentile(common, 0.95, 1).value == 60.0


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """95 % of them, of 60 log-normal values each: at least 85 of 100 sets."""
    truth = 100.0 * 2.718281828459045 ** (0.3**2 / 2)
    hits = 0
    for seed in range(100):
        estimate = mean([noisy(100.0, 60, seed)], seed)
        hits += estimate.low <= truth <= estimate.high
    assert hits >= 85


def test_intervals_narrow_with_more_samples_and_repeat_by_their_seed() -> None:
    """Four times the samples halve them, roughly."""
    few, many = (mean([noisy(100.0, count, 7)], 1) for count in (50, 800))
    assert (many.high - many.low) < (few.high - few.low) / 2
    assert mean([noisy(100.0, 50, 7)], 1) == few


def test_a_quotient_of_two_sizes_resamples_each_by_itself() -> None:
    """And its interval is around the quotient of the means."""
    above, below = [noisy(150.0, 200, 1)], [noisy(100.0, 200, 2)]
    found = ratio(above, below, 1)
    assert found.value == pytest.approx(statistics.fmean(above[0].values) / statistics.fmean(below[0].values))
    assert found.low < 1.5 < found.high
    assert found.high - found.low < 0.3


def test_values_that_are_all_the_same_have_a_point_for_an_interval() -> None:
    """A fake that always takes as long is no reason for a warning, or for no number."""
    found = mean([Stratum(1.0, [5.0] * 10)], 1)
    assert (found.low, found.value, found.high) == (5.0, 5.0, 5.0)


def test_nothing_of_the_extra_is_loaded_before_it_is_needed() -> None:
    """Other commands of the same file start without it, and half a second sooner."""
    code = (
        "import sys; import loadtests.sizing.apply, loadtests.sizing.page, loadtests.sizing.replay; "
        "print([one for one in ('scipy', 'numpy', 'ruamel.yaml') if one in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_without_the_extra_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a line, not as a failed import."""
    real = builtins.__import__

    def without_scipy(name: str, *args: Any) -> Any:
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_scipy)
    with pytest.raises(ScipyMissingError, match=r"pip install '\.\[load\]'"):
        mean([Stratum(1.0, [1.0, 2.0])], 1)
