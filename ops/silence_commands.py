"""`responder silence`: have nobody told of some alerts for a while, see what that does, and end it."""

import json
import secrets
import time
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from clients.silences import MadeSilences
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, DryRun, RunDir, printable
from ops.people_options import By, For, Until, checked_text, end_of, shown_time
from ops.tables import make_table, print_table
from topology.alerts import Severity
from topology.matchers import Matcher, parse_matcher, words_to_parts
from topology.silences import MAX_BY_CHARS, MAX_REASON_CHARS, Silence

MAX_SILENCE_S: Final = 7 * 86_400
"""Longer has to be said: what people forgot silences for ever."""

_PREVIEW_S: Final = 3_600

app = typer.Typer(help="Have nobody told of some alerts for a while.", no_args_is_help=True)

Long = Annotated[bool, typer.Option("--long", help="It may last longer than a week.")]
SilenceId = Annotated[str, typer.Argument(help="As `responder silence list` has it.")]


@app.command("add")
def add(  # noqa: PLR0913 - one option each
    matchers: Annotated[
        list[str],
        typer.Argument(
            help="NAME=PATTERN: source, service, title, host, severity or label.NAME; all must hold."
        ),
    ],
    *,
    reason: Annotated[str, typer.Option(help="Why.")],
    by: By,
    lasting: For = "",
    until: Until = "",
    critical: Annotated[
        bool, typer.Option("--critical", help="Silence CRITICAL alerts too; else they go out.")
    ] = False,
    long: Long = False,
    dry_run: DryRun = False,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Silence the alerts that match, from now on: in both regions, within seconds.

    They are SUPPRESSED. Once the silence ends, people are told of what still fires.
    """
    now_s = int(time.time())
    silence = Silence(
        silence_id=f"s-{secrets.token_hex(4)}",
        matcher=_matcher(matchers, critical=critical),
        from_s=now_s,
        until_s=_end(now_s, lasting, until, long=long),
        reason=checked_text("--reason", reason, MAX_REASON_CHARS),
        by=checked_text("--by", by, MAX_BY_CHARS),
        critical=critical,
    )
    made = MadeSilences(open_stack(run_dir, outputs, attempts_max=2).deployment)
    recent = made.accepted_since(now_s - _PREVIEW_S)
    would = sum(silence.covers(alert, now_s=now_s) for alert in recent)
    if not dry_run:
        made.add(silence, now_s=now_s)
    if as_json:
        last_hour = {"alerts": len(recent), "silenced": would}
        typer.echo(json.dumps({"made": not dry_run, "silence": silence.parts, "last_hour": last_hour}))
        return
    goes_out = "" if critical else "; CRITICAL ones go out all the same"
    typer.echo(f"it would have silenced {would} of {len(recent)} alerts of the last hour{goes_out}")
    if dry_run:
        typer.echo(f"would silence {silence.matcher} until {shown_time(silence.until_s)}; nothing was done")
    else:
        typer.echo(
            f"{silence.silence_id}: silences {silence.matcher} until {shown_time(silence.until_s)}; end it "
            f"before by `responder silence end {silence.silence_id}`"
        )


@app.command("list")
def list_silences(
    *,
    over: Annotated[bool, typer.Option("--over", help="Those that are over, too.")] = False,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """List silences, those of the configuration among them, and how many alerts each has silenced now."""
    made = MadeSilences(open_stack(run_dir, outputs, attempts_max=2).deployment)
    now_s, counts = int(time.time()), made.counts()
    found = [
        (silence, where)
        for silences, where in ((made.configured(), "configuration"), (made.read(), "command"))
        for silence in silences
        if over or silence.until_s > now_s or counts[silence.silence_id]
    ]
    if as_json:
        rows = [one.parts | {"made_by": w, "silenced": counts[one.silence_id]} for one, w in found]
        typer.echo(json.dumps(rows, indent=2))
        return
    console = Console()
    if found:
        table = make_table(
            "silence", "until", "alerts", "silences", "reason", "by", whole={"silence", "until"}
        )
        for one, where in found:
            state = "over since " if one.until_s <= now_s else "from " if one.from_s > now_s else ""
            at_s = one.from_s if one.from_s > now_s else one.until_s
            words = f"{one.matcher}{', CRITICAL too' if one.critical else ''}"
            cells = (words, one.reason, one.by or where)
            shown = [escape(printable(cell)) for cell in cells]
            table.add_row(one.silence_id, state + shown_time(at_s), str(counts[one.silence_id]), *shown)
        print_table(table, console)
    console.print(f"silences {len(found)}, silenced alerts {sum(counts.values())}")


@app.command("extend")
def extend(
    silence_id: SilenceId,
    *,
    lasting: For = "",
    until: Until = "",
    long: Long = False,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Have a silence end later than was said."""
    now_s = int(time.time())
    until_s = _end(now_s, lasting, until, long=long)
    made = MadeSilences(open_stack(run_dir, outputs, attempts_max=2).deployment)
    silence = made.extend(silence_id, until_s=until_s, now_s=now_s)
    _report(silence, f"lasts until {shown_time(until_s)}", as_json=as_json)


@app.command("end")
def end(
    silence_id: SilenceId,
    *,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """End a silence now: within a minute or two people are told of what still fires."""
    made = MadeSilences(open_stack(run_dir, outputs, attempts_max=2).deployment)
    silence = made.end(silence_id, now_s=int(time.time()))
    _report(silence, "is over; Recovery tells of what still fires within a minute or two", as_json=as_json)


def _report(silence: Silence, what: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(silence.parts) if as_json else f"{silence.silence_id} {what}")


def _matcher(words: list[str], *, critical: bool) -> Matcher:
    problems: list[str] = []
    matcher = parse_matcher("matchers", words_to_parts(words, problems), problems)
    if problems:
        raise typer.BadParameter("; ".join(problems))
    if Severity.CRITICAL in matcher.severity and not critical:
        raise typer.BadParameter(
            "it names CRITICAL, of which people are told all the same; add --critical to silence them too"
        )
    return matcher


def _end(now_s: int, lasting: str, until: str, *, long: bool) -> int:
    until_s = end_of(now_s=now_s, lasting=lasting, until=until)
    if until_s > now_s + MAX_SILENCE_S and not long:
        raise typer.BadParameter("it lasts longer than a week; add --long if that is meant")
    return until_s
