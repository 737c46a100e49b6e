"""What is said when the region that was asked does not answer."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dr.exports.requests import ExportRefusedError
from ops.cli import app
from ops.regions import RegionSilentError, asking
from tests.fakes.aws_refusals import refusal
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, dr_stack


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """Of the stack dev, whose alarms say which account it is in."""
    return dr_stack()


@pytest.mark.parametrize(
    "words",
    [
        ["exports"],
        ["export"],
        ["check"],
        ["compare", "latest", "live"],
        ["restore", "--to", "10m", "--dry-run"],
        ["restore", "--export", "latest", "--dry-run"],
        ["repair", "a-restored-table"],
    ],
)
def test_a_dark_region_is_said_with_the_other_one_to_ask(
    stack: DrStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Sequence[str]
) -> None:
    """By the option that does it, in every command on data."""
    topics = dict.fromkeys(("AlarmTopicArn", "FailoverAlarmTopicArn"), "arn:aws:sns:x:123456789012:alarms")
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({**stack.outputs, **topics}))
    stack.lose(PRIMARY)
    monkeypatch.setattr("ops.opened_stack.AwsClients", lambda: stack.clients)
    done = CliRunner().invoke(app, ["dr", *words, "--outputs", str(outputs)])
    assert isinstance(done.exception, RegionSilentError)
    assert f"the other region has its own: add `--region {FAILOVER}`" in str(done.exception)


def test_what_the_other_region_would_refuse_too_is_said_as_it_is(stack: DrStack) -> None:
    """AWS answered, and it was no."""
    refused = ExportRefusedError("no")
    refused.__cause__ = refusal("AccessDeniedException", status=403)
    with pytest.raises(ExportRefusedError, match=r"^no$"), asking(stack.deployment, PRIMARY):
        raise refused
