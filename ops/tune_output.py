"""What `responder tune` prints."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.box import SIMPLE
from rich.console import Console

from loadtests.sizing.report import HEADS, SizingReport
from loadtests.throughput.knee import Knee, spread_of, text_of
from loadtests.throughput.planted import Finding
from loadtests.throughput.report import PROBE_HEADS, SWEEP_HEADS, TuningReport
from ops.tables import make_table, print_table

_PERCENT: Final = 100


def print_report(result: TuningReport, console: Console, report: Path) -> None:
    """Print the tables of a search, and its verdict last."""
    _print_met(PROBE_HEADS, result.probe_rows(), "Probes", console)
    if result.sweep:
        title = f"Mappings at {result.sweep_per_s:.2f} alerts a second"
        _print_met(SWEEP_HEADS, result.sweep_rows(), title, console)
    if result.saturation:
        console.print(f"{result.saturation.resource}: {result.saturation.evidence}", soft_wrap=True)
    for note in result.notes:
        console.print(note, soft_wrap=True, style="dim")
    console.print(f"{result.verdict}   report: {report}", soft_wrap=True)


def _print_met(heads: Sequence[str], rows: Iterable[Sequence[str]], title: str, console: Console) -> None:
    """Print rows whose last column says what was missed: in words below, where there is room for them."""
    table, missed = make_table(*heads[:-1], "met", title=title, whole={heads[0]}), []
    for *cells, breaches in rows:
        table.add_row(*cells, "no" if breaches else "yes")
        if breaches:
            missed.append(f"{heads[0]} {cells[0]} missed: {breaches}")
    print_table(table, console)
    for line in missed:
        console.print(line, soft_wrap=True, highlight=False)


def print_sizing(result: SizingReport, console: Console, report: Path, change: Sequence[str] = ()) -> None:
    """Print a table of sizes for each function, what writing them changes, and the recommendation last."""
    for function in result.functions:
        table = make_table(*HEADS, title=function.verdict, box=SIMPLE, padding=0, pad_edge=False)
        for row in function.rows():
            table.add_row(*row)
        print_table(table, console)
    for note in result.notes:
        console.print(note, soft_wrap=True, style="dim")
    for line in change:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    console.print(f"{result.verdict}   report: {report}", soft_wrap=True)


def finding_row(finding: Finding) -> tuple[str, ...]:
    """What was planted and found, as a row of text."""
    found = finding.knee.per_s
    return (
        str(finding.resource),
        f"{finding.planted_per_s:.2f}",
        "-" if found is None else f"{found:.2f}",
        "-" if finding.error is None else f"{finding.error * _PERCENT:+.1f}",
        str(finding.named),
        f"{finding.knee.probes}",
        f"{finding.took_s:.0f} s",
    )


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print a table of what was planted and found."""
    table = make_table("limit", "planted/s", "found/s", "error %", "named", "probes", "took", whole={"limit"})
    for finding in findings:
        table.add_row(*finding_row(finding))
    print_table(table, console)


def machine_text(knees: Sequence[Knee]) -> str:
    """The knees of the machine itself, and their spread."""
    spread = spread_of(knees)
    of_runs = "" if spread is None else f", spread {spread:.1%}"
    return f"the machine's own knee: {'; '.join(map(text_of, knees))}{of_runs}"
