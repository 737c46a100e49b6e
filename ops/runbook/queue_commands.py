"""`responder queue purge`: empties queues of wake-ups, and shows that no alert is lost by it."""

import contextlib
import json
import time
from dataclasses import asdict
from typing import Annotated, Final

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from clients.interrupts import interrupt_on_ending
from clients.rows import LedgerUnreachableError
from ops.demo.progress import ProgressLine
from ops.hints import hinted
from ops.local import running
from ops.opened_stack import Outputs, StackName, chosen_regions, confirm, open_stack
from ops.options import AsJson, DryRun, OnlyRegion, RunDir, Yes
from ops.people_options import shown_time
from runbook.purge import FOLLOWED_MAX, PURGE_S, Purge, Returned
from topology.errors import ExplainedError
from topology.queues import DEAD_LETTER_QUEUES, WORK_QUEUES, QueueSpec

_EXPLAINED: Final = (
    "A wake-up holds an alert's id and nothing else: the ledger has the alerts, and Recovery wakes each that "
    "is not at rest once more when its lease has run out."
)

_OR_MORE: Final = f", or more: of each severity and region {FOLLOWED_MAX:,} are followed"

_NAMES: Final = ", ".join(spec.suffix for spec in WORK_QUEUES)


class UnfollowedError(ExplainedError):
    """The queues were purged, and what became of the alerts is unknown."""


def purge(  # noqa: PLR0913 - one option each
    names: Annotated[list[str], typer.Argument(metavar="QUEUE...", help=f"Of {_NAMES}.")],
    *,
    region: OnlyRegion = "",
    within: Annotated[
        int, typer.Option(min=1, max=3_600, help="Seconds to wait for the alerts to come back.")
    ] = 300,
    dry_run: DryRun = False,
    yes: Yes = False,
    stack_name: StackName = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Delete the wake-ups in queues, once Recovery has run; then count the alerts that it brings back.

    It helps where a queue is full of poison or old wake-ups, and costs time: each alert waits for its lease.
    Those that are due later than the wait ends are left to Recovery. Exits 1 if others are not back in time.
    """
    queues = [_queue(name) for name in dict.fromkeys(names)]
    opened = open_stack(run_dir, outputs)
    there = chosen_regions(opened.deployment, region)
    work = Purge(opened.deployment, there, queues)
    depths, waiting = work.depths(), work.waiting()
    typer.echo(_EXPLAINED, err=True)
    for (where, name), depth in depths.items():
        typer.echo(f"{name} in {where}: about {depth:,} messages", err=True)
    what = f"{len(waiting):,} alerts are not at rest{_OR_MORE if work.more else ''}."
    if dry_run:
        typer.echo(f"{what} Nothing was done.", err=True)
        _print(Returned(waiting=len(waiting), seen_to=0, at_rest=0, last_due_at=0), 0, as_json=as_json)
        return
    confirm(opened.deployment, f"{what} The wake-ups are deleted.", yes=yes, stack_name=stack_name)
    work.check_recovery()
    purged = sum(depths.values())
    returned = _follow(
        work,
        purged,
        settle_s=0 if opened.emulator else PURGE_S,
        within_s=within,
        lease_s=opened.config.lease_s,
    )
    _print(returned, purged, as_json=as_json)
    if work.more:
        typer.echo(f"not all that wait were counted{_OR_MORE}; Recovery wakes the others too", err=True)
    if not returned.all_back:
        later = f", {returned.due_later:,} of them only after the wait" if returned.due_later else ""
        typer.echo(
            f"{returned.waiting - returned.seen_to:,} are due by {shown_time(returned.last_due_at)}{later}; "
            + hinted(
                "Recovery wakes them within a minute after that. `responder alerts list` shows what is open"
            ),
            err=True,
        )
    if not returned.in_time:
        raise typer.Exit(1)


def _queue(name: str) -> QueueSpec:
    """The queue of wake-ups of that name.

    Raises:
        typer.BadParameter: there is none.
    """
    if name in {spec.suffix for spec in DEAD_LETTER_QUEUES}:
        raise typer.BadParameter(
            f"{name} may hold an alarm that no ledger has; see `responder dlq list`, and drop by `responder "
            "dlq drop`"
        )
    found = [spec for spec in WORK_QUEUES if spec.suffix == name]
    if not found:
        raise typer.BadParameter(f"{name!r} is no queue of wake-ups; there are {_NAMES}")
    return found[0]


def _follow(work: Purge, purged: int, *, settle_s: int, within_s: int, lease_s: int) -> Returned:
    """Purge, and watch the alerts come back, with progress on stderr.

    `settle_s`: how long SQS deletes; an alert that was accepted meanwhile is watched too.

    Raises:
        UnfollowedError: the queues are purged, and AWS does not say what came back.
        KeyboardInterrupt: a person ended it; the text says what goes on without.
    """
    interrupt_on_ending()
    waiting = work.waiting()
    work.purge()
    with contextlib.closing(ProgressLine(Console(stderr=True))) as line:

        def progress(returned: Returned) -> None:
            line.show(f"came back {returned.seen_to:,} of {returned.waiting:,}, at rest {returned.at_rest:,}")

        try:
            line.show(f"purged about {purged:,} messages; SQS goes on deleting for up to {settle_s} s")
            time.sleep(settle_s)
            return work.follow(work.renewed(waiting), within_s=within_s, lease_s=lease_s, progress=progress)
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(
                "the queues are purged; Recovery goes on each minute by itself"
            ) from interrupt
        except (BotoCoreError, ClientError, LedgerUnreachableError) as error:
            raise UnfollowedError(
                "the queues are purged and Recovery goes on each minute by itself; what came back is unknown "
                f"({' '.join(str(error).split()).rstrip('.')}). `responder alerts list` shows what is open"
            ) from error


def _print(returned: Returned, purged: int, *, as_json: bool) -> None:
    if as_json:
        found = {"in_time": returned.in_time, "all_back": returned.all_back}
        typer.echo(json.dumps({"purged": purged, **asdict(returned), **found}, indent=2))
        return
    typer.echo(f"purged about {purged:,} messages")
    typer.echo(
        f"not at rest {returned.waiting:,}, came back {returned.seen_to:,}, at rest now {returned.at_rest:,}"
    )
