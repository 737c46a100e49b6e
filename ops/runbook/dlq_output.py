"""How `responder dlq` shows what lies in the dead-letter queues, and what became of it."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import typer
from rich.console import Console
from rich.markup import escape

from clients.logs import LogLine
from handlers.domain.redaction import redacted
from ops.hints import hinted
from ops.options import by_problem, printable
from ops.people_options import shown_age, shown_time
from ops.tables import make_table, print_table
from runbook.dead_letters.actions import Place, Survey, Tally
from runbook.dead_letters.letters import ADVICE, DeadLetter, Reason, counts

SHOWN_CHARS: Final = 60
"""Of a body, in a list."""

_WHOLE: Final = frozenset({"region", "queue", "reason", "messages", "oldest"})


def print_tallies(tallies: Sequence[Tally], verb: str) -> None:
    """Print how many messages were `verb` and left, by reason, and on stderr what kept it from more."""
    done = sum((tally.done for tally in tallies), Counter[Reason]())
    left = sum((tally.left for tally in tallies), Counter[Reason]())
    typer.echo(f"{verb} {_by_reason(done)}")
    if left:
        typer.echo(f"left {_by_reason(left)}")
    for tally in tallies:
        if tally.undeleted:
            typer.echo(f"{tally.place}: {tally.undeleted} could not be deleted; run it again", err=True)
        if tally.hidden:
            typer.echo(f"{tally.place}: {tally.hidden} are new, or with another run; run it again", err=True)
    for why, places in by_problem({str(tally.place): tally.problem for tally in tallies if tally.problem}):
        typer.secho(f"{places}: {why}", fg="red", err=True)


def _by_reason(reasons: Mapping[Reason, int]) -> str:
    parts = ", ".join(f"{reason} {reasons[reason]:,}" for reason in Reason if reasons.get(reason))
    return f"{sum(reasons.values()):,}" + (f" ({parts})" if parts else "")


def print_surveys(surveys: Sequence[Survey], lines: Mapping[str, LogLine]) -> None:
    """Print the messages as a table, by queue and reason, and what to do about each reason."""
    table = make_table("region", "queue", "reason", "messages", "oldest", "such as", "log", whole=_WHOLE)
    now_s, reasons = time.time(), set[Reason]()
    for survey in surveys:
        for reason, number in counts(survey.letters).items():
            letters = [letter for letter in survey.letters if letter.reason is reason]
            newest = _newest(letters, lines)
            reasons.add(reason)
            table.add_row(
                survey.place.region,
                survey.place.queue.suffix,
                reason,
                f"{number:,}",
                shown_age(now_s - min(letter.message.sent_at_ms for letter in letters) / 1_000),
                escape(_example(letters[0])),
                escape(_log_text(newest)),
            )
    console = Console()
    if table.row_count:
        print_table(table, console)
    for reason in Reason:
        if reason in reasons:
            typer.echo(f"{reason}: {hinted(ADVICE[reason])}")
    say_problems(surveys)
    more = sum(survey.more for survey in surveys)
    unlooked = f"; {more:,} more are not looked at (--limit), or with another run" if more else ""
    unknown = sum(1 for survey in surveys if survey.problem)
    count = f"{sum(len(survey.letters) for survey in surveys):,} in {len(surveys) - unknown} queues"
    typer.echo(f"dead letters {count}{unlooked}" + (f", unknown {unknown} queues" if unknown else ""))


def say_problems(surveys: Sequence[Survey]) -> None:
    """Say on stderr what is unknown."""
    for why, places in by_problem(
        {str(survey.place): survey.problem for survey in surveys if survey.problem}
    ):
        typer.secho(f"{places}: unknown: {why}", fg="red", err=True)


def _example(letter: DeadLetter) -> str:
    """The message's id, and its alert with what the ledger says, or how its body begins."""
    known = f"{letter.alert_id} {letter.detail}" if letter.alert_id else letter.detail or letter.message.body
    return printable(f"{letter.message.message_id} {redacted(known)[:SHOWN_CHARS]}").rstrip()


def _newest(letters: Sequence[DeadLetter], lines: Mapping[str, LogLine]) -> LogLine | None:
    found = [lines[one.message.message_id] for one in letters if one.message.message_id in lines]
    return max(found, key=lambda line: line.at_ms, default=None)


def _log_text(line: LogLine | None) -> str:
    """The line's message, with its reason or the last line of its traceback."""
    if line is None:
        return ""
    fields = line.fields or {"message": line.text}
    trace = str(fields.get("exc_info") or "").strip().rpartition("\n")[2]
    parts = filter(None, (str(fields.get("message", "")), str(fields.get("reason") or trace)))
    return printable(redacted(f"{shown_time(line.at_ms // 1_000)} {': '.join(parts)}"))


def survey_json(survey: Survey, lines: Mapping[str, LogLine]) -> dict[str, Any]:
    """What lies in a queue, for scripts; `messages` is null where that is unknown."""
    groups = []
    for reason in counts(survey.letters):
        letters = [letter for letter in survey.letters if letter.reason is reason]
        newest = _newest(letters, lines)
        groups.append(
            {
                "reason": reason,
                "messages": len(letters),
                "oldest_at_ms": min(letter.message.sent_at_ms for letter in letters),
                "log": redacted(newest.text) if newest else None,
                "message_ids": [letter.message.message_id for letter in letters],
                "alert_ids": [*dict.fromkeys(letter.alert_id for letter in letters if letter.alert_id)],
            }
        )
    return {
        "region": survey.place.region,
        "queue": survey.place.queue.suffix,
        "state": "unknown" if survey.problem else "read",
        "messages": None if survey.problem else len(survey.letters),
        "not_looked_at": None if survey.problem else survey.more,
        "problem": survey.problem,
        "groups": groups,
    }


def letter_json(place: Place, letter: DeadLetter) -> dict[str, Any]:
    """One message, for scripts and to be kept."""
    source = letter.message.source
    return {
        "region": place.region,
        "queue": place.queue.suffix,
        "message_id": letter.message.message_id,
        "sent_at_ms": letter.message.sent_at_ms,
        "source": source.suffix if source else None,
        "reason": letter.reason,
        "alert_id": letter.alert_id or None,
        "detail": letter.detail,
        "body": letter.message.body,
    }


def tally_json(tally: Tally, verb: str) -> dict[str, Any]:
    """What became of a queue's messages, for scripts."""
    return {
        "region": tally.place.region,
        "queue": tally.place.queue.suffix,
        verb.replace(" ", "_"): {**tally.done},
        "left": {**tally.left},
        "undeleted": tally.undeleted,
        "hidden": tally.hidden,
        "problem": tally.problem,
    }
