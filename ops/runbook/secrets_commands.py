"""`responder secrets`: whether each has a value in both regions, and rotating one."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clients.interrupts import interrupt_on_ending
from ops.hints import hinted
from ops.local import running
from ops.opened_stack import Outputs, StackName, confirm, open_stack
from ops.options import AsJson, RunDir, Yes, printable
from ops.tables import make_table, print_table
from runbook.secrets import SecretState, StackSecret, StackSecrets

SHORT_ID_CHARS = 8


def status(
    *,
    checking: Annotated[
        bool, typer.Option("--check", help="Have the functions ask Slack and Claude whether they take them.")
    ] = False,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Show each secret in both regions: its version, whether they are the same, and when it was changed.

    No value is read. Exits 1 where one has no value, differs between the regions, or is not taken.
    """
    secrets = StackSecrets(open_stack(run_dir, outputs).deployment)
    found = [(secret, secrets.states(secret, checking=checking)) for secret in secrets.all()]
    if as_json:
        rows = [
            {"secret": one.word, "name": one.name, "fine": _fine(states)}
            | {"regions": [asdict(state) for state in states]}
            for one, states in found
        ]
        typer.echo(json.dumps(rows, indent=2, default=str))
    else:
        print_table(_table(found), Console())
    if not all(_fine(states) for _, states in found):
        raise typer.Exit(1)


def rotate(
    secret: Annotated[
        str, typer.Argument(help="slack, slack-bot, anthropic, or a route's, as `secrets status` has it.")
    ],
    *,
    yes: Yes = False,
    stack_name: StackName = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Put a new value, typed when asked or from standard input, in the place of the current one.

    It is tried first: the function that needs it asks Slack or Claude. Then it becomes current in both
    regions, and where a function cannot use it, the one before does again. Other environments of the function
    read it within 4 minutes. Exits 1 if it was not taken, or a region could not be asked.
    """
    deployment = open_stack(run_dir, outputs).deployment
    secrets = StackSecrets(deployment)
    known = {one.word: one for one in secrets.all()}
    if secret not in known:
        # What was typed is not repeated: it may be the value.
        raise typer.BadParameter(f"there is no such secret; there are {', '.join(known)}")
    value = _value(known[secret])
    confirm(deployment, f"{known[secret].name} gets another value.", yes=yes, stack_name=stack_name)
    interrupt_on_ending()
    done = secrets.rotate(known[secret], value, say=lambda text: typer.echo(text, err=True))
    if as_json:
        typer.echo(json.dumps(asdict(done), indent=2))
    elif done.rolled_back:
        typer.echo(f"{done.name} is as it was")
    else:
        typer.echo(f"{done.name} has another value; each function reads it within 4 minutes")
    for region, problem in done.problems.items():
        typer.secho(
            hinted(f"{region}: {printable(problem)}; `responder secrets status --check` asks again"),
            fg="red",
            err=True,
        )
    if done.problems:
        raise typer.Exit(1)


def _value(secret: StackSecret) -> str:
    """What is typed unseen, or the first line of standard input."""
    if sys.stdin.isatty():
        typed: str = typer.prompt(f"New value of {secret.name}", hide_input=True, err=True)
        return typed.strip()
    return sys.stdin.readline().strip()


def _fine(states: list[SecretState]) -> bool:
    versions = {state.version for state in states}
    return len(versions) == 1 and None not in versions and not any(state.problem for state in states)


def _table(found: list[tuple[StackSecret, list[SecretState]]]) -> Table:
    table = make_table(
        "secret", "region", "version", "changed", "state", whole={"secret", "region", "version"}
    )
    for secret, states in found:
        same = len({state.version for state in states if not state.error}) == 1
        for state in states:
            table.add_row(
                secret.word,
                state.region,
                (state.version or "unknown" if state.error else state.version or "none")[:SHORT_ID_CHARS],
                f"{state.changed_at:%Y-%m-%d %H:%M} UTC" if state.changed_at else "",
                escape(printable(_said(state, same=same))),
            )
    return table


def _said(state: SecretState, *, same: bool) -> str:
    if state.error:
        return f"unknown: {state.error}"
    if state.version is None:
        return hinted("no value: `responder secrets rotate` puts one")
    if state.problem:
        return f"not taken: {state.problem}"
    words = ["ok, taken" if state.problem == "" else "ok"] if same else ["not the same in both regions"]
    return ", ".join([*words, *(["a rotation was broken off"] if state.pending else [])])
