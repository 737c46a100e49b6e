"""Whose credentials a stack is checked with: said in one line before anything else is asked."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from deploy.checks.identity import NotTheAccountError, check_account
from deploy.checks.subject import Subject
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from ops import deploy_check
from ops.cli import app, main
from ops.opened_stack import OpenedStack
from tests.fakes.aws_refusals import refusal
from tests.fakes.recorded_aws import FAILOVER, PRIMARY, RecordedAws, recorded_deployment

STACKS_OWN, ANOTHER = ({"Account": account} for account in ("123456789012", "210987654321"))


def subject(aws: RecordedAws) -> Subject:
    """The stack prod, in account 123456789012."""
    return Subject(recorded_deployment(aws), stack_config(ROOT, "prod"))


def test_the_stacks_own_account_is_asked_once() -> None:
    """And let through."""
    aws = RecordedAws({"sts.get_caller_identity": STACKS_OWN})
    check_account(subject(aws))
    assert aws.asked == [f"sts.get_caller_identity@{PRIMARY}"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ANOTHER, "of account 210987654321, and the stack is in 123456789012; choose its profile"),
        (NoCredentialsError(), "log in to account 123456789012"),
        (refusal("ExpiredToken"), "log in to account 123456789012"),
        (refusal("InvalidClientTokenId"), "log in to account 123456789012"),
    ],
)
def test_credentials_of_nobody_or_of_another_account_are_refused_with_the_next_step(
    answer: Any, said: str
) -> None:
    """Before a table is missed that is in another account, and 70 checks are unknown for one reason."""
    with pytest.raises(NotTheAccountError) as refused:
        check_account(subject(RecordedAws({"sts.get_caller_identity": answer})))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_lost_region_does_not_hold_the_checks_up() -> None:
    """The other one knows the caller too; where none answers, the checks tell."""
    aws = RecordedAws({"sts.get_caller_identity": ANOTHER})
    aws.lost.add(PRIMARY)
    with pytest.raises(NotTheAccountError):
        check_account(subject(aws))
    aws.lost.add(FAILOVER)
    check_account(subject(aws))


def test_the_command_is_one_line_and_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nothing else is asked of AWS."""
    aws = RecordedAws({"sts.get_caller_identity": NoCredentialsError()})
    opened = OpenedStack(recorded_deployment(aws), None)
    monkeypatch.setattr(deploy_check, "open_stack", lambda *_, **__: opened)
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({}))
    with pytest.raises(SystemExit) as ended:
        main(lambda: app(["deploy", "check", "--outputs", str(outputs)], standalone_mode=False))
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert aws.asked == [f"sts.get_caller_identity@{PRIMARY}"]
