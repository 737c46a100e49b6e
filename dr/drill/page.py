"""The drill's report as one page that needs nothing besides: no script, no font, no picture from elsewhere.

Built as elements, never as text, so that nothing an alert, a file or an error said can become markup.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec

from dr.drill.measures import Failure, Rpo
from dr.drill.record import PhaseRun, StepRun
from dr.drill.report import EMULATED, DrillReport
from dr.drill.timeline import draw, kind_of

PAGE_FILE: Final = "drill.html"
STYLE: Final = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
LISTED: Final = 100
"""Problems on the page; the JSON has more."""

_NUMBERS: Final = "number"
_NUMBER_HEADS: Final = ("began after", "took", "count", "then", "now", "before the fault", "after the fault")
_INDENT: Final = "\u2003"
_SPACES: Final = frozenset(f"\n\t{_INDENT}")


def write_page(report: DrillReport, folder: Path) -> Path:
    """Write `drill.html`; return the file."""
    path = folder / PAGE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(report), encoding="utf-8")
    return path


def render(report: DrillReport) -> str:
    """The page."""
    html = Element("html", {"lang": "en"})
    head = SubElement(html, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    SubElement(head, "title").text = f"Drill: {report.title}"
    SubElement(head, "style").text = STYLE
    body = SubElement(html, "body")
    _opening(body, report)
    _figures(body, report)
    _picture(body, report)
    _rto(body, report)
    _alerts(body, report)
    _comparison(body, report)
    _steps(body, report)
    _found(body, report)
    _problems(body, report)
    for element in html.iter():
        element.text = printable(element.text or "") if element.tag != "style" else element.text
    return f"<!DOCTYPE html>\n{tostring(html, encoding='unicode', method='html')}\n"


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


def printable(text: str) -> str:
    """Without what no document may hold or what turns its writing around: control and format characters."""
    return "".join(
        character if character.isprintable() or character in _SPACES else "\ufffd" for character in text
    )


def _opening(body: Element, report: DrillReport) -> None:
    _add(body, "h1", f"Drill: {report.title}")
    verdict = _add(body, "p", "")
    word = "passed" if report.passed else "failed-word"
    _add(verdict, "strong", "Passed" if report.passed else "Failed", word)
    verdict[
        -1
    ].tail = f" on stack {report.stack}, {report.began_at}, in {report.took_s:g} s (drill {report.drill_id})"
    if report.emulated:
        _add(body, "p", EMULATED, "emulated")
    for line in report.missed:
        _add(body, "p", line, "failed-word")


def _figures(body: Element, report: DrillReport) -> None:
    box = _add(body, "div", "", "figures")
    for name, value, against in figures(report):
        figure = _add(box, "div", name, "figure")
        _add(figure, "b", value)
        _add(figure, "span", against, "soft")


def _picture(body: Element, report: DrillReport) -> None:
    _add(body, "h2", "Both regions")
    bar = f"A bar is {report.timeline.bucket_s} s of tries, by the time of their answer."
    _add(body, "p", f"{bar} Times are seconds since the drill began.", "soft")
    key = _add(body, "p", "", "key soft")
    colours = [("accepted", "alerts accepted")]
    colours += [(kind_of(failure), f"failed: {failure}") for failure in Failure]
    colours += [(name, f"{name} {seconds(value)}") for name, value in report.rto.parts_s.items()]
    if report.timeline.silences:
        colours.append(("silence", "the drill's process was dead"))
    for colour, word in colours:
        SubElement(key, "span", {"style": f"background: var(--{colour})"}).tail = word
    box = _add(body, "div", "", "wide")
    box.append(draw(report.timeline, moments=report.moments, phases=report.phases))


def _rto(body: Element, report: DrillReport) -> None:
    _add(body, "h2", "RTO")
    _add(body, "p", report.rto_meaning, "soft")
    rows = [(name, seconds(value)) for name, value in report.rto.parts_s.items()]
    rows.append(("RTO", seconds(report.rto.total_s)))
    if report.rto.served_again_s is not None:
        rows.append(("sources served again by the other region", seconds(report.rto.served_again_s)))
    _table(body, ("part", "took"), rows)


def _alerts(body: Element, report: DrillReport) -> None:
    _add(body, "h2", "Alerts")
    _add(body, "p", f"RPO: {report.rpo_meaning}", "soft")
    load = report.load
    rows = [
        ("posted", load.posted),
        ("accepted (202)", load.accepted),
        *((f"{_INDENT}by {region}", count) for region, count in load.by_region.items()),
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
            ("unaccounted", audit.unaccounted),
        ]
    for cause, count in (report.duplicates_by_cause or {}).items():
        rows.append((f"duplicates: {cause.replace('_', ' ')}", count))
    _table(body, ("alerts", "count"), [(name, str(count)) for name, count in rows])
    before, after = load.failed_before_fault, load.failed_after_fault
    tries = [(str(failure), f"{before[failure]}", f"{after[failure]}") for failure in Failure]
    tries.append(("all", f"{sum(before.values())}", f"{sum(after.values())}"))
    _table(body, ("tries that failed", "before the fault", "after the fault"), tries)


def _comparison(body: Element, report: DrillReport) -> None:
    _add(body, "h2", "Against the last drill of this scenario")
    if not report.changes:
        none = "One that was resumed is not compared." if report.resumed else "There is none to compare with."
        _add(body, "p", none, "soft")
        return
    _add(body, "p", f"The one of {report.compared_with}.", "soft")
    rows = [
        (
            change.measure,
            seconds(change.before_s),
            seconds(change.now_s),
            "slower" if change.slower else "",
        )
        for change in report.changes
    ]
    _table(body, ("measure", "then", "now", ""), rows)


def _steps(body: Element, report: DrillReport) -> None:
    _add(body, "h2", "Phases and steps")
    rows = []
    for run in report.phases:
        parts: list[tuple[str, PhaseRun | StepRun]] = [("", run), *((_INDENT, step) for step in run.steps)]
        for indent, part in parts:
            began = _took(report.timeline.began_ms, part.began_ms)
            rows.append((f"{indent}{part.name}", began, _took(part.began_ms, part.ended_ms), part.detail))
    _table(body, ("phase", "began after", "took", "what came of it"), rows)


def _found(body: Element, report: DrillReport) -> None:
    _add(body, "h2", "What was found, and rolled back")
    facts: Mapping[str, object] = msgspec.to_builtins(report.facts)
    rows = [(name.replace("_", " "), _plain(value)) for name, value in facts.items()]
    rows += [("rolled back", what) for what in report.rollback.done]
    rows += [("not rolled back", what) for what in report.rollback.not_done]
    _table(body, ("what", "value"), rows, numbers=())


def _problems(body: Element, report: DrillReport) -> None:
    if report.audit is None:
        return
    problems = [*report.audit.problems.items(), *report.audit.unexplained.items()]
    _add(body, "h2", f"Problems of the audit: {len(problems)}")
    if problems:
        _table(body, ("alert", "problem"), problems[:LISTED], numbers=())
    if len(problems) > LISTED:
        _add(body, "p", f"and {len(problems) - LISTED} more in the JSON", "soft")


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


def _table(
    parent: Element,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = _NUMBER_HEADS,
) -> None:
    table = SubElement(_add(parent, "div", "", "wide"), "table")
    kinds = [_NUMBERS if name in numbers else "" for name in heads]
    line = SubElement(SubElement(table, "thead"), "tr")
    for name, kind in zip(heads, kinds, strict=True):
        _add(line, "th", name, kind)
    rows_of = SubElement(table, "tbody")
    for row in rows:
        line = SubElement(rows_of, "tr")
        for cell, kind in zip(row, kinds, strict=True):
            _add(line, "td", cell, kind)


def _add(parent: Element, tag: str, text: str, kind: str = "") -> Element:
    element = SubElement(parent, tag, {"class": kind} if kind else {})
    element.text = text
    return element
