"""`responder alerts list` and `show`: which alerts there were, and all that is known of one."""

import json
import time
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from clients.acknowledgements import AcknowledgementError
from clients.ledger import ParkedAlerts, Row
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir, printable
from ops.people_options import moment_ms, shown_time
from ops.runbook.decision_output import decision_as_json, decision_lines
from ops.tables import make_table, print_table
from runbook.history.listing import AT_WORK, Listing, Wanted, fits_matcher, list_alerts
from runbook.history.slack_message import where_in_slack, where_in_stand_in
from runbook.redaction import row_without_secrets, without_secrets
from runbook.why.explanation import Explainer
from topology.alerts import Severity, Status
from topology.matchers import parse_matcher, words_to_parts

_SHOWN: Final = (
    "alert_id", "severity", "status", "accepted_at_ms", "region", "source", "title", "component", "host",
    "route",
)  # fmt: skip
_WHOLE: Final = frozenset({"alert", "severity", "status", "accepted", "region"})


def list_(  # noqa: PLR0913 - one option each
    match: Annotated[
        list[str] | None,
        typer.Argument(help="What they are about, as source=grafana, title='disk*', label.team=pay*."),
    ] = None,
    *,
    severity: Annotated[
        list[Severity] | None, typer.Option(help="Only of this severity; may be given again.")
    ] = None,
    status: Annotated[
        list[Status] | None, typer.Option(help="Only in this status; may be given again.")
    ] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not at rest.")] = False,
    since: Annotated[str, typer.Option(help="Accepted since then: 30m, 2h, 7d or ISO 8601.")] = "24h",
    until: Annotated[str, typer.Option(help="Accepted until then, likewise.")] = "0s",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    read_max: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Rows that are read at most for what no index has.")
    ] = 5_000,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """List alerts, the newest first.

    By severity, time and --open an index finds them: nothing is read that is not shown, but for the rest of
    a page where several severities are merged. Whatever else is asked for is looked at row by row, and how
    many were read stands at the end.

    Examples: `responder alerts list --severity CRITICAL --since 2h`, `responder alerts list --open`,
    `responder alerts list source=grafana 'title=disk*' --since 7d`.
    """
    now_ms = time.time_ns() // 1_000_000
    problems: list[str] = []
    matcher = parse_matcher("alerts", words_to_parts(match, problems), problems) if match else None
    if open_only and status:
        problems.append("--open and --status: allowed: one of both; open is RECEIVED or ANALYZED")
    if problems:
        raise typer.BadParameter("; ".join(problems))
    wanted = Wanted(
        since_s=moment_ms(since, now_ms=now_ms) // 1_000,
        until_s=moment_ms(until, now_ms=now_ms) // 1_000,
        severities=tuple(dict.fromkeys(severity or Severity)),
        statuses=AT_WORK if open_only else tuple(dict.fromkeys(status or ())),
        fits=fits_matcher(matcher) if matcher else None,
        limit=limit,
        read_max=read_max,
    )
    listing = list_alerts(open_stack(run_dir, outputs, attempts_max=2).deployment, wanted)
    if as_json:
        found = {
            "alerts": [*map(_shown, listing.alerts)],
            "rows_read": listing.rows_read,
            "read_units": listing.read_units,
            "more": listing.more,
            "unread_before_s": listing.unread_from,
        }
        typer.echo(json.dumps(found, indent=2))
        return
    console = Console()
    if listing.alerts:
        table = make_table(
            "alert", "severity", "status", "accepted", "region", "source", "title", whole=_WHOLE
        )
        for row in listing.alerts:
            table.add_row(*(escape(printable(text)) for text in _cells(_shown(row))))
        print_table(table, console)
    console.print(_in_short(listing), highlight=False, soft_wrap=True)


def show(
    alert_id: Annotated[str, typer.Argument(help="As Slack's message has it.")],
    *,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Show an alert: its whole analysis, or its incident's; where it is in Slack; its history.

    The history is what the ledger and both regions' logs tell of it, in time order, each with the rule behind
    it. Everything else that the ledger has: `responder parked show`. Exits 1 if there is no such alert.
    """
    stack = open_stack(run_dir, outputs, attempts_max=2)
    alerts = ParkedAlerts(stack.deployment)
    row = alerts.get(alert_id)
    if row is None:
        raise AcknowledgementError(
            f"{printable(alert_id)}: there is no such alert; Slack's message has its id, and `responder why` "
            "finds what became none"
        )
    told_with = alerts.analysed(row)
    analysis = without_secrets(told_with.get("analysis"))
    explained = Explainer(stack.deployment).explain(row)
    in_slack = (
        where_in_stand_in(stack.emulator.slack_messages(), row, stack.emulator.slack_url)
        if stack.emulator
        else where_in_slack(stack.deployment, row)
    )
    row = explained.row
    if as_json:
        found = {
            "alert": row,
            "analysis_of": told_with["alert_id"] if analysis else None,
            "analysis": analysis,
            "in_slack": in_slack,
            "history": [decision_as_json(decision) for decision in explained.decisions],
            "unknown": explained.unknown,
        }
        typer.echo(json.dumps(found, indent=2))
        return
    names = ("title", "severity", "status", "source", "component", "host", "route", "incident_id", "message")
    lines = [f"{name}: {row[name]}" for name in names if row.get(name)]
    if analysis:
        lines += [f"analysis of {told_with['alert_id']}: {analysis['summary']}"]
        lines += [f"cause ({analysis['confidence']} confidence): {analysis['probable_cause']}"]
        lines += [f"do: {action}" for action in analysis["actions"]]
    else:
        lines += [f"no analysis: {row.get('analysis_error') or 'not yet'}"]
    lines += [f"{kind}: {link}" for kind, link in (row.get("links") or {}).items()]
    lines += [f"in Slack: {in_slack}", "history:", *decision_lines(explained.decisions)]
    typer.echo("\n".join(map(printable, lines)))
    for unknown in explained.unknown:
        typer.echo(f"unknown: {printable(unknown)}", err=True)


def _shown(row: Row) -> Row:
    return row_without_secrets({name: row[name] for name in _SHOWN if name in row})


def _cells(row: Row) -> tuple[str, ...]:
    accepted = shown_time(int(row["accepted_at_ms"]) // 1_000)
    names = ("region", "source", "title")
    return (
        row["alert_id"],
        row["severity"],
        row["status"],
        accepted,
        *(str(row.get(name, "")) for name in names),
    )


def _in_short(listing: Listing) -> str:
    text = f"alerts {len(listing.alerts)}; rows read {listing.rows_read}, {listing.read_units:g} read units"
    if listing.more:
        text += "; there may be more: see --limit"
    if listing.unread_from is not None:
        before = shown_time(listing.unread_from)
        text += f"; what was accepted before {before} was not looked at: see --read-max and --until"
    return text
