"""`responder contacts`: whom to call, without a stack that runs."""

import json
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from ops.cli import app
from ops.runbook import contacts_command
from topology.contacts import Contact


def responder(*words: str) -> Any:
    """What a person types."""
    return CliRunner().invoke(app, ["contacts", *words])


def test_contacts_are_shown_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the stack's file has them, and nothing of them controls the terminal."""
    contacts = (Contact(who="On-call", reach="+41 00"), Contact(who="AWS [red]", reach="case 7"))
    config = replace(stack_config(ROOT, "prod"), contacts=contacts)
    monkeypatch.setattr(
        contacts_command, "stack_config", lambda _, stack: config if stack == "prod" else None
    )
    shown = responder("--stack", "prod").stdout
    assert shown.index("On-call") < shown.index("AWS [red]")
    assert json.loads(responder("--stack", "prod", "--json").stdout)[1] == {
        "who": "AWS [red]",
        "reach": "case 7",
    }


def test_where_there_are_none_it_says_where_to_name_them() -> None:
    """On stderr; for a script it is an empty list."""
    done = responder("--stack", "prod")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "Pulumi.prod.yaml" in done.stderr
    assert json.loads(responder("--stack", "prod", "--json").stdout) == []
