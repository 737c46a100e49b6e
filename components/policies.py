"""IAM policies: what each function may do, action by action and ARN by ARN. Used by every component."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pulumi

from topology.functions import ANALYSIS, DISTRIBUTION, RECEPTION, RECOVERY, FunctionSpec
from topology.queues import (
    DISTRIBUTION_CRITICAL,
    DISTRIBUTION_QUEUE,
    PROCESSING,
    PROCESSING_DLQ,
    WORK_QUEUES,
    QueueSpec,
)
from topology.tables import OPEN_INDEX

_CONSUME = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What an event source mapping does with the function's role.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""

_SEND = ("sqs:SendMessage",)


@dataclass(frozen=True)
class Grant:
    """Actions allowed on resources, both listed exactly."""

    actions: tuple[str, ...]
    resources: tuple[pulumi.Input[str], ...]


@dataclass(frozen=True)
class Reach:
    """The ARNs, all in one region, of what that region's functions work on."""

    alerts_table: pulumi.Output[str]
    analysis_cache_table: pulumi.Output[str]
    queues: Mapping[QueueSpec, pulumi.Output[str]]
    anthropic_key_secret: pulumi.Output[str]
    slack_webhook_secret: pulumi.Output[str]


def function_grants(spec: FunctionSpec, reach: Reach) -> tuple[Grant, ...]:
    """What the function may do for its work; its log is `log_grant`."""
    alerts, queues = reach.alerts_table, reach.queues
    lanes = (queues[DISTRIBUTION_QUEUE], queues[DISTRIBUTION_CRITICAL])
    work: Mapping[FunctionSpec, tuple[Grant, ...]] = {
        RECEPTION: (
            Grant(("dynamodb:GetItem", "dynamodb:PutItem"), (alerts,)),
            Grant(_SEND, (queues[PROCESSING], queues[PROCESSING_DLQ])),
        ),
        ANALYSIS: (
            Grant(("dynamodb:GetItem", "dynamodb:UpdateItem"), (alerts,)),
            Grant(("dynamodb:GetItem", "dynamodb:PutItem"), (reach.analysis_cache_table,)),
            Grant(_CONSUME, (queues[PROCESSING],)),
            Grant(_SEND, (queues[PROCESSING], *lanes)),
            Grant(("secretsmanager:GetSecretValue",), (reach.anthropic_key_secret,)),
        ),
        DISTRIBUTION: (
            Grant(("dynamodb:GetItem", "dynamodb:UpdateItem"), (alerts,)),
            Grant((*_CONSUME, *_SEND), lanes),
            Grant(("secretsmanager:GetSecretValue",), (reach.slack_webhook_secret,)),
        ),
        RECOVERY: (
            Grant(("dynamodb:GetItem", "dynamodb:UpdateItem"), (alerts,)),
            Grant(("dynamodb:Query",), (pulumi.Output.concat(alerts, f"/index/{OPEN_INDEX.name}"),)),
            Grant(_SEND, tuple(queues[queue] for queue in WORK_QUEUES)),
        ),
    }
    return work[spec]


def log_grant(log_group: pulumi.Output[str]) -> Grant:
    """Writing to the streams of one log group, which exists already. `log_group` is its ARN."""
    return Grant(("logs:CreateLogStream", "logs:PutLogEvents"), (pulumi.Output.concat(log_group, ":*"),))


def identity_policy(grants: Iterable[Grant]) -> pulumi.Output[str]:
    """A role's policy document as JSON."""
    return _document(
        [{"Effect": "Allow", "Action": [*g.actions], "Resource": [*g.resources]} for g in grants]
    )


def trust_policy(
    service: str, conditions: Mapping[str, Mapping[str, pulumi.Input[str]]] | None = None
) -> pulumi.Output[str]:
    """The document that lets `service` take on a role, as JSON."""
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    return _document([statement | ({"Condition": conditions} if conditions else {})])


def resource_policy(statements: Iterable[Mapping[str, object]]) -> pulumi.Output[str]:
    """The policy document of a topic or a key as JSON; each statement has its `Sid`."""
    return _document([{"Effect": "Allow", **statement} for statement in statements])


def _document(statements: list[dict[str, object]]) -> pulumi.Output[str]:
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": statements})
