"""`responder contacts`: whom to call, as the stack's configuration has them."""

import json
from dataclasses import asdict

import typer
from rich.console import Console
from rich.markup import escape

from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from ops.opened_stack import Outputs, deployment_of
from ops.options import AsJson, printable
from ops.tables import make_table, print_table
from topology.contacts import CONTACTS_KEY
from topology.names import LOCAL_STACK, STACKS


def show_contacts(*, outputs: Outputs = None, as_json: AsJson = False) -> None:
    """Show whom to call, the first first: people, AWS and Anthropic, as `Pulumi.<stack>.yaml` names them.

    No stack is asked, unless a file or a bucket has to tell which one it is.

    Example: `responder contacts --stack prod`.
    """
    stack = outputs or LOCAL_STACK
    if stack not in STACKS:
        stack = deployment_of(stack).names.stack
    contacts = stack_config(ROOT, stack).contacts
    if as_json:
        typer.echo(json.dumps([asdict(contact) for contact in contacts], indent=2))
        return
    if not contacts:
        typer.echo(
            f"none; name them in Pulumi.{stack}.yaml under `{CONTACTS_KEY}` (docs/runbook.md)", err=True
        )
        return
    table = make_table("who", "reach", whole={"who"})
    for contact in contacts:
        table.add_row(escape(printable(contact.who)), escape(printable(contact.reach)))
    print_table(table, Console())
