"""What a probe is held to."""

from dataclasses import replace
from pathlib import Path

import pytest

from loadtests.slo import SloError, Threshold
from loadtests.throughput.measures import Measures, breaches, read_slo

GOOD = Measures(
    error_percent=0.0, http_p95_s=0.2, critical_p95_s=1.0, ordinary_p95_s=2.0, untold_percent=0.0,
    growth_percent=0.1, alone_percent=100.0, analysed_percent=100.0, slack_refused_percent=0.0,
)  # fmt: skip


def test_what_meets_every_threshold_breaks_none() -> None:
    """By the file that comes with it."""
    assert breaches(read_slo(), GOOD) == ()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"critical_p95_s": 5.1}, "critical_p95_s is 5.1, not <= 5"),
        ({"analysed_percent": 94.0}, "analysed_percent is 94, not >= 95"),
        ({"critical_p95_s": None}, "critical_p95_s is unknown, and is to be <= 5"),
    ],
)
def test_what_breaks_a_threshold_or_was_not_measured_is_named(changes: dict[str, float], says: str) -> None:
    """No CRITICAL alert reached Slack: that is no pass."""
    assert breaches(read_slo(), replace(GOOD, **changes)) == (says,)


def test_a_file_of_ones_own_takes_the_place_of_the_default(tmp_path: Path) -> None:
    """It says all that is wanted."""
    file = tmp_path / "slo.yaml"
    file.write_text('throughput:\n  alone_percent: ">= 90"\n', encoding="utf-8")
    assert read_slo(file) == (Threshold("alone_percent", at_most=False, bound=90.0),)


def test_an_unknown_measure_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    """In one line, before anything is sent."""
    file = tmp_path / "slo.yaml"
    file.write_text("throughput:\n  p95: <= 3\n", encoding="utf-8")
    with pytest.raises(SloError, match="no metric p95; there are alone_percent, analysed_percent"):
        read_slo(file)
