"""`responder dlq`: what lies in the dead-letter queues and why, sending it again, dropping it."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from clients.deployment import Deployment
from clients.interrupts import interrupt_on_ending
from clients.lines import LinesFile
from clients.logs import LogCutOffError, LogLine
from ops.demo.progress import ProgressLine
from ops.hints import hinted
from ops.local import running
from ops.opened_stack import Outputs, StackName, chosen_regions, confirm, open_stack
from ops.options import AsJson, DryRun, OnlyRegion, RunDir, Yes, check_writable_file, printable
from ops.runbook.dlq_output import (
    letter_json,
    print_surveys,
    print_tallies,
    say_problems,
    survey_json,
    tally_json,
)
from runbook.dead_letters.actions import DeadLetters, Place, Survey, Tally
from runbook.dead_letters.letters import REDRIVABLE, REDRIVEN, DeadLetter, Reason, Selection
from runbook.dead_letters.log_lines import last_lines, lines_about
from runbook.redaction import without_secrets

LOOKED_AT: Final = 1_000
_ATTEMPTS: Final = 4
"""Of each call of what changes something; a list gives up on a region after two."""

Limit = Annotated[int, typer.Option(min=1, max=100_000, help="Messages of each queue that are looked at.")]
Reasons = Annotated[list[Reason] | None, typer.Option("--reason", help="Only these; may be repeated.")]
Ids = Annotated[
    list[str] | None, typer.Option("--id", help="Only this message, or this alert's; may be repeated.")
]


def list_letters(
    *,
    limit: Limit = LOOKED_AT,
    region: OnlyRegion = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """List what lies in the dead-letter queues, grouped by why, with what the log last said of the newest.

    Nothing is moved: each message is hidden from others for the moment it takes. Exits 1 if a region's is
    unknown.
    """
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    dead_letters = DeadLetters(deployment)
    surveys = dead_letters.survey(dead_letters.places(chosen_regions(deployment, region)), at_most=limit)
    lines = _last_lines(deployment, surveys)
    if as_json:
        typer.echo(json.dumps([survey_json(survey, lines) for survey in surveys], indent=2))
    else:
        print_surveys(surveys, lines)
    if any(survey.problem for survey in surveys):
        raise typer.Exit(1)


def show(
    name: Annotated[
        str, typer.Argument(help="A message's id, as `responder dlq list` has it, or an alert's.")
    ],
    *,
    limit: Limit = 10 * LOOKED_AT,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Show a dead letter with its whole body, what the ledger says, and what the log says about it.

    Exits 1 if there is none.
    """
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    dead_letters = DeadLetters(deployment)
    surveys = dead_letters.survey(dead_letters.places(), at_most=limit)
    chosen = Selection(reasons=frozenset(Reason), ids=frozenset({name}))
    found = [(survey, one) for survey in surveys for one in survey.letters if chosen.takes(one)]
    shown = [_shown(deployment, survey, letter) for survey, letter in found]
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
    for one in () if as_json else shown:
        for key, value in one.items():
            for part in value if isinstance(value, list) else [value]:
                typer.echo(f"{key}: {printable('unknown' if part is None else str(part))}")
    say_problems(surveys)
    read = [survey for survey in surveys if not survey.problem]
    if not found and read:
        left = sum(survey.more for survey in read)
        more = f"; {left} messages were not looked at, see --limit" if left else ""
        which = "dead-letter queue" if len(read) == len(surveys) else "dead-letter queue that was read"
        typer.secho(f"{printable(name)}: no {which} has it{more}", fg="red", err=True)
    if not found or any(survey.problem for survey in surveys):
        raise typer.Exit(1)


def redrive(  # noqa: PLR0913 - one option each
    *,
    reason: Reasons = None,
    ids: Ids = None,
    rate: Annotated[float, typer.Option(min=0.1, max=1_000, help="Messages a second.")] = 50,
    region: OnlyRegion = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    stack_name: StackName = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again: what the ledger says is not at rest, and alarms that reception did not take.

    What is at rest is left alone. Each message is sent before it is deleted, so a run that was stopped, even
    killed, is run again and goes on. Exits 1 if any is left that should have gone.
    """
    reasons = frozenset(reason or REDRIVEN)
    if Reason.AT_REST in reasons:
        raise typer.BadParameter(
            "--reason at-rest: nothing is left to do for these; `responder dlq drop --reason at-rest` clears "
            "them away"
        )
    selection = Selection(reasons=REDRIVABLE if ids and not reason else reasons, ids=frozenset(ids or ()))
    opened = open_stack(run_dir, outputs, attempts_max=_ATTEMPTS)
    dead_letters = DeadLetters(opened.deployment)
    places = dead_letters.places(chosen_regions(opened.deployment, region))
    if dry_run:
        _print_plan(dead_letters, places, selection, "would be redriven", as_json=as_json)
        return
    named = ", ".join(sorted(selection.reasons))
    what = f"Dead letters ({named}) are sent again, {rate:g} a second."
    confirm(opened.deployment, what, yes=yes, stack_name=stack_name)

    def redriven(place: Place, progress: Callable[[Tally], object]) -> Tally:
        return dead_letters.redrive(place, selection, per_s=rate, progress=progress)

    _act(places, redriven, "redriven", selection, as_json=as_json)


def drop(  # noqa: PLR0913 - one option each
    *,
    reason: Reasons = None,
    ids: Ids = None,
    drop_all: Annotated[bool, typer.Option("--all", help="Whatever lies there.")] = False,
    to: Annotated[
        Path, typer.Option(help="What is dropped is appended here first, a JSON line a message.")
    ] = Path("dropped-dead-letters.jsonl"),
    region: OnlyRegion = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    stack_name: StackName = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters, once they are written to a file.

    The ledger keeps the alerts. Only a failed-alarm may be in no ledger: redrive it rather. Exits 1 if any is
    left that should have gone.
    """
    check_writable_file(to, "--to")
    if drop_all == bool(reason or ids):
        raise typer.BadParameter("say which: --reason, --id or both, or else --all")
    selection = Selection(reasons=frozenset(reason or Reason), ids=frozenset(ids or ()))
    opened = open_stack(run_dir, outputs, attempts_max=_ATTEMPTS)
    dead_letters = DeadLetters(opened.deployment)
    places = dead_letters.places(chosen_regions(opened.deployment, region))
    if dry_run:
        _print_plan(dead_letters, places, selection, "would be dropped", as_json=as_json)
        return
    named = ", ".join(sorted(selection.reasons))
    what = f"Dead letters ({named}) are written to {to} and deleted."
    confirm(opened.deployment, what, yes=yes, stack_name=stack_name)
    with LinesFile(to, mode=0o600) as file:

        def keep(place: Place, letters: Sequence[DeadLetter]) -> None:
            for letter in letters:
                file.add(letter_json(place, letter))
            file.sync()

        def dropped(place: Place, progress: Callable[[Tally], object]) -> Tally:
            return dead_letters.drop(place, selection, keep=keep, progress=progress)

        _act(places, dropped, "dropped", selection, as_json=as_json)


def _act(
    places: Sequence[Place],
    act: Callable[[Place, Callable[[Tally], object]], Tally],
    verb: str,
    selection: Selection,
    *,
    as_json: bool,
) -> None:
    """Do it in one queue after the other, with progress on stderr, and tell what came of it.

    Raises:
        KeyboardInterrupt: a person ended it; the text says how far it had come.
    """
    interrupt_on_ending()
    tallies: dict[Place, Tally] = {}
    with contextlib.closing(ProgressLine(Console(stderr=True))) as line:

        def progress(tally: Tally) -> None:
            tallies[tally.place] = tally
            line.show(f"{tally.place}: {verb} {tally.done.total():,}, left {tally.left.total():,}")

        try:
            for place in places:
                tallies[place] = act(place, progress)
        except KeyboardInterrupt as interrupt:
            done = sum(tally.done.total() for tally in tallies.values())
            raise KeyboardInterrupt(f"{verb} {done:,} so far; run it again to go on") from interrupt
    missing = _print_tallies([*tallies.values()], verb, selection, as_json=as_json)
    if missing or any(tally.problem or tally.undeleted or tally.hidden for tally in tallies.values()):
        raise typer.Exit(1)


def _print_plan(
    dead_letters: DeadLetters, places: Sequence[Place], selection: Selection, verb: str, *, as_json: bool
) -> None:
    surveys = dead_letters.survey(places, at_most=100 * LOOKED_AT)
    tallies = [
        Tally(
            place=survey.place,
            done=Counter(letter.reason for letter in survey.letters if selection.takes(letter)),
            left=Counter(letter.reason for letter in survey.letters if not selection.takes(letter)),
            hidden=survey.more,
            named=selection.named(survey.letters),
            problem=survey.problem,
        )
        for survey in surveys
    ]
    missing = _print_tallies(tallies, verb, selection, as_json=as_json)
    if missing or any(survey.problem for survey in surveys):
        raise typer.Exit(1)


def _print_tallies(tallies: Sequence[Tally], verb: str, selection: Selection, *, as_json: bool) -> list[str]:
    """Tell what became of the queues' messages; return, and say, which ids no queue has."""
    if as_json:
        typer.echo(json.dumps([tally_json(tally, verb) for tally in tallies], indent=2))
    else:
        print_tallies(tallies, verb)
    missing = sorted(selection.ids.difference(*(tally.named for tally in tallies)))
    for name in missing:
        typer.secho(
            f"{printable(name)}: no dead-letter queue that was read has it; "
            + hinted("`responder dlq list --json` has the ids"),
            fg="red",
            err=True,
        )
    return missing


def _shown(deployment: Deployment, survey: Survey, letter: DeadLetter) -> dict[str, Any]:
    """A letter with what the log says about it; `log` is None where that is unknown."""
    shown = letter_json(survey.place, letter) | {"log": None}
    with _logs_may_fail():
        shown["log"] = [line.text for line in lines_about(deployment, survey, letter)]
    return dict(without_secrets(shown, kept=frozenset()))


def _last_lines(deployment: Deployment, surveys: Sequence[Survey]) -> Mapping[str, LogLine]:
    with _logs_may_fail():
        return last_lines(deployment, surveys)
    return {}


@contextlib.contextmanager
def _logs_may_fail() -> Iterator[None]:
    """What the logs say is an extra: without them it is said that they are unknown."""
    try:
        yield
    except (BotoCoreError, ClientError, LogCutOffError) as error:
        typer.echo(f"the logs are unknown: {printable(' '.join(str(error).split()))}", err=True)
