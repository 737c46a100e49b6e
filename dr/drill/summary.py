"""A drill's report in a few lines of Markdown, to paste into a review or a channel."""

from pathlib import Path
from typing import Final

from clients.report_page import printable
from dr.drill.page import figures, seconds
from dr.drill.report import EMULATED, DrillReport

SUMMARY_FILE: Final = "drill.md"
LISTED: Final = 20
_MARKUP: Final = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]<>#|!"})


def write_summary(report: DrillReport, folder: Path) -> Path:
    """Write `drill.md`; return the file."""
    path = folder / SUMMARY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(summarise(report), encoding="utf-8")
    return path


def summarise(report: DrillReport) -> str:
    """The text. What alerts and files say is escaped."""
    verdict = "passed" if report.passed else "FAILED"
    lines = [
        f"## Drill {verdict}: {_plain(report.title)}",
        "",
        f"Stack `{report.stack}`, {report.began_at}, {report.took_s:g} s, drill `{report.drill_id}`.",
    ]
    if report.emulated:
        lines.append(f"*{EMULATED}*")
    lines += ["", "| | | |", "|---|---:|---|"]
    lines += [f"| {name} | {value} | {against} |" for name, value, against in figures(report)]
    parts = ", ".join(f"{name} {seconds(value)}" for name, value in report.rto.parts_s.items())
    lines += ["", f"RTO: {parts}."]
    if report.rto.served_again_s is not None:
        lines.append(f"Sources were served by the other region after {seconds(report.rto.served_again_s)}.")
    lines.append("")
    lines += [f"- missed: {_plain(line)}" for line in report.missed]
    lines += [
        f"- slower than on {report.compared_with}: {_plain(change.measure)}, {seconds(change.before_s)} "
        f"then, {seconds(change.now_s)} now"
        for change in report.slower
    ]
    problems = list((report.audit.problems if report.audit else {}).items())
    lines += [f"- unaccounted {_plain(subject)}: {_plain(what)}" for subject, what in problems[:LISTED]]
    if len(problems) > LISTED:
        lines.append(f"- and {len(problems) - LISTED} more in the JSON")
    return "\n".join(lines).rstrip() + "\n"


def _plain(text: str) -> str:
    return " ".join(printable(text).translate(_MARKUP).split())
