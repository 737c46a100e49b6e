"""Searches replayed on stored sets: how often they choose what all samples say."""

from collections import Counter
from itertools import groupby

import msgspec
import pytest

from loadtests.sizing.plan import SizesError, TooShortError
from loadtests.sizing.replay import StoredSite, measure_everything, replay
from loadtests.sizing.samples import SampleSet
from tests.fakes.lambda_samples import Duration, Shape, ShapedSite, cpu_bound, exhaustive, io_bound

FOUR = (512, 1024, 1536, 2048)
TEN = (128, 256, 512, 768, 1024, 1280, 1536, 1769, 2048, 3008)
ALL, SOME = 100, 20


def nearly_flat(step: float) -> Duration:
    """A cost that rises by `step` from one doubling of the size to the next."""
    return lambda memory_mb: 100 * 512 / memory_mb * (1 + step * (memory_mb / 512 - 1))


@pytest.mark.parametrize(
    ("shape", "sizes", "seeds"),
    [
        (Shape(name="cpu-bound", duration=cpu_bound(160)), FOUR, ALL),
        (Shape(name="I/O-bound", duration=io_bound(40, 1), sigma=0.3, outliers=0.02), FOUR, ALL),
        (Shape(name="memory-bound", duration=cpu_bound(60), needs_mb=700), FOUR, ALL),
        (Shape(name="costs 1 % apart", duration=nearly_flat(0.01), sigma=0.1), FOUR, SOME),
        (Shape(name="costs 3 % apart", duration=nearly_flat(0.03)), FOUR, SOME),
        (Shape(name="cpu-bound", duration=cpu_bound(160), sigma=0.03), TEN, SOME),
        (Shape(name="I/O-bound", duration=io_bound(40, 1), sigma=0.3, outliers=0.02), TEN, SOME),
        (Shape(name="payloads", duration=io_bound(40, 9), payloads=(("s", 0.5), ("l", 4.0))), TEN, SOME),
    ],
    ids=lambda value: getattr(value, "name", None) or str(len(value) if isinstance(value, tuple) else value),
)
def test_a_search_chooses_within_two_percent_of_the_best_by_a_third_of_the_invocations(
    shape: Shape, sizes: tuple[int, ...], seeds: int
) -> None:
    """In at least 95 of 100 seeds, whatever the function is bound by."""
    (row,) = replay(exhaustive(shape, sizes, warm=100, cold=25, seed=7), seeds=seeds)
    assert row.within >= 0.95 * seeds, row
    assert row.part <= 1 / 3
    assert row.seeds == seeds


def test_a_choice_that_is_too_dear_counts_against_the_search() -> None:
    """Noise that a third of the samples cannot see through is told, not hidden."""
    wild = Shape(name="wild", duration=io_bound(10, 30), sigma=1.0, outliers=0.05, outlier_factor=20)
    (row,) = replay(exhaustive(wild, TEN, warm=60, cold=15), seeds=20)
    assert row.within < 20
    assert row.decided < 20
    assert row.dearest is not None
    assert row.dearest > 0.02


def test_power_tunings_choice_by_as_many_invocations_is_held_against_the_same_optimum() -> None:
    """Where outliers are what a small size costs, it misses each time."""
    shape = Shape(name="slow at times", duration=io_bound(40, 1), outlier_factor=25)
    samples = exhaustive(shape, (512, 1024), warm=100, cold=25)
    slow = [
        msgspec.structs.replace(one, billed_ms=one.billed_ms * 25)
        if one.memory_mb == 512 and n % 8 == 0
        else one
        for n, one in enumerate(samples.samples)
    ]
    (row,) = replay(SampleSet("x", tuple(slow)), seeds=10)
    assert (row.best_mb, row.power_tuning_within) == (1024, 0)
    assert row.within >= 9


def test_an_exhaustive_set_has_each_size_in_blocks_by_turns_and_leaves_one_that_fails() -> None:
    """So that what the machine does meanwhile is in all sizes alike."""
    site = ShapedSite(Shape(name="memory", duration=cpu_bound(60), needs_mb=700), most_mb=2_000)
    samples = measure_everything(site, ["memory"], [512, 1024, 1536, 3008], warm=25, cold=5)
    counts = Counter((one.memory_mb, one.cold) for one in samples)
    assert counts == {(512, True): 5, (1024, True): 5, (1536, True): 5, (1024, False): 25, (1536, False): 25}
    warm = [memory_mb for memory_mb, _ in groupby(one.memory_mb for one in samples if not one.cold)]
    assert warm == [1024, 1536] * 3
    with pytest.raises(SizesError):
        measure_everything(site, ["memory"], [])


def test_a_stored_sample_is_drawn_once_and_each_seed_has_an_order_of_its_own() -> None:
    """As invocations are: none comes twice."""
    samples = exhaustive(Shape(name="cpu", duration=cpu_bound(100)), FOUR, warm=10, cold=2)
    site = StoredSite(samples, 1)
    drawn = [*site.sample("cpu", 512, cold=False, count=6), *site.sample("cpu", 512, cold=False, count=6)]
    assert len(drawn) == len(set(map(id, drawn))) == 10
    assert site.sample("cpu", 512, cold=False, count=1) == []
    assert StoredSite(samples, 2).sample("cpu", 512, cold=False, count=6) != drawn[:6]
    assert StoredSite(samples, 1).sample("cpu", 512, cold=False, count=6) == drawn[:6]
    assert (site.measurable(512), site.measurable(513)) == (None, "not in the stored samples")


def test_payloads_are_drawn_in_turn() -> None:
    """Also where the set has more of one."""
    shape = Shape(name="two", duration=cpu_bound(100), payloads=(("s", 1.0), ("l", 2.0)))
    samples = exhaustive(shape, (512,), warm=40, cold=4)
    fewer = SampleSet(
        "x", tuple(one for n, one in enumerate(samples.samples) if one.payload == "s" or n < 10)
    )
    drawn = StoredSite(fewer, 3).sample("two", 512, cold=False, count=8)
    assert sorted(one.payload for one in drawn) == ["l"] * 4 + ["s"] * 4


def test_a_set_that_is_too_small_to_search_in_a_third_of_is_refused() -> None:
    """With what is needed."""
    with pytest.raises(TooShortError, match="allow at least 96"):
        replay(exhaustive(Shape(name="cpu", duration=cpu_bound(100)), FOUR, warm=30, cold=10))
