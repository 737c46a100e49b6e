"""The report of a tuning run: its verdict, its rows, and a page that needs nothing besides."""

import itertools
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from loadtests.chart import Chart, Point
from loadtests.throughput.knee import Knee
from loadtests.throughput.measures import Measures, read_slo
from loadtests.throughput.page import render, write_page
from loadtests.throughput.report import PROBE_HEADS, SWEEP_HEADS, TuningReport
from loadtests.throughput.saturation import Resource, Saturation
from loadtests.throughput.stack_probe import ProbeResult
from loadtests.throughput.sweep import SweepRow
from loadtests.throughput.telemetry import Telemetry
from loadtests.throughput.tuning import Search, find_knee

MEASURES = Measures(
    error_percent=0.0, http_p95_s=0.1, critical_p95_s=0.42, ordinary_p95_s=6.5, untold_percent=0.0,
    growth_percent=0.2, alone_percent=35.0, analysed_percent=99.0, slack_refused_percent=0.0,
)  # fmt: skip


def probe_of(per_s: float, served_per_s: float, *breaches: str) -> ProbeResult:
    """A probe that was made."""
    return ProbeResult(per_s, 40.0, MEASURES, served_per_s, breaches, Telemetry(seconds=40.0, posts=100))


def search_of(per_s: float) -> Search:
    """A search that found a knee."""
    growing = "growth_percent 40, wanted at most 2.5"
    probes = (
        probe_of(8.0, 8.0),
        probe_of(16.0, per_s, growing),
        probe_of(per_s / 1.05, per_s / 1.05),
        probe_of(per_s * 1.05, per_s, growing),
    )
    saturation = Saturation(Resource.POLLERS, "9 messages wait in <processing>, 99% of whose 2 were in use")
    return Search(Knee(per_s / 1.05, per_s * 1.05, per_s, 4), saturation, probes)


def row_of(variant: str, critical_p95_s: float | None, usd_per_month: float, *breaches: str) -> SweepRow:
    """A row of the sweep."""
    return SweepRow(
        variant=variant,
        critical_p95_s=critical_p95_s,
        ordinary_p95_s=6.5,
        usd_per_month=usd_per_month,
        breaches=breaches,
    )


REPORT = TuningReport(
    stack="local",
    region="us-east-1",
    began_at="2026-11-29 20:00 UTC",
    slo=read_slo(),
    critical_percent=10.0,
    model="log-normal, p50 4 s, p95 12 s (assumed)",
    searches=(search_of(11.0),),
    sweep_per_s=8.8,
    sweep=(
        row_of("as configured", 0.42, 61.5),
        row_of("window of 5 s", 0.44, 58.1),
        row_of("2 provisioned pollers", None, 115.0, "critical_p95_s is unknown, wanted at most 5"),
    ),
)


def picture_of(page: str) -> list[ET.Element]:
    """The pictures of a page."""
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]  # noqa: S314 - our own page


def test_the_verdict_is_the_knee_and_what_it_is_made_of() -> None:
    """In one line."""
    assert REPORT.verdict == "knee 11.00 alerts a second; saturated: pollers"


def test_several_runs_have_a_middle_and_a_spread() -> None:
    """A knee is worth as much as it repeats."""
    runs = replace(REPORT, searches=(search_of(11.0), search_of(10.0), search_of(10.5)))
    assert runs.knee_per_s == 10.5
    assert runs.knee == "10.50 alerts a second, spread 10% over 3 runs"


@pytest.mark.parametrize(
    ("knee", "says"),
    [
        (Knee(4.0, 8.0, None, 8), "between 4.00 and 8.00"),
        (Knee(None, 2.0, None, 8), "below 2.00"),
        (Knee(64.0, None, None, 8), "above 64.00"),
    ],
)
def test_what_the_probes_did_not_settle_is_told_as_far_as_it_is_known(knee: Knee, says: str) -> None:
    """And no number is made up."""
    report = replace(REPORT, searches=(Search(knee, None, ()), search_of(3.0)))
    assert report.knee_per_s is None
    assert says in report.verdict
    assert report.verdict.endswith("nothing failed")


def test_rows_have_a_cell_for_each_head_and_unknown_for_what_was_not_measured() -> None:
    """A table that is read by a script keeps its columns."""
    assert all(len(row) == len(PROBE_HEADS) for row in REPORT.probe_rows())
    rows = list(REPORT.sweep_rows())
    assert all(len(row) == len(SWEEP_HEADS) for row in rows)
    assert rows[2][1] == "unknown"


def test_the_page_shows_each_probe_and_each_setting_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    """No script, no address, no markup by what a figure says; what was not measured is in no picture."""
    file = tmp_path / "reports" / "throughput.html"
    write_page(REPORT, file)
    page = file.read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|url\(|@import|https?:", page)
    assert "<processing>" not in page
    knee, swept = picture_of(page)
    assert len(knee.findall("circle")) == 4
    assert len(swept.findall("circle")) == 2
    assert "as configured" in {text.text for text in swept.iter("text")}
    assert "assumed" in page


def test_a_run_without_a_sweep_has_one_picture() -> None:
    """Nothing is drawn of nothing."""
    assert len(picture_of(render(replace(REPORT, sweep=(), sweep_per_s=None)))) == 1


@pytest.mark.parametrize("values", [[(0.0, 0.0)], [(1e-6, 5e5)], [(3.0, 3.0), (3.0, 3.0)], []])
def test_a_chart_is_drawn_of_any_numbers(values: list[tuple[float, float]]) -> None:
    """Also of none; every point lies within the picture."""
    svg = Chart("t", "x", "y").draw([Point(x, y, "pass", "p", named=True) for x, y in values], marked_x=None)
    for circle in svg.findall("circle"):
        assert 0 <= float(circle.attrib["cx"]) <= 960
        assert 0 <= float(circle.attrib["cy"]) <= 380


def test_labels_of_points_close_together_do_not_lie_on_each_other() -> None:
    """So each can be read."""
    points = [Point(50.0, 0.4 + 0.001 * n, "pass", f"setting {n}", named=True) for n in range(6)]
    labels = [text for text in Chart("t", "x", "y").draw(points).iter("text") if text.get("class") == "name"]
    heights = sorted(float(label.attrib["y"]) for label in labels)
    assert all(later - earlier >= 14 for earlier, later in itertools.pairwise(heights))


def test_a_chart_of_names_joins_the_points_of_a_kind_and_keeps_their_words_within() -> None:
    """A last point has its words to its left, a lowest one above; intervals reach as far as the axis."""
    points = [
        Point(0, 0.0, "a", "the lowest and first", named=True),
        Point(1, 4.0, "b", "b", interval=(1.0, 9.0)),
        Point(2, 3.0, "a", "the last one of all of them", named=True),
    ]
    chart = Chart("t", "x", "y", names=["512", "1024", "2048"], width=400, height=280, right=16, name_drop=22)
    svg = chart.draw(points, joined=True)
    last, lowest = (text for text in svg.iter("text") if text.get("class") == "name")
    assert last.get("text-anchor") == "end"
    assert float(lowest.attrib["y"]) < 280 - 48
    assert [line.get("class") for line in svg.findall("line")].count("a") == 1
    (interval,) = (line for line in svg.findall("line") if line.get("class") == "b interval")
    assert 16 <= float(interval.attrib["y2"]) < float(interval.attrib["y1"]) < 280 - 48
    assert {"512", "1024", "2048"} <= {text.text for text in svg.iter("text")}


def test_an_axis_of_many_names_writes_each_so_many_th() -> None:
    """20 sizes lie on each other otherwise."""
    chart = Chart("t", "x", "y", names=[f"{number}" for number in range(100, 120)])
    texts = {text.text for text in chart.draw([Point(3, 1.0, "a", "p")]).iter("text")}
    assert {"100", "102", "118"} <= texts
    assert not {"101", "119"} & texts


def test_a_search_says_what_saturates_at_its_lowest_failing_rate() -> None:
    """There the limit shows alone; further up everything is busy."""
    refused = Telemetry(seconds=40.0, posts=400, model_calls=100, model_refused=5)
    overloaded = replace(refused, late_posts=300)

    def probe(per_s: float, seconds: float) -> ProbeResult:
        telemetry = refused if per_s < 5.5 else overloaded
        breaches = ("b",) if per_s > 5 else ()
        return ProbeResult(per_s, seconds, MEASURES, min(per_s, 5.0), breaches, telemetry)

    found = find_knee(probe, seconds=40.0)
    assert found.knee.per_s == 5.0
    assert found.saturation is not None
    assert found.saturation.resource is Resource.MODEL
    assert [round(one.per_s, 2) for one in found.probes] == [3.0, 6.0, 4.76, 5.25]
