"""`responder alerts send`: hand in an alert as a sender would, and see it come to Slack."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from clients.deployment import Deployment
from ops.formats_commands import read_body, read_headers
from ops.hints import hinted
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir, printable
from runbook.sending import ACCEPTED, Answer, Journeys, follow, send_body
from topology.alerts import Severity


def send(  # noqa: PLR0913 - one option each
    title: Annotated[str, typer.Option(help="What it says.")] = "",
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            help="A body of any format that is taken, as its sender posts it; - for standard input."
        ),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="A header of the request, as `idempotency-key: 7`.")
    ] = None,
    source: Annotated[str, typer.Option(help="Who sends it.")] = "manual-test",
    severity: Annotated[Severity, typer.Option(help="How bad it is.")] = Severity.LOW,
    message: Annotated[str, typer.Option(help="What there is to know.")] = "Sent by responder alerts send",
    component: Annotated[str | None, typer.Option(help="The service that it is about.")] = None,
    host: Annotated[str | None, typer.Option(help="Where it is from.")] = None,
    status: Annotated[str | None, typer.Option(help="The source's own word, such as resolved.")] = None,
    event_id: Annotated[str | None, typer.Option(help="The source's own id of the event.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="A label, as team=pay.")] = None,
    region: Annotated[str | None, typer.Option(help="Which region takes it; the primary by default.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it is in Slack, and time each hop.")
    ] = False,
    within: Annotated[int, typer.Option(min=1, max=3_600, help="Seconds that --wait waits at most.")] = 120,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Send an alert to the stack's webhook, by its own key: people are told of it like of any other.

    Exits 1 if it is refused, or with --wait if it is not in Slack in time.

    Examples: `responder alerts send --title 'Is anybody there?' --wait`,
    `responder alerts send --file body.json --region us-west-2`.
    """
    if bool(title) == (file is not None):
        raise typer.BadParameter("say what to send: one of --title and --file")
    given = {
        "source": source,
        "title": title,
        "message": message,
        "severity": severity.value,
        "component": component,
        "host": host,
        "status": status,
        "event_id": event_id,
    }
    body = (
        read_body(file)
        if file
        else json.dumps({name: value for name, value in given.items() if value} | _labels(label)).encode()
    )
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    by_region = {endpoints.region: endpoints for endpoints in deployment.regions}
    if region is not None and region not in by_region:
        raise typer.BadParameter(
            f"--region: {region!r} is none of the stack's; name {' or '.join(by_region)}"
        )
    answer = send_body(deployment, by_region[region or deployment.primary.region], body, read_headers(header))
    taken = answer.status == ACCEPTED
    if not as_json:
        _print_answer(answer)
    journeys = _followed(deployment, answer, within) if wait and taken else None
    if as_json:
        typer.echo(json.dumps(_as_json(answer, journeys), indent=2))
    elif journeys is not None:
        _print_journeys(journeys, answer, within)
    told = journeys is None or all((one.row or {}).get("notified_at_ms") for one in journeys.of)
    if not (taken or answer.document.get("ignored")):
        typer.echo(hinted("not taken; next: `responder diagnose`, if the body is as it should be"), err=True)
        raise typer.Exit(1)
    if not told:
        raise typer.Exit(1)


def _labels(texts: list[str] | None) -> dict[str, object]:
    pairs = [text.partition("=") for text in texts or ()]
    if not all(name and equals for name, equals, _ in pairs):
        raise typer.BadParameter("--label: allowed: NAME=VALUE, as team=pay")
    return {"labels": {name: value for name, _, value in pairs}} if pairs else {}


def _followed(deployment: Deployment, answer: Answer, within: int) -> Journeys:
    with Console(stderr=True).status(f"waiting until it is in Slack, {within} s at most") as shown:

        def tell(journeys: Journeys) -> None:
            statuses = ", ".join(str((one.row or {}).get("status")) for one in journeys.of[:3])
            shown.update(f"{len(journeys.of)} alerts: {statuses}")

        return follow(deployment, answer.alert_ids, within_s=within, tell=tell)


def _print_answer(answer: Answer) -> None:
    took = answer.answered_at_ms - answer.sent_at_ms
    typer.echo(f"{answer.region} answered {answer.status} after {took} ms")
    for alert in answer.document.get("alerts", ()):
        beside = f", below {alert['parent_id']}" if alert.get("parent_id") else ""
        typer.echo(printable(f"  {alert['alert_id']}  {alert['status']}{beside}"))
    for name in ("error", "field", "hint", "ignored", "message"):  # the last is API Gateway's own
        if answer.document.get(name):
            typer.echo(printable(f"  {name}: {answer.document[name]}"))
    for refused in answer.document.get("refused", ()):
        typer.echo(printable(f"  alert {refused['index']} is refused: {refused['hint']}"))


def _print_journeys(journeys: Journeys, answer: Answer, within: int) -> None:
    for journey in journeys.of:
        before_ms, parts = answer.sent_at_ms, []
        for hop in journey.hops(answer):
            about = "by " if hop.seen else ""
            parts.append(f"{hop.name} {about}+{max(hop.at_ms - before_ms, 0)} ms")
            before_ms = max(hop.at_ms, before_ms)
        typer.echo(printable(f"  {journey.alert_id}: {', '.join(parts)}"))
        row = journey.row or {}
        if row.get("notified_at_ms"):
            typer.echo(f"  in Slack {int(row['notified_at_ms']) - answer.sent_at_ms} ms after it was sent")
            continue
        rests = f"is {row['status']}" if journey.at_rest else f"is not in Slack after {within} s"
        command = hinted(f"`responder why {journey.alert_id}`")
        typer.secho(printable(f"  it {rests}; see {command} for the rule behind it"), err=True)


def _as_json(answer: Answer, journeys: Journeys | None) -> dict[str, Any]:
    return {
        "region": answer.region,
        "status": answer.status,
        "answer": answer.document,
        "sent_at_ms": answer.sent_at_ms,
        "answered_at_ms": answer.answered_at_ms,
        "alerts": [
            {
                "alert_id": one.alert_id,
                "status": (one.row or {}).get("status"),
                "hops": [{"hop": hop.name, "at_ms": hop.at_ms, "seen": hop.seen} for hop in one.hops(answer)],
            }
            for one in (journeys.of if journeys else ())
        ],
    }
