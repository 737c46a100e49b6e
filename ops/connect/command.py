"""`responder connect`: its options, and how a sender's configuration and its test alert are printed."""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape

from clients.deployment import Deployment
from ops.connect.arrival import Arrival, wait_for_arrival
from ops.connect.senders import NO_KEY, SENDERS, Address, Sender
from ops.local import running
from ops.opened_stack import Outputs, command_on, open_stack
from ops.options import AsJson, RunDir, printable, printable_lines
from ops.tables import make_table, print_table
from topology.config_keys import STRONG

BOTH: Final = "both"
"""The role of the name that fails over by itself."""

_FIELDS: Final = (
    "alert_id", "format", "source", "title", "severity", "severity_word", "state", "component", "host",
    "links", "labels", "started_at", "mended", "status", "parent_id", "region",
)  # fmt: skip


def connect(
    sender: Annotated[
        str | None, typer.Argument(help="Which sender, as `--list` has it.", show_default=False)
    ] = None,
    *,
    listed: Annotated[bool, typer.Option("--list", help="List the senders, and what they come as.")] = False,
    no_key: Annotated[
        bool, typer.Option("--no-key", help=f"Print {NO_KEY} in the place of the key.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for its test alert, and say what was understood of it.")
    ] = False,
    within: Annotated[int, typer.Option(min=1, max=3_600, help="Seconds that --wait waits at most.")] = 300,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Print a sender's configuration for this stack, ready to be pasted, with address and key.

    Standard output has the configuration and nothing else; what to do with it is on standard error. With
    `--wait` it then waits until the sender's test alert rests, and says what was understood of it, which
    region took it and when Slack had it; or what reception's log says of a body that was refused or ignored.

    A source of your own configuration is tried by `responder formats try FILE`. Exits 1 if no alert came, or
    none was taken.

    Examples: `responder connect alertmanager --no-key`, `responder connect datadog --wait`.
    """
    if listed:
        _list(as_json=as_json)
        return
    known = SENDERS.get(sender or "")
    if known is None:
        wrong = f"{sender!r} is not known" if sender else "name a sender"
        raise typer.BadParameter(
            f"{wrong}; known: {', '.join(SENDERS)}. Of any other, docs/senders.md shows how it is configured"
        )
    stack = open_stack(run_dir, outputs)
    deployment, since_s = stack.deployment, time.time()
    # The local stack's name is known to its own Route 53 alone.
    each_region = known.each_region or stack.emulator is not None
    text = known.configuration(
        addresses(deployment, each_region=each_region, no_key=no_key), secret=secrets.token_hex(16)
    )
    if not as_json:
        typer.echo(text, nl=False)
        _tell(
            _steps(
                known,
                deployment,
                command_on(f"responder connect {known.name}", run_dir, outputs),
                wait=wait,
            )
        )
    arrival = _wait(deployment, known, since_s=since_s, within_s=within) if wait else None
    if as_json:
        typer.echo(json.dumps(_as_json(known, text, arrival), indent=2))
    elif arrival is not None:
        _show(arrival, known, within)
    if arrival is not None and not arrival.alerts:
        raise typer.Exit(1)


def addresses(deployment: Deployment, *, each_region: bool, no_key: bool) -> tuple[Address, ...]:
    """Where a sender posts to: the name that fails over, where the stack has one, else both regions.

    `each_region`: both in any case. Behind the name both regions have one key.
    """

    def key(region_index: int) -> str:
        return NO_KEY if no_key else deployment.api_key(deployment.regions[region_index])

    if deployment.alerts_url and not each_region:
        primary = deployment.primary
        url = deployment.alerts_url
        return (Address(BOTH, primary.region, url, key(0), primary.alarm_topic_arn),)
    return tuple(
        Address(str(e.role), e.region, e.webhook_url, key(index), e.alarm_topic_arn)
        for index, e in enumerate(deployment.regions)
    )


def _steps(sender: Sender, deployment: Deployment, command: str, *, wait: bool) -> list[str]:
    steps = [*sender.steps]
    if not deployment.alerts_url and not sender.each_region and sender.template != "cloudwatch.sh":
        steps.append(
            "the stack has no domain, so both regions are named"
            + ("" if deployment.ledger_consistency == STRONG else "; an eventual ledger can tell it twice")
        )
    if not wait:
        steps.append(f"see what is understood of its test alert: {command} --wait")
    return steps


def _wait(deployment: Deployment, sender: Sender, *, since_s: float, within_s: int) -> Arrival:
    console = Console(stderr=True)
    with console.status(f"waiting for an alert of {sender.name}, {within_s} s at most") as status:

        def tell(arrival: Arrival) -> None:
            if arrival.alerts:
                status.update(f"{arrival.alerts[-1]['alert_id']} is {arrival.alerts[-1]['status']}")

        return wait_for_arrival(deployment, sender.formats, since_s=since_s, within_s=within_s, tell=tell)


def _show(arrival: Arrival, sender: Sender, within_s: int) -> None:
    console = Console(stderr=True)
    for alert in arrival.alerts:
        table = make_table(show_header=False)
        for name in _FIELDS:
            if alert.get(name) not in (None, "", (), [], {}):
                table.add_row(name, escape(printable_lines(_text(alert[name]))))
        table.add_row("in Slack", escape(_in_slack(alert)))
        print_table(table, console)
    for line in arrival.log_lines:
        said = ", ".join(
            f"{name} {line[name]}".strip()
            for name in ("format", "error", "reason", "field", "sample")
            if line.get(name)
        )
        text = f"{line['region']}: {line.get('message')}: {said}"
        console.print(escape(printable(text)), soft_wrap=True)
    for region, why in arrival.unreadable.items():
        console.print(f"[red]{region} was not read[/]: {escape(printable(why))}", soft_wrap=True)
    if not arrival.alerts and not arrival.log_lines:
        formats = " or ".join(sender.formats)
        console.print(
            f"no alert came as {formats} within {within_s} s. A wrong key or address never comes to reception"
            ": see what your sender was answered (403: the key), then send it again with --wait",
            soft_wrap=True,
        )
    elif not arrival.alerts:
        console.print(
            "no alert was made of it: save the body to a file and see why with `responder formats try FILE`",
            soft_wrap=True,
        )


def _in_slack(alert: Mapping[str, Any]) -> str:
    if alert.get("notified_at_ms"):
        at = datetime.fromtimestamp(alert["notified_at_ms"] / 1_000, UTC).isoformat(timespec="milliseconds")
        took = (alert["notified_at_ms"] - alert["accepted_at_ms"]) / 1_000
        return f"at {at}, {took:.1f} s after it was accepted"
    if alert.get("parent_id"):
        return f"not by itself: it repeats {alert['parent_id']}"
    return "not yet" if not alert.get("parked_reason") else f"no: {alert['parked_reason']}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _tell(lines: Sequence[str]) -> None:
    typer.echo("", err=True)
    for number, line in enumerate(lines, 1):
        typer.echo(f"{number}. {line}", err=True)


def _as_json(sender: Sender, text: str, arrival: Arrival | None) -> dict[str, object]:
    document: dict[str, object] = {
        "sender": sender.name,
        "formats": sender.formats,
        "configuration": text,
        "steps": sender.steps,
    }
    if arrival is not None:
        document |= {
            "alerts": [
                {name: alert[name] for name in (*_FIELDS, "notified_at_ms") if name in alert}
                for alert in arrival.alerts
            ],
            "log": list(arrival.log_lines),
            "unreadable": dict(arrival.unreadable),
        }
    return document


def _list(*, as_json: bool) -> None:
    if as_json:
        rows = [{"sender": s.name, "formats": s.formats, "steps": s.steps} for s in SENDERS.values()]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = make_table("sender", "comes as", "set up by", whole={"sender"})
    for sender in SENDERS.values():
        table.add_row(sender.name, ", ".join(sender.formats), escape(sender.steps[0]))
    print_table(table, Console())
