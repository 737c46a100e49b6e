"""Figures of several processes add up to those of one that had done it all."""

import random

import pytest

from loadtests.figures import LONGEST_MS, Histogram, Latency, Snapshot, add_up


def histogram(*latencies_ms: float) -> Histogram:
    """Latencies, counted."""
    counted = Histogram()
    for latency_ms in latencies_ms:
        counted.add(latency_ms)
    return counted


def test_two_workers_histograms_merge_into_that_of_all_samples() -> None:
    """A mean of the workers' percentiles would be wrong: the slow ones may all be of one of them."""
    rng = random.Random(7)  # noqa: S311 - seeded samples
    fast = [rng.uniform(1, 50) for _ in range(900)]
    slow = [rng.uniform(1_000, 9_000) for _ in range(100)]
    merged = Histogram([histogram(*fast).encode(), histogram(*slow).encode()])
    assert merged.latency() == histogram(*fast, *slow).latency()
    assert merged.latency().p95 == pytest.approx(sorted(fast + slow)[949], rel=0.002)


def test_no_sample_is_not_zero() -> None:
    """Nothing is known of a latency that there was not."""
    assert Histogram().latency() == Latency(count=0, p50=None, p95=None, p99=None, max=None)


def test_a_latency_beyond_the_histogram_counts_as_its_longest() -> None:
    """It is never left out."""
    assert histogram(10 * LONGEST_MS).latency().count == 1


def test_a_lost_workers_rest_was_never_sent_and_what_it_sent_counts() -> None:
    """Its last snapshot is all that is known of it."""
    whole = Snapshot(
        run="r", index=0, due=50, over=True, posted=50, on_time=50, accepted=50, answers={"202": 50}, http=b""
    )
    lost = Snapshot(
        run="r", index=1, due=50, posted=20, on_time=20, accepted=19, answers={"202": 19, "none": 1}
    )
    total = add_up([whole, lost], lost={1})
    assert (total.due, total.posted, total.never_sent, total.over) == (100, 70, 30, True)
    assert total.answers == {"202": 69, "none": 1}


def test_a_worker_that_goes_on_is_not_over() -> None:
    """Nor is the load."""
    assert not add_up([Snapshot(run="r", index=0, due=1, over=True), Snapshot(run="r", index=1, due=1)]).over
