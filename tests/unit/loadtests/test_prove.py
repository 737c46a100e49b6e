"""Whether planted limits were found and named."""

import pytest

from loadtests.throughput.knee import Knee
from loadtests.throughput.planted import LIMITS, Finding
from loadtests.throughput.prove import misses
from loadtests.throughput.saturation import Resource


def finding_of(found_per_s: float | None, named: Resource = Resource.MODEL) -> Finding:
    """A search of the model's limit of 4 a second."""
    knee = Knee(3.0, 9.0, None, 8)
    if found_per_s is not None:
        knee = Knee(found_per_s / 1.05, found_per_s * 1.05, found_per_s, 4)
    return Finding(Resource.MODEL, 4.0, knee, named, "9 of 100 calls", 120.0)


@pytest.mark.parametrize("found_per_s", [3.81, 4.0, 4.19])
def test_a_limit_that_is_found_and_named_is_no_miss(found_per_s: float) -> None:
    """Up to five percent off."""
    assert misses([finding_of(found_per_s)]) == []


@pytest.mark.parametrize(
    ("finding", "says"),
    [
        (finding_of(3.75), "model: -6.2 % from what was planted"),
        (finding_of(4.3), "model: +7.5 % from what was planted"),
        (finding_of(None), "model: 8 probes did not settle it"),
        (finding_of(4.0, Resource.POLLERS), "model: named pollers (9 of 100 calls)"),
    ],
)
def test_a_limit_that_is_missed_or_misnamed_is_told(finding: Finding, says: str) -> None:
    """With what was found instead."""
    assert misses([finding]) == [says]


def test_the_six_limits_of_the_promise_are_planted() -> None:
    """Each once."""
    planted = {limit.resource for limit in LIMITS}
    assert len(planted) == len(LIMITS) == 6
    assert planted == {
        *(Resource.API, Resource.RECEPTION, Resource.POLLERS, Resource.LEDGER, Resource.MODEL, Resource.SLACK)
    }
