"""The report of a memory search: its table, its page and its JSON."""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from loadtests.sizing.page import write_page
from loadtests.sizing.plan import Plan
from loadtests.sizing.report import HEADS, FunctionReport, SizingReport, report_of
from loadtests.sizing.search import Found, search
from ops.tune_output import print_sizing
from tests.fakes.lambda_samples import Shape, ShapedSite, cpu_bound, io_bound

SIZES = (256, 512, 1024, 3008)
PLAN = Plan(sizes=SIZES, payloads={"one": 1.0})


def found_of(shape: Shape, plan: Plan = PLAN) -> Found:
    """A search on a site that measures up to 2,000 MB."""
    return search(ShapedSite(shape, most_mb=2_000), shape.name, plan)


def whole(memory_mb: Mapping[str, int]) -> float | None:
    """A pipeline that costs a dollar for each GB of memory."""
    return sum(memory_mb.values()) / 1024


FOUND = (
    found_of(Shape(name="reception", duration=io_bound(40, 1))),
    found_of(Shape(name="analysis", duration=cpu_bound(60), needs_mb=300)),
    found_of(
        Shape(name="<recovery>", duration=cpu_bound(60), sigma=0.9, outliers=0.1),
        replace(PLAN, invocations_max=100),
    ),
)
NOW = {"reception": 1024, "analysis": 1024, "<recovery>": 512}
REPORT = report_of(FOUND, NOW, site="a made-up machine", began_at="2026-11-29 20:00 UTC", whole=whole)
RECEPTION, ANALYSIS, RECOVERY = REPORT.functions


def test_the_verdict_names_each_size_and_what_the_pipeline_costs_before_and_after() -> None:
    """In a line; what is undecided is said to be, and does not count as changed."""
    after = (256 + REPORT.chosen["analysis"] + 512) / 1024
    assert "reception 256, " in REPORT.verdict
    assert re.search(r"<recovery> \d+ \(undecided\)", REPORT.verdict)
    assert f"$ 2.5000 per 1,000 alerts now, $ {after:.4f} with these sizes" in REPORT.verdict
    assert "\n" not in REPORT.verdict
    assert REPORT.chosen.keys() == {"reception", "analysis"}


def test_a_whole_cost_that_is_unknown_is_told_as_such() -> None:
    """No number is made up."""
    unknown = report_of(FOUND, {}, site="s", began_at="t", whole=lambda _: None)
    assert unknown.whole == "whole pipeline: unknown"
    assert "(now" not in unknown.functions[0].verdict


def rows_of(report: FunctionReport) -> dict[str, dict[str, str]]:
    """The rows by size, each by its heads."""
    return {row[0]: dict(zip(HEADS, row, strict=True)) for row in report.rows()}


def test_rows_say_whose_choice_a_size_is_and_why_another_is_none() -> None:
    """Failures in their own words, and sizes that cannot be measured here."""
    rows = rows_of(RECEPTION)
    assert rows["256"][""] == "chosen, Power Tuning"
    assert rows["1024"][""].startswith("now; ")
    assert "or more" in rows["1024"][""]
    assert rows["3008"][""] == "not measurable here: 2 cores"
    assert rows_of(ANALYSIS)["256"][""] == "out of memory"
    assert "best so far" in {row[""].partition(",")[0] for row in rows_of(RECOVERY).values()}


def test_what_rests_on_too_few_samples_is_not_shown() -> None:
    """A p99 of 20 invocations is their slowest; of a size that failed there is nothing."""
    rows = rows_of(RECEPTION)
    assert rows["512"]["p99 ms"] == "-"
    assert re.fullmatch(r"[\d.]+ ±\d+%", rows["512"]["p95 ms"])
    assert set(rows_of(ANALYSIS)["256"].values()) >= {"-", "0 (0)"}


def test_intervals_hold_their_values_and_the_cpu_share_is_shown_beside_them() -> None:
    """For each size that was measured."""
    for size in RECEPTION.sizes[:3]:
        for estimate in (size.usd, size.warm_ms.p50, size.warm_ms.p95, size.cold_ms.p50):
            assert estimate is not None
            assert estimate.low <= estimate.value <= estimate.high
        assert size.cpu_share == pytest.approx(size.target_share, rel=0.05)


def test_the_json_is_the_whole_report() -> None:
    """It can be read back as what it was."""
    assert msgspec.json.decode(msgspec.json.encode(REPORT), type=SizingReport) == REPORT


def test_the_table_fits_80_columns() -> None:
    """And ends with the recommendation."""
    console = Console(width=80, record=True, file=io.StringIO(), highlight=False)
    print_sizing(REPORT, console, Path("memory.html"))
    lines = console.export_text().splitlines()
    tables = [line for line in lines if re.match(r"\s*(MB|\d+ )", line)]
    assert len(tables) >= 15
    assert all(len(line) <= 80 for line in tables)
    assert lines[-1] == f"{REPORT.verdict}   report: memory.html"


def test_the_page_shows_three_curves_of_each_function_and_needs_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    """No script, no address, no markup by a name; sizes that failed stand at the bottom with their reason."""
    file = tmp_path / "reports" / "memory.html"
    write_page(REPORT, file)
    page = file.read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|url\(|@import|https?:|<recovery>", page)
    pictures = [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]  # noqa: S314 - our own page
    assert len(pictures) == 9
    cost = pictures[3]
    assert {text.text for text in cost.iter("text")} >= {"out of memory", "not measurable here"}
    assert len([line for line in cost.iter("line") if line.get("class") == "cost interval"]) == 2
    assert "a made-up machine" in page
    assert "whole pipeline: $ 2.5000" in page


def test_where_no_size_will_do_there_is_a_row_for_each_and_no_picture(tmp_path: Path) -> None:
    """A page of nothing but failures is a page."""
    nothing = report_of(
        [found_of(Shape(name="huge", duration=cpu_bound(60), needs_mb=9_000))],
        {},
        site="s",
        began_at="t",
        whole=lambda _: 0.0,
    )
    write_page(nothing, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<svg" not in page
    assert page.count("out of memory") >= 3
    assert "huge none" in nothing.verdict
