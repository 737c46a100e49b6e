"""`responder audit`: its options, its window of time, and how its outcome is printed."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from audit.access_log import access_receipts
from audit.comparison import EVER, Window
from audit.outcome import IN_DIGEST, NOTIFIED, PARKED, SUPPRESSED, UNEXPLAINED, Audit
from audit.stack import audit_stack
from clients.output_files import written_at_end
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir, check_writable_file, verdict_kept
from ops.people_options import moment_ms
from ops.tables import make_table, print_table

SHOWN: Final = 50
"""The most problems on a screen; `--json` lists more, and `--problems` writes all."""

UNKNOWN: Final = "unknown"


def audit_command(
    receipts: Annotated[
        Path | None,
        typer.Option(help="The sender's receipts, a line for each body; by default `local replay`'s."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only alerts accepted since then: 30m, 2h, 7d or ISO 8601.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Only alerts accepted before then; what came later may still be open.")
    ] = None,
    problems: Annotated[
        Path | None, typer.Option(help="Write every problem there, one JSON object a line.")
    ] = None,
    *,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Take the APIs' own logs for receipts, not a sender's file.")
    ] = False,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Compare receipts, each region's ledger and Slack, alert by alert; print `unaccounted 0` or the ids.

    Unaccounted for is also a member of a body that its 202 left out, and a change of a fault's state that
    nobody was told. Which members a body had only a sender's receipts say: by the access log that is unknown.

    Reads the stack that `responder local up` left running, or a real one, whose Slack cannot be read: there
    a NOTIFIED row is believed. Exits 1 if any alert is unaccounted, if a part of the receipts cannot be read,
    if a duplicate is unexplained although the ledger is strong, or if there was nothing to account for.
    """
    if access_log and receipts is not None:
        raise typer.BadParameter("--access-log and --receipts are two sources of the same; give one")
    if outputs is not None and not access_log and receipts is None:
        raise typer.BadParameter("of a real stack nobody kept receipts here: give --access-log or --receipts")
    check_writable_file(problems, "--problems")
    now_ms = time.time_ns() // 1_000_000
    window = Window(
        since_ms=moment_ms(since, now_ms=now_ms) if since else EVER.since_ms,
        until_ms=moment_ms(until, now_ms=now_ms) if until else EVER.until_ms,
    )
    stack = open_stack(run_dir, outputs)
    deployment = stack.deployment
    with written_at_end(problems) as problems_file:
        audit = audit_stack(
            deployment,
            receipts=access_receipts(deployment, window)
            if access_log
            else receipts or run_dir / running.RECEIPTS_FILE,
            slack=stack.emulator.slack_messages() if stack.emulator is not None else None,
            window=window,
            problems_file=problems_file,
        )
        with verdict_kept(f"accepted {audit.accepted}, unaccounted {audit.unaccounted}"):
            _show(audit, as_json=as_json)
    if not audit.accepted and not audit.unread:
        typer.echo("nothing was accepted in this window, so nothing is proven", err=True)
    if not audit.passed or not audit.accepted:
        raise typer.Exit(1)


def _show(audit: Audit, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_as_json(audit), indent=2))
    else:
        print_audit(audit, Console())


def _as_json(audit: Audit) -> dict[str, object]:
    """The audit for JSON; where Slack was not read, duplicates are null, as `duplicates_by_cause` is.

    `members` and `untold` are "unknown" where no record has them.
    """
    slack_read = audit.duplicates_by_cause is not None
    duplicates = audit.duplicates if slack_read else None
    return {
        **asdict(audit),
        "members": audit.members or UNKNOWN,
        "untold": UNKNOWN if audit.untold is None else audit.untold,
        "slack_read": slack_read,
        "duplicates": duplicates,
        "passed": audit.passed,
    }


def print_audit(audit: Audit, console: Console) -> None:
    """Print the table by region and state, the duplicates by cause, and what is wrong."""
    table = make_table("region", "notified", "of these in digests", "suppressed", "parked", whole={"region"})
    for region, states in sorted(audit.by_region.items()):
        table.add_row(region, *(str(states.get(s, 0)) for s in (NOTIFIED, IN_DIGEST, SUPPRESSED, PARKED)))
    print_table(table, console)
    console.print(
        f"accepted {audit.accepted}   digests {audit.digests}, verified {audit.digests_verified}   "
        f"without a receipt {audit.unreceipted}"
    )
    if audit.duplicates_by_cause is None:
        console.print("duplicates unknown: Slack was not read, so what the ledger calls NOTIFIED is believed")
    else:
        causes = ", ".join(
            f"{cause.replace('_', ' ')} {count}" for cause, count in audit.duplicates_by_cause.items()
        )
        console.print(f"duplicates {audit.duplicates} ({causes})")
    console.print(f"members {_members_shown(audit)}")
    console.print(f"changes of state {_changes_shown(audit)}")
    if audit.by_people:
        console.print("   ".join(f"{name} {count}" for name, count in audit.by_people.items()))
    if audit.unread:
        console.print(f"unread parts of the receipts {audit.unread}: what was answered 202 there is unknown")
    lines = [("unread", *part) for part in audit.unread_parts.items()]
    lines += [("unaccounted", *problem) for problem in audit.problems.items()]
    lines += [(UNEXPLAINED, *duplicate) for duplicate in audit.unexplained.items()]
    for kind, subject, what in lines[:SHOWN]:
        console.print(f"[red]{kind}[/] {escape(subject)}: {escape(what)}", soft_wrap=True, highlight=False)
    if len(lines) > SHOWN:
        console.print("and more: --problems FILE writes every one")
    console.print(f"unaccounted {audit.unaccounted}")


def _members_shown(audit: Audit) -> str:
    rest = "without a sender's receipt of its body nobody can say what a body held"
    if audit.members is None:
        return f"unknown: {rest}"
    counts = ", ".join(f"{kind} {count}" for kind, count in audit.members.items())
    return f"{counts}; unknown of {audit.bodiless} receipts: {rest}" if audit.bodiless else counts


def _changes_shown(audit: Audit) -> str:
    if audit.untold is None:
        return (
            "unknown: neither the sender's receipts nor the ledger say of which fault and state an alert is"
        )
    records = ", by the ".join(f"{name} {count}" for name, count in audit.states_known.items())
    counts = f"untold {audit.untold}, told in doubt {audit.told_in_doubt}"
    return f"{counts} (alerts whose fault and state are known: by the {records})"
