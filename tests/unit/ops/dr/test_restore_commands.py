"""`responder dr restore`: what is refused before a stack is asked, and by which role AWS Backup restores."""

from dataclasses import replace

import pytest
import typer

from dr.restores.calls import RestoreRefusedError
from ops.dr.restore_commands import restore
from ops.dr.restore_sources import restore_role
from tests.fakes.deployment import FAILOVER, PRIMARY
from tests.fakes.dr_stack import dr_stack


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "give one of"),
        ({"to": "10m", "backup": "newest"}, "give one of"),
        ({"to": "10m", "resume": True, "target": "t"}, "give one of"),
        ({"resume": True}, "--target"),
        ({"to": "10m", "max_age": 1.0}, "--max-age"),
        ({"backup": "newest", "max_age": 1.0}, "--max-age"),
        ({"copy": "live", "max_age": 1.0}, "--max-age"),
        ({"copy": "table:other", "max_age": 1.0}, "--max-age"),
    ],
)
def test_options_that_contradict_each_other_are_used_wrongly(options: dict[str, object], reason: str) -> None:
    """None is left out silently: an age that was asked for is one that is looked at."""
    with pytest.raises(typer.BadParameter, match=reason):
        restore(**options)  # type: ignore[arg-type]  # options of several types


@pytest.mark.parametrize("region", [PRIMARY, FAILOVER])
def test_aws_backup_restores_by_the_regions_own_role(aws: None, region: str) -> None:  # noqa: ARG001 - moto
    """It may make tables of one kind of name only, so another is refused before a job fails hours later."""
    stack = dr_stack().deployment
    topic = "arn:aws:sns:x:123456789012:alarms"
    stack = replace(
        stack,
        primary=replace(stack.primary, alarm_topic_arn=topic),
        failover=replace(stack.failover, alarm_topic_arn=topic),
    )
    target = "mcp-incident-responder-dev-alerts-restored-1"
    role = f"arn:aws:iam::123456789012:role/mir-dev-restore-{region}"
    assert restore_role(stack, region, target) == role
    with pytest.raises(RestoreRefusedError, match="--role-arn"):
        restore_role(stack, region, "other")
