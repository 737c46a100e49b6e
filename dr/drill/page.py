"""The drill's report as one page."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement

import msgspec

from clients.report_page import INDENT, add, add_figures, add_table, new_page, text_of
from dr.drill.measures import Failure, Rpo
from dr.drill.record import PhaseRun, StepRun
from dr.drill.report import EMULATED, DrillReport
from dr.drill.timeline import draw, kind_of

PAGE_FILE: Final = "drill.html"
STYLE: Final = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
LISTED: Final = 100
"""Problems on the page; the JSON has more."""

_NUMBER_HEADS: Final = ("began after", "took", "count", "then", "now", "before the fault", "after the fault")


def write_page(report: DrillReport, folder: Path) -> Path:
    """Write `drill.html`; return the file."""
    path = folder / PAGE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(report), encoding="utf-8")
    return path


def render(report: DrillReport) -> str:
    """The page."""
    html, body = new_page(f"Drill: {report.title}", STYLE)
    _opening(body, report)
    add_figures(body, figures(report))
    _picture(body, report)
    _rto(body, report)
    _alerts(body, report)
    _comparison(body, report)
    _steps(body, report)
    _found(body, report)
    _problems(body, report)
    return text_of(html)


def seconds(value: float | None) -> str:
    """A duration as people read it; a missing one is unknown."""
    return "unknown" if value is None else f"{value:.1f} s"


def figures(report: DrillReport) -> Sequence[tuple[str, str, str]]:
    """What is asked first, and what must not be overlooked: name, value and what it is held against."""
    load, rpo, duplicates = report.load, report.rpo, report.duplicates_by_cause
    early, late = _counted(load.failed_before_fault), _counted(load.failed_after_fault)
    rows = [
        ("RTO", seconds(report.rto.total_s), f"objective {report.objectives.rto_s:g} s"),
        (
            "RPO",
            "unknown" if rpo.alerts is None else f"{rpo.alerts} lost",
            f"objective {report.objectives.rpo_alerts} lost{_age(rpo)}",
        ),
        (
            "accepted",
            f"{load.accepted}",
            f"{load.accepted_before_fault} before the fault, {load.accepted_after_fault} after",
        ),
        ("unaccounted", "unknown" if rpo.alerts is None else f"{rpo.alerts}", "by the audit, by id"),
        (
            "duplicates",
            "unknown" if duplicates is None else f"{sum(duplicates.values())}",
            f"in Slack: {_counted(duplicates)}" if duplicates else "in Slack",
        ),
        ("failed tries", f"{load.failed_tries}", f"before the fault: {early}; after: {late}"),
    ]
    if report.resumed:
        times = "once" if report.resumed == 1 else f"{report.resumed} times"
        rows.append(("resumed", times, "its process died and another one went on; its times include that"))
    return rows


def _opening(body: Element, report: DrillReport) -> None:
    add(body, "h1", f"Drill: {report.title}")
    verdict = add(body, "p", "")
    word = "passed" if report.passed else "failed-word"
    add(verdict, "strong", "Passed" if report.passed else "Failed", word)
    verdict[
        -1
    ].tail = f" on stack {report.stack}, {report.began_at}, in {report.took_s:g} s (drill {report.drill_id})"
    if report.emulated:
        add(body, "p", EMULATED, "emulated")
    for line in report.missed:
        add(body, "p", line, "failed-word")


def _picture(body: Element, report: DrillReport) -> None:
    add(body, "h2", "Both regions")
    bar = f"A bar is {report.timeline.bucket_s} s of tries, by the time of their answer."
    add(body, "p", f"{bar} Times are seconds since the drill began.", "soft")
    key = add(body, "p", "", "key soft")
    colours = [("accepted", "alerts accepted")]
    colours += [(kind_of(failure), f"failed: {failure}") for failure in Failure]
    colours += [(name, f"{name} {seconds(value)}") for name, value in report.rto.parts_s.items()]
    if report.timeline.silences:
        colours.append(("silence", "the drill's process was dead"))
    for colour, word in colours:
        SubElement(key, "span", {"style": f"background: var(--{colour})"}).tail = word
    box = add(body, "div", "", "wide")
    box.append(draw(report.timeline, moments=report.moments, phases=report.phases))


def _rto(body: Element, report: DrillReport) -> None:
    add(body, "h2", "RTO")
    add(body, "p", report.rto_meaning, "soft")
    rows = [(name, seconds(value)) for name, value in report.rto.parts_s.items()]
    rows.append(("RTO", seconds(report.rto.total_s)))
    if report.rto.served_again_s is not None:
        rows.append(("sources served again by the other region", seconds(report.rto.served_again_s)))
    add_table(body, ("part", "took"), rows, numbers=_NUMBER_HEADS)


def _alerts(body: Element, report: DrillReport) -> None:
    add(body, "h2", "Alerts")
    add(body, "p", f"RPO: {report.rpo_meaning}", "soft")
    load = report.load
    rows = [
        ("posted", load.posted),
        ("accepted (202)", load.accepted),
        *((f"{INDENT}by {region}", count) for region, count in load.by_region.items()),
        ("refused", load.refused),
        ("no final answer, so nothing promised", load.unanswered),
    ]
    if report.audit:
        audit = report.audit
        rows += [
            ("notified", audit.notified),
            ("in digests", audit.in_digests),
            ("suppressed", audit.suppressed),
            ("parked", audit.parked),
            *audit.by_people.items(),
            ("unaccounted", audit.unaccounted),
        ]
    for cause, count in (report.duplicates_by_cause or {}).items():
        rows.append((f"duplicates: {cause.replace('_', ' ')}", count))
    add_table(body, ("alerts", "count"), [(name, str(count)) for name, count in rows], numbers=_NUMBER_HEADS)
    before, after = load.failed_before_fault, load.failed_after_fault
    tries = [(str(failure), f"{before[failure]}", f"{after[failure]}") for failure in Failure]
    tries.append(("all", f"{sum(before.values())}", f"{sum(after.values())}"))
    add_table(
        body, ("tries that failed", "before the fault", "after the fault"), tries, numbers=_NUMBER_HEADS
    )


def _comparison(body: Element, report: DrillReport) -> None:
    add(body, "h2", "Against the last drill of this scenario")
    if not report.changes:
        none = "One that was resumed is not compared." if report.resumed else "There is none to compare with."
        add(body, "p", none, "soft")
        return
    add(body, "p", f"The one of {report.compared_with}.", "soft")
    rows = [
        (
            change.measure,
            seconds(change.before_s),
            seconds(change.now_s),
            "slower" if change.slower else "",
        )
        for change in report.changes
    ]
    add_table(body, ("measure", "then", "now", ""), rows, numbers=_NUMBER_HEADS)


def _steps(body: Element, report: DrillReport) -> None:
    add(body, "h2", "Phases and steps")
    rows = []
    for run in report.phases:
        parts: list[tuple[str, PhaseRun | StepRun]] = [("", run), *((INDENT, step) for step in run.steps)]
        for indent, part in parts:
            began = _took(report.timeline.began_ms, part.began_ms)
            rows.append((f"{indent}{part.name}", began, _took(part.began_ms, part.ended_ms), part.detail))
    add_table(body, ("phase", "began after", "took", "what came of it"), rows, numbers=_NUMBER_HEADS)


def _found(body: Element, report: DrillReport) -> None:
    add(body, "h2", "What was found, and rolled back")
    facts: Mapping[str, object] = msgspec.to_builtins(report.facts)
    rows = [(name.replace("_", " "), _plain(value)) for name, value in facts.items()]
    rows += [("rolled back", what) for what in report.rollback.done]
    rows += [("not rolled back", what) for what in report.rollback.not_done]
    add_table(body, ("what", "value"), rows)


def _problems(body: Element, report: DrillReport) -> None:
    if report.audit is None:
        return
    problems = [*report.audit.problems.items(), *report.audit.unexplained.items()]
    add(body, "h2", f"Problems of the audit: {len(problems)}")
    if problems:
        add_table(body, ("alert", "problem"), problems[:LISTED])
    if len(problems) > LISTED:
        add(body, "p", f"and {len(problems) - LISTED} more in the JSON", "soft")


def _age(rpo: Rpo) -> str:
    """How old the oldest lost alert was; nothing where none is lost or nobody knows."""
    return f"; the oldest was {seconds(rpo.seconds)} old at the fault" if rpo.alerts and rpo.seconds else ""


def _counted(counts: Mapping[str, int] | Mapping[Failure, int]) -> str:
    return (
        ", ".join(f"{count} x {what.replace('_', ' ')}" for what, count in counts.items() if count) or "none"
    )


def _took(began_ms: int, ended_ms: int | None) -> str:
    return "not ended" if ended_ms is None else f"{(ended_ms - began_ms) / 1_000:.1f} s"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
