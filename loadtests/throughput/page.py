"""The report of a tuning run as one page: where the knee is, and p95 beside price for each setting."""

from pathlib import Path
from xml.etree.ElementTree import Element

from clients.report_page import add, add_figures, add_table, new_page, text_of
from loadtests.chart import STYLE, Chart, Point
from loadtests.throughput.report import NUMBER_HEADS, PROBE_HEADS, SWEEP_HEADS, TuningReport, number


def write_page(report: TuningReport, file: Path) -> None:
    """Write the page, with its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(render(report), encoding="utf-8")


def render(report: TuningReport) -> str:
    """The page."""
    html, body = new_page(f"Throughput of stack {report.stack}", STYLE)
    add(body, "h1", f"Throughput of stack {report.stack}")
    add(body, "p", f"One region, {report.region}; {report.began_at}")
    saturation = report.saturation
    probes = [probe for search in report.searches for probe in search.probes]
    add_figures(
        body,
        [
            ("knee", report.knee, "the highest rate that meets the thresholds"),
            ("saturated", saturation.resource if saturation else "nothing", "at the lowest rate that failed"),
            ("probes", f"{len(probes)}", f"in {len(report.searches)} searches"),
        ],
    )
    if saturation:
        add(body, "p", f"{saturation.resource}: {saturation.evidence}.")
    for note in report.notes:
        add(body, "p", note, "soft")
    _knee(body, report)
    if report.sweep:
        _sweep(body, report)
    return text_of(html)


def _knee(body: Element, report: TuningReport) -> None:
    add(body, "h2", "Offered and served")
    key = add(body, "p", "", "key soft")
    for kind, words in (("pass", "met the thresholds"), ("fail", "missed one")):
        add(key, "span", "", f"{kind}-key").tail = words
    probes = [probe for search in report.searches for probe in search.probes]
    points = [
        Point(
            probe.per_s,
            probe.served_per_s,
            "pass" if probe.passed else "fail",
            "; ".join(probe.breaches) or "met every threshold",
        )
        for probe in probes
    ]
    chart = Chart("Offered and served", "offered, alerts a second", "served, alerts a second")
    picture = add(body, "div", "", "wide")
    picture.append(chart.draw(points, marked_x=report.knee_per_s, diagonal=True))
    add_table(body, PROBE_HEADS, report.probe_rows(), numbers=NUMBER_HEADS)


def _sweep(body: Element, report: TuningReport) -> None:
    add(body, "h2", f"Mappings of the queues, at {number(report.sweep_per_s)} alerts a second")
    points = [
        Point(
            row.usd_per_month, row.critical_p95_s, "fail" if row.breaches else "pass", row.variant, named=True
        )
        for row in report.sweep
        if row.critical_p95_s is not None
    ]
    chart = Chart("p95 of CRITICAL alerts beside price", "$ a month", "CRITICAL to Slack, p95 s")
    add(body, "div", "", "wide").append(chart.draw(points))
    add_table(body, SWEEP_HEADS, report.sweep_rows(), numbers=NUMBER_HEADS)
