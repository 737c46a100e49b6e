"""IAM policies: what each function may do, action by action and ARN by ARN. Used by every component."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pulumi

from topology.functions import ANALYSIS, DISTRIBUTION, RECEPTION, RECOVERY, FunctionSpec
from topology.queues import (
    DISTRIBUTION_CRITICAL,
    DISTRIBUTION_QUEUE,
    PROCESSING,
    PROCESSING_CRITICAL,
    PROCESSING_DLQ,
    WORK_QUEUES,
    QueueSpec,
)
from topology.tables import (
    CHILDREN_INDEX,
    FAULT_INDEX,
    INCIDENT_INDEX,
    OPEN_INDEX,
    TIMESTAMP_INDEX,
    IndexSpec,
)

_CONSUME = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What an event source mapping does with the function's role.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""

_SEND = ("sqs:SendMessage",)
_MOVE = ("dynamodb:GetItem", "dynamodb:UpdateItem")
"""Reading an alert and moving it on."""
_AGREE = ("dynamodb:GetItem", "dynamodb:PutItem")
"""Reading a shared record and putting another in its place, if nobody else has."""


@dataclass(frozen=True)
class Grant:
    """Actions allowed on resources, both listed exactly, under `conditions` by operator and key."""

    actions: tuple[str, ...]
    resources: tuple[pulumi.Input[str], ...]
    conditions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def statement(self) -> dict[str, object]:
        """The statement of a policy document."""
        allow = {"Effect": "Allow", "Action": [*self.actions], "Resource": [*self.resources]}
        return allow | ({"Condition": self.conditions} if self.conditions else {})


@dataclass(frozen=True)
class RegionResources:
    """The ARNs, all in one region, of what that region's functions work on."""

    alerts_table: pulumi.Output[str]
    analysis_cache_table: pulumi.Output[str]
    coordination_table: pulumi.Output[str]
    queues: Mapping[QueueSpec, pulumi.Output[str]]
    anthropic_key_secret: pulumi.Output[str]
    slack_secrets: tuple[pulumi.Output[str], ...]
    escalation_topic: pulumi.Output[str]


def function_grants(spec: FunctionSpec, resources: RegionResources) -> tuple[Grant, ...]:
    """What the function may do for its work; its log is `log_grant`."""
    alerts, queues = resources.alerts_table, resources.queues
    coordination = Grant(_AGREE, (resources.coordination_table,))
    processing = (queues[PROCESSING], queues[PROCESSING_CRITICAL])
    distribution_queues = (queues[DISTRIBUTION_QUEUE], queues[DISTRIBUTION_CRITICAL])
    work: Mapping[FunctionSpec, tuple[Grant, ...]] = {
        RECEPTION: (
            Grant((*_MOVE, "dynamodb:BatchGetItem", "dynamodb:PutItem"), (alerts,)),
            Grant((*_AGREE, "dynamodb:BatchGetItem", "dynamodb:UpdateItem"), (resources.coordination_table,)),
            Grant(_SEND, (*processing, queues[PROCESSING_DLQ])),
        ),
        ANALYSIS: (
            Grant((*_MOVE, "dynamodb:BatchGetItem"), (alerts,)),
            Grant(("dynamodb:Query",), _index_arns(alerts, FAULT_INDEX, INCIDENT_INDEX)),
            Grant(("dynamodb:GetItem", "dynamodb:PutItem"), (resources.analysis_cache_table,)),
            coordination,
            Grant((*_CONSUME, *_SEND), processing),
            Grant(_SEND, distribution_queues),
            Grant(("secretsmanager:GetSecretValue",), (resources.anthropic_key_secret,)),
        ),
        DISTRIBUTION: (
            Grant((*_MOVE, "dynamodb:BatchGetItem"), (alerts,)),
            Grant(("dynamodb:Query",), _index_arns(alerts, OPEN_INDEX, CHILDREN_INDEX, INCIDENT_INDEX)),
            coordination,
            Grant((*_CONSUME, *_SEND), distribution_queues),
            Grant(("secretsmanager:GetSecretValue",), resources.slack_secrets),
        ),
        RECOVERY: (
            Grant((*_MOVE, "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"), (alerts,)),
            Grant(
                ("dynamodb:Query",),
                _index_arns(alerts, TIMESTAMP_INDEX, OPEN_INDEX, CHILDREN_INDEX, FAULT_INDEX),
            ),
            Grant(
                (*_AGREE, "dynamodb:BatchGetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"),
                (resources.coordination_table,),
            ),
            Grant(_SEND, tuple(queues[queue] for queue in WORK_QUEUES)),
            Grant(("sns:Publish",), (resources.escalation_topic,)),
        ),
    }
    return work[spec]


def log_grant(log_group: pulumi.Output[str]) -> Grant:
    """Writing to the streams of one log group, which exists already. `log_group` is its ARN."""
    return Grant(("logs:CreateLogStream", "logs:PutLogEvents"), (pulumi.Output.concat(log_group, ":*"),))


def _index_arns(table: pulumi.Output[str], *indexes: IndexSpec) -> tuple[pulumi.Output[str], ...]:
    return tuple(pulumi.Output.concat(table, f"/index/{index.name}") for index in indexes)


def identity_policy(grants: Iterable[Grant]) -> pulumi.Output[str]:
    """A role's policy document as JSON."""
    return _document([grant.statement() for grant in grants])


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
    """The policy document of a topic, a key or a bucket as JSON.

    Each statement has its `Sid`, and allows unless it says `Deny`.
    """
    return _document([{"Effect": "Allow", **statement} for statement in statements])


def _document(statements: list[dict[str, object]]) -> pulumi.Output[str]:
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": statements})
