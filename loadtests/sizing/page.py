"""The report of a memory search as one page: cost and latency of each function beside its sizes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from clients.report_page import add, add_figures, add_table, new_page, text_of
from loadtests.chart import STYLE, Chart, Point
from loadtests.sizing.estimates import Estimate
from loadtests.sizing.report import A_MILLION, HEADS, NUMBER_HEADS, PARTS, FunctionReport, SizingReport

_KEY: Final = (
    ("cost", "cost"),
    ("p50", "p50"),
    ("p95", "p95"),
    ("p99", "p99"),
    ("fail", "failed, or not measurable here"),
)
_MEASURED: Final = "bars are 95 % intervals"
_NAME_DROP: Final = 22.0
"""Of a mark's words below its point, or above it where curves fall."""


def write_page(report: SizingReport, file: Path) -> None:
    """Write the page, with its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(render(report), encoding="utf-8")


def render(report: SizingReport) -> str:
    """The page."""
    html, body = new_page("Memory of the functions", STYLE)
    add(body, "h1", "Memory of the functions")
    add(body, "p", f"{report.began_at}; {report.whole}")
    add_figures(
        body,
        [
            (
                one.function,
                f"{one.chosen_mb} MB" if one.chosen_mb else "none",
                f"now {one.before_mb or 'unknown'}, Power Tuning {one.power_tuning_mb or 'none'}"
                + ("" if one.decided else "; undecided"),
            )
            for one in report.functions
        ],
    )
    for note in report.notes:
        add(body, "p", note, "soft")
    key = add(body, "p", "", "key soft")
    for kind, words in _KEY:
        add(key, "span", "", f"{kind}-key").tail = words
    key[-1].tail = f"{_KEY[-1][1]}; {_MEASURED}"
    for one in report.functions:
        _function(body, one)
    return text_of(html)


def _function(body: Element, report: FunctionReport) -> None:
    add(body, "h2", report.function)
    weights = ", ".join(f"{name} {weight:g}" for name, weight in report.payloads.items())
    add(body, "p", f"{report.strategy}: {report.verdict.partition(': ')[2]}")
    add(body, "p", f"{report.invocations} invocations; payloads by weight: {weights}", "soft")
    charts = add(body, "div", "", "charts")
    cost = {"cost": [size.usd for size in report.sizes]}
    _chart(charts, report, "cost, $ a million invocations", cost, factor=A_MILLION)
    for axis, latencies in (
        ("warm, ms", [size.warm_ms for size in report.sizes]),
        ("cold, INIT included, ms", [size.cold_ms for size in report.sizes]),
    ):
        curves = {part: [getattr(one, part) for one in latencies] for part in PARTS}
        _chart(charts, report, axis, curves, name_drop=-_NAME_DROP)
    add_table(body, HEADS, report.rows(), numbers=NUMBER_HEADS)


def _chart(
    parent: Element,
    report: FunctionReport,
    axis: str,
    curves: Mapping[str, Sequence[Estimate | None]],
    *,
    factor: float = 1.0,
    name_drop: float = _NAME_DROP,
) -> None:
    """A chart of curves over the sizes; the first curve has the marks, and below it is what failed."""
    points: list[Point] = []
    for kind, estimates in curves.items():
        for place, (size, estimate) in enumerate(zip(report.sizes, estimates, strict=True)):
            marks = report.marks(size) if not points or points[0].kind == kind else ""
            if estimate is not None:
                interval = estimate.low * factor, estimate.high * factor
                name = marks or f"{size.memory_mb} MB, {kind}"
                points.append(Point(place, estimate.value * factor, kind, name, bool(marks), interval))
    if points:
        failed = [(place, size.bad) for place, size in enumerate(report.sizes) if size.bad]
        points += [Point(place, 0.0, "fail", _short(reason), name_drop > 0) for place, reason in failed]
        names = [f"{size.memory_mb}" for size in report.sizes]
        chart = Chart(axis, "MB", axis, names, width=400, height=280, right=16, name_drop=name_drop)
        parent.append(chart.draw(points, joined=True))


def _short(reason: str) -> str:
    """A reason as long as there is place for."""
    return reason.partition(":")[0].replace("_", " ")
