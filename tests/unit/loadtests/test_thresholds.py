"""Thresholds come from a file, and what is unknown meets none."""

from pathlib import Path

import pytest

from loadtests.headless import SHAPES
from loadtests.options import SLO
from loadtests.report import METRICS
from loadtests.slo import SloError, Threshold, read_thresholds

FIGURES = {"refused": 3, "at_rest_after_s": None, "http_ms": {"count": 25, "p95": 900, "p99": 1_000}}
NAMES = ("refused", "at_rest_after_s", "http_ms.p95", "http_ms.p99")


def write(folder: Path, text: str) -> Path:
    """A file of thresholds."""
    path = folder / "slo.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shipped_file_names_only_what_a_report_has(shape: str) -> None:
    """And every shape has its thresholds."""
    assert read_thresholds(SLO, shape, METRICS)


def test_a_shape_takes_what_is_said_for_every_one_and_says_otherwise_itself(tmp_path: Path) -> None:
    """Null drops a threshold."""
    path = write(
        tmp_path,
        "every: {refused: <= 0, http_ms.p95: <= 1000}\nspike: {refused: null, http_ms.p95: '>= 5.5'}\n",
    )
    assert read_thresholds(path, "spike", NAMES) == (Threshold("http_ms.p95", at_most=False, bound=5.5),)
    assert len(read_thresholds(path, "steady", NAMES)) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("every: {latency: <= 1}", "no metric latency; there are at_rest_after_s, http_ms.p95"),
        ("steady: {refused: 3}", "refused: '3' is no bound; write <= or >= and a number"),
        ("steady: {refused: <= many}", "is no bound"),
        ("[]\n- x", "cannot be read"),
        ("- refused", "maps no shapes to metrics"),
        ("every: refused", "maps no shapes to metrics"),
    ],
)
def test_a_file_that_is_none_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    """An unknown metric too: a threshold that is never looked at is met by anything."""
    with pytest.raises(SloError) as raised:
        read_thresholds(write(tmp_path, text), "steady", NAMES)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(SloError, match=r"none\.yaml cannot be read"):
        read_thresholds(tmp_path / "none.yaml", "steady", NAMES)


@pytest.mark.parametrize(
    ("threshold", "breached"),
    [
        (Threshold("refused", at_most=True, bound=3), None),
        (Threshold("refused", at_most=True, bound=2.5), "refused is 3, not <= 2.5"),
        (Threshold("refused", at_most=False, bound=4), "refused is 3, not >= 4"),
        (Threshold("http_ms.p95", at_most=True, bound=900), None),
        (Threshold("http_ms.p95", at_most=True, bound=899), "http_ms.p95 is 900, not <= 899"),
        (Threshold("at_rest_after_s", at_most=True, bound=60), "at_rest_after_s is unknown"),
    ],
)
def test_a_bound_is_kept_or_its_breach_is_told(threshold: Threshold, breached: str | None) -> None:
    """The bound itself is kept; what is unknown never is."""
    found = threshold.breach(FIGURES)
    assert found is None if breached is None else breached in str(found)


def test_a_percentile_of_too_few_samples_decides_nothing() -> None:
    """A 99th percentile of 25 samples is their largest, and the run was too short for it."""
    assert "too short to decide http_ms.p99 <= 2000: it rests on 25 samples, and 100 are needed" in str(
        Threshold("http_ms.p99", at_most=True, bound=2_000).breach(FIGURES)
    )
