"""Contacts in the configuration: every problem is found before anything is created."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from topology.config import ConfigError, StackConfig
from topology.contacts import (
    CONTACTS_KEY,
    MAX_CONTACTS,
    MAX_CONTACTS_CHARS,
    Contact,
    in_one_line,
    parse_contacts,
)
from topology.names import PROJECT

VALID = {"primaryRegion": "us-east-1", "failoverRegion": "us-west-2", "witnessRegion": "us-east-2"}
ON_CALL = {"who": "On-call engineer", "reach": "+41 00 000 00 00"}


def problems_of(raw: object) -> list[str]:
    """The problems of a configuration's contacts."""
    problems: list[str] = []
    parse_contacts(raw, problems)
    return problems


def test_a_stack_takes_its_contacts_from_the_configuration() -> None:
    """In their order, as Pulumi hands them over; a stack needs none."""
    raw = json.dumps([ON_CALL, {"who": " Anthropic ", "reach": "support@anthropic.com"}])
    config = StackConfig.parse(stack="dev", raw=VALID | {"contacts": raw})
    assert config.contacts == (
        Contact(who="On-call engineer", reach="+41 00 000 00 00"),
        Contact(who="Anthropic", reach="support@anthropic.com"),
    )
    assert in_one_line(config.contacts) == (
        "Contacts: On-call engineer: +41 00 000 00 00; Anthropic: support@anthropic.com"
    )
    assert StackConfig.parse(stack="dev", raw=VALID).contacts == ()
    assert in_one_line(()) == ""


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("call Bob", "contacts: 'call Bob' is not allowed; allowed: a list of at most 8 mappings"),
        ([ON_CALL] * (MAX_CONTACTS + 1), "allowed: a list of at most 8 mappings with who and reach"),
        (["Bob"], "contacts[0]: 'Bob' is not allowed; allowed: a mapping with who and reach"),
        ([{"who": "Bob"}], "contacts[0].reach: 'None' is not allowed; allowed: a text on one line"),
        ([ON_CALL | {"who": "a\nb"}], "contacts[0].who: 'a\\nb' is not allowed"),
        ([ON_CALL | {"who": 7}], "contacts[0].who: '7' is not allowed"),
        ([ON_CALL | {"phone": "1"}], "contacts[0].phone: unknown field; allowed: who and reach"),
        ([ON_CALL, ON_CALL], "contacts: 'On-call engineer' is there twice"),
    ],
)
def test_a_wrong_contact_is_told_by_its_place(raw: Any, problem: str) -> None:
    """What is missing, repeated, unknown or would break an alarm's line."""
    assert [said for said in problems_of(raw) if said.startswith(problem) or said.endswith(problem)]


def test_all_contacts_fit_an_alarms_description() -> None:
    """As many characters as are allowed pass, and one more does not."""
    room = MAX_CONTACTS_CHARS - len(in_one_line([Contact(who="Bob", reach="")]))
    assert problems_of([{"who": "Bob", "reach": "r" * room}]) == []
    (problem,) = problems_of([{"who": "Bob", "reach": "r" * (room + 1)}])
    assert f"{MAX_CONTACTS_CHARS + 1} characters" in problem


def test_the_documented_contacts_are_valid() -> None:
    """As people copy them into their stack's file."""
    text = (Path(__file__).parents[3] / "docs" / "runbook.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n( +mcp-incident-responder:contacts:.*?)```", text, re.DOTALL)
    assert block
    assert problems_of(yaml.safe_load(block[1])[f"{PROJECT}:{CONTACTS_KEY}"]) == []


def test_no_contact_is_a_secret() -> None:
    """An alarm's description is read by whoever may see alarms."""
    raw = VALID | {"contacts": [ON_CALL]}
    with pytest.raises(ConfigError, match="contacts: it is no secret where it is used"):
        StackConfig.parse(stack="dev", raw=raw, secret={"contacts"})
