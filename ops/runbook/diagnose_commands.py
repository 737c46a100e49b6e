"""`responder diagnose`: why a stack does not deliver, the likeliest cause first, and the next command."""

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape

from clients.checks import Outcome, State, run_checks
from deploy.checks.identity import check_account
from deploy.checks.injection import INJECTION_WITHIN_S, injection
from deploy.checks.subject import Subject
from dr.operations.environment import SystemClock
from ops.check_output import outcomes_as_json, print_outcomes
from ops.hints import hinted
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir, check_report, printable, verdict_kept
from ops.people_options import shown_time, span_of
from ops.tables import make_table, print_table
from runbook.diagnosis.bundle import write_bundle
from runbook.diagnosis.diagnosis import Cause, Diagnosis, diagnose
from runbook.diagnosis.evidence import Evidence, Scene
from runbook.diagnosis.rules import Likelihood
from runbook.diagnosis.slack import SlackDiagnosis, diagnose_slack
from runbook.redaction import without_secrets
from topology.contacts import in_one_line

ATTEMPTS_MAX: Final = 2
_COLOURS: Final = {Likelihood.CERTAIN: "red", Likelihood.LIKELY: "red", Likelihood.POSSIBLE: "yellow"}
_SHOWN: Final = 3
"""Of what shows one cause."""

app = typer.Typer(
    help="Find out why a stack does not deliver: the likeliest cause first, and the next command.",
    invoke_without_command=True,
    no_args_is_help=False,
)

Since = Annotated[str, typer.Option(help="What happened before is left out, such as 30m, 2h, 1d ago.")]


@app.callback()
def diagnose_stack(
    context: typer.Context,
    *,
    since: Since = "10m",
    show_all: Annotated[bool, typer.Option("--all", help="Show all that was looked at.")] = False,
    bundle: Annotated[
        Path | None, typer.Option(help="Write all that was seen there, without secrets, as a zip file.")
    ] = None,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Look at both regions from the webhook to Slack and name the causes that fit, the likeliest first.

    It reads, and runs the workers once with nothing to do. What does not answer is unknown. Exits 1 if
    something is wrong, or half of a region or more could not be looked at.
    """
    if context.invoked_subcommand is not None:
        return
    if bundle is not None:
        check_report(bundle, "--bundle")
    scene = _scene(run_dir, outputs, since)
    found = diagnose(scene)
    report = _report(scene, found)
    if bundle is not None:
        write_bundle(bundle, scene, report)
    with verdict_kept(_verdict(found)):
        if as_json:
            typer.echo(json.dumps(report, indent=2))
        else:
            _print(found, Console(), show_all=show_all)
            _say_contacts(scene, found)
    if bundle is not None:
        typer.echo(f"all that was seen is in {bundle}; look through it before you send it on", err=True)
    if not found.well:
        raise typer.Exit(1)


@app.command("slack")
def slack(
    *,
    since: Since = "1h",
    test_message: Annotated[
        bool, typer.Option("--test-message", help="Post one LOW alert in each region and follow it to Slack.")
    ] = False,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Show what Slack refused lately, which channels have to wait, and where each route leads.

    Exits 1 if something is wrong, or a test message does not arrive.
    """
    scene = _scene(run_dir, outputs, since)
    found = diagnose_slack(scene)
    arrivals: list[Outcome] = []
    if test_message:
        stopped = threading.Event()
        check = injection(scene.subject, SystemClock(), stopped)
        arrivals = run_checks([check], within_s=INJECTION_WITHIN_S, stopped=stopped)
    with verdict_kept(_verdict(found.diagnosis)):
        if as_json:
            typer.echo(json.dumps(_slack_report(scene, found, arrivals), indent=2))
        else:
            _print_slack(scene, found, arrivals, Console())
            _say_contacts(scene, found.diagnosis)
    if not found.diagnosis.well or any(one.finding.state != State.OK for one in arrivals):
        raise typer.Exit(1)


def _scene(run_dir: Path, outputs: str | None, since: str) -> Scene:
    looked_back_s = span_of("--since", since)
    stack = open_stack(run_dir, outputs, attempts_max=ATTEMPTS_MAX)
    subject = Subject(stack.deployment, stack.config)
    check_account(subject)
    return Scene(subject, round(datetime.now(UTC).timestamp() - looked_back_s) * 1_000)


def _verdict(found: Diagnosis) -> str:
    """The last line, in short."""
    if found.causes:
        return f"likeliest: {found.causes[0].rule.title} ({', '.join(found.causes[0].regions)})"
    if found.unexplained:
        return "the cause is unknown: nothing that was looked at explains what is seen"
    if found.blind:
        return f"unknown: half or more of {' and '.join(found.blind)} could not be looked at"
    return "nothing wrong is seen"


def _print(found: Diagnosis, console: Console, *, show_all: bool) -> None:
    def line(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False)

    if show_all:
        print_outcomes(found.observation.outcomes, console)
    for number, cause in enumerate(found.causes, start=1):
        colour = _COLOURS[cause.rule.likelihood]
        where = ", ".join(cause.regions)
        line(
            f"{number}. [{colour}]{cause.rule.likelihood}[/]  {cause.rule.title}  ({where})  {cause.rule.id}"
        )
        for one in cause.evidence[:_SHOWN]:
            line(f"    {one.region}: {escape(printable(one.detail))}")
        if len(cause.evidence) > _SHOWN:
            line(f"    and {len(cause.evidence) - _SHOWN} more: --json has them")
        line(f"      next: {escape(printable(hinted(cause.hint)))}")
        line(f"      see {cause.rule.see}")
    for one in found.unexplained:
        line(f"?. [yellow]unexplained[/]  {one.region}: {escape(printable(one.detail))}")
        if one.mend:
            line(f"      next: {escape(printable(hinted(one.mend)))}")
    if found.unseen:
        asked = ", ".join(f"{one.region} {one.check.id}" for one in found.unseen)
        line(f"[yellow]could not be looked at[/]: {asked}")
        reasons = dict.fromkeys(one.finding.reason for one in found.unseen)
        line(f"    {escape(printable(next(iter(reasons))))}")
    line(_verdict(found))


def _print_slack(scene: Scene, found: SlackDiagnosis, arrivals: Sequence[Outcome], console: Console) -> None:
    table = make_table("route", "goes to", "waits", whole={"route"})
    for route, goes_to in _routes(scene):
        channel = f"the channel of route {route}" if route else "the default channel"
        table.add_row(route or "(default)", goes_to, escape(printable(found.waits.get(channel, ""))))
    print_table(table, console)
    if found.errors:
        errors = make_table(
            "times", "region", "what Slack or the function said", "last", whole={"times", "region"}
        )
        for one in found.errors:
            errors.add_row(
                str(one.count), one.region, escape(printable(one.reason)), shown_time(one.last_ms // 1_000)
            )
        print_table(errors, console)
    _print(found.diagnosis, console, show_all=False)
    if arrivals:
        print_outcomes(arrivals, console)


def _say_contacts(scene: Scene, found: Diagnosis) -> None:
    """Whom to call, where somebody is needed."""
    contacts = in_one_line(scene.subject.config.contacts)
    if contacts and not found.well:
        typer.echo(printable(contacts))


def _routes(scene: Scene) -> list[tuple[str, str]]:
    """Each route's name with where it leads, the default one first; no webhook's address: a secret."""
    config, names = scene.subject.config, scene.subject.deployment.names
    channel = config.slack_channel
    default = f"channel {channel}" if channel else f"the webhook in {names.slack_webhook_secret}"
    return [
        ("", default),
        *(
            (
                route.name,
                f"channel {route.channel}"
                if route.channel
                else f"the webhook in {names.route_secret(route.secret)}"
                if route.secret
                else default,
            )
            for route in config.routes
        ),
    ]


def _report(scene: Scene, found: Diagnosis) -> dict[str, Any]:
    report: dict[str, Any] = without_secrets(
        {
            "stack": scene.subject.deployment.names.stack,
            "since_ms": scene.since_ms,
            "verdict": _verdict(found),
            "causes": [_cause(cause) for cause in found.causes],
            "unexplained": [_evidence(one) for one in found.unexplained],
            "observations": json.loads(outcomes_as_json(found.observation.outcomes))["checks"],
        }
    )
    return report | {"contacts": [asdict(one) for one in scene.subject.config.contacts]}


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "id": cause.rule.id,
        "title": cause.rule.title,
        "likelihood": cause.rule.likelihood,
        "regions": list(cause.regions),
        "evidence": [_evidence(one) for one in cause.evidence],
        "next": hinted(cause.hint),
        "see": cause.rule.see,
    }


def _evidence(one: Evidence) -> dict[str, str]:
    return {"sign": one.sign, "region": one.region, "what": one.what, "detail": one.detail}


def _slack_report(scene: Scene, found: SlackDiagnosis, arrivals: Sequence[Outcome]) -> dict[str, Any]:
    report = _report(scene, found.diagnosis)
    report["routes"] = [{"route": route, "goes_to": goes_to} for route, goes_to in _routes(scene)]
    report["waits"] = without_secrets(found.waits)
    report["errors"] = without_secrets([asdict(one) for one in found.errors])
    report["test_messages"] = json.loads(outcomes_as_json(arrivals))["checks"]
    return report
