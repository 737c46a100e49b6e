"""Settings that stop a region: each is read from AWS, and is wrong or not whatever the traffic."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from clients.aws import is_absent
from deploy.checks.secret_values import current_version, secret_names
from runbook.diagnosis.evidence import Evidence, Probe, Scene, Sign
from topology.functions import FUNCTIONS
from topology.queues import DEAD_LETTER_QUEUES, WORK_QUEUES

_RUNS: Final = frozenset({"Enabled", "Enabling", "Creating", "Updating"})
"""States of a mapping that delivers, or soon does.
https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html"""

_COUNTS: Final = ("ApproximateNumberOfMessages", "Policy")
_USED: Final = ("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage")
_ACTIVE: Final = frozenset({"ACTIVE", "UPDATING"})
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html"""


def _gone(scene: Scene, sign: Sign, region: str, kind: str, name: str) -> Evidence:
    mend = f"run {scene.subject.up}"
    return Evidence(sign=sign, region=region, what=name, detail=f"there is no {kind} {name}", mend=mend)


def _key(scene: Scene, region: str) -> Iterator[Evidence]:
    """The key that senders use; its value is not asked for."""
    name = scene.subject.deployment.names.api_key
    found = scene.subject.client("apigateway", region).get_api_keys(nameQuery=name, limit=500)["items"]
    keys = [key for key in found if key["name"] == name]
    if not keys:
        yield _gone(scene, Sign.KEY_UNUSABLE, region, "API key", name)
    for key in keys:
        if not key.get("enabled", True):
            enable = scene.aws(
                "apigateway update-api-key",
                region,
                api_key=key["id"],
                patch_operations="op=replace,path=/enabled,value=true",
            )
            detail = f"the API key {name} is disabled: every alert is answered 403"
            yield Evidence(sign=Sign.KEY_UNUSABLE, region=region, what=name, detail=detail, mend=enable)


def _concurrency(scene: Scene, region: str) -> Iterator[Evidence]:
    """A function that has reserved nothing for itself runs; one that has reserved 0 does not.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
    """
    subject = scene.subject
    for spec in FUNCTIONS:
        name = subject.deployment.names.function(spec)
        try:
            answer = subject.client("lambda", region).get_function_concurrency(FunctionName=name)
        except ClientError as error:
            if not is_absent(error):
                raise
            yield _gone(scene, Sign.FUNCTION_MISSING, region, "function", name)
            continue
        if answer.get("ReservedConcurrentExecutions") == 0:
            yield Evidence(
                sign=Sign.FUNCTION_STOPPED,
                region=region,
                what=name,
                detail=f"{name} has a reserved concurrency of 0: it never runs",
                mend=_concurrency_again(scene, region, name),
            )


def _concurrency_again(scene: Scene, region: str, name: str) -> str:
    reserved = scene.subject.config.reserved_concurrency
    if not reserved:
        return scene.aws("lambda delete-function-concurrency", region, function_name=name)
    return scene.aws(
        "lambda put-function-concurrency",
        region,
        function_name=name,
        reserved_concurrent_executions=str(reserved),
    )


def _mappings(scene: Scene, region: str) -> Iterator[Evidence]:
    """Each work queue has a mapping that delivers."""
    names = scene.subject.deployment.names
    pages = scene.subject.client("lambda", region).get_paginator("list_event_source_mappings").paginate()
    by_queue = {
        str(one["EventSourceArn"]).rpartition(":")[2]: one
        for page in pages
        for one in page["EventSourceMappings"]
        if "EventSourceArn" in one
    }
    for spec in WORK_QUEUES:
        queue = names.queue(spec)
        mapping = by_queue.get(queue)
        if mapping is None:
            yield _gone(scene, Sign.MAPPING_MISSING, region, "event source mapping of", queue)
        elif mapping["State"] not in _RUNS:
            enable = scene.aws("lambda update-event-source-mapping --enabled", region, uuid=mapping["UUID"])
            detail = f"the event source mapping of {queue} is {mapping['State']}"
            yield Evidence(sign=Sign.MAPPING_OFF, region=region, what=queue, detail=detail, mend=enable)


def _queues(scene: Scene, region: str) -> Iterator[Evidence]:
    """Work queues are there and may be used, and the dead-letter queues are empty."""
    subject, sqs = scene.subject, scene.subject.client("sqs", region)
    for spec in (*WORK_QUEUES, *DEAD_LETTER_QUEUES):
        name, url = subject.deployment.names.queue(spec), subject.endpoints(region).queue_url(spec)
        try:
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"]
        except ClientError as error:
            if not is_absent(error):
                raise
            yield _gone(scene, Sign.QUEUE_MISSING, region, "queue", name)
            continue
        if denied := _denied(found.get("Policy", "")):
            look = scene.aws("sqs get-queue-attributes --attribute-names Policy", region, queue_url=url)
            detail = f"the policy of {name} denies {', '.join(denied)} to everybody"
            yield Evidence(sign=Sign.QUEUE_DENIED, region=region, what=name, detail=detail, mend=look)
        if spec in DEAD_LETTER_QUEUES and int(found.get(_COUNTS[0], 0)):
            detail = f"{found[_COUNTS[0]]} messages in {name}"
            yield Evidence(
                sign=Sign.DEAD_LETTERS, region=region, what=name, detail=detail,
                mend=f"`responder dlq list --region {region}`",
            )  # fmt: skip


def _denied(policy: str) -> list[str]:
    """What of a worker's use of a queue its policy denies whoever asks."""
    statements = json.loads(policy).get("Statement", []) if policy else []
    found: list[str] = []
    for one in statements if isinstance(statements, list) else [statements]:
        actions = one.get("Action", [])
        listed = {str(each).lower() for each in ([actions] if isinstance(actions, str) else actions)}
        if (
            one.get("Effect") == "Deny"
            and one.get("Principal") in ("*", {"AWS": "*"})
            and not one.get("Condition")
        ):
            found += [use for use in _USED if listed & {use.lower(), "sqs:*", "*"}]
    return found


def _secrets(scene: Scene, region: str) -> Iterator[Evidence]:
    """Each secret has a value, which is not read."""
    for name in secret_names(scene.subject):
        try:
            if current_version(scene.subject, region, name) is not None:
                continue
            detail = f"the secret {name} has no value, or is marked for deletion"
        except ClientError as error:
            if not is_absent(error):
                raise
            detail = f"there is no secret {name}"
        yield Evidence(
            sign=Sign.SECRET_UNUSABLE, region=region, what=name, detail=detail,
            mend="`responder secrets status`",
        )  # fmt: skip


def _tables(scene: Scene, region: str) -> Iterator[Evidence]:
    """Each table is there and works; one that is throttled does not even say so much."""
    client = scene.subject.client("dynamodb", region)
    for table in scene.subject.deployment.tables:
        try:
            described = client.describe_table(TableName=table)["Table"]
            status = described["TableStatus"]
            key = {described["KeySchema"][0]["AttributeName"]: {"S": "-"}}
            client.get_item(TableName=table, Key=key, ConsistentRead=True)
        except ClientError as error:
            if throttled(error):
                yield throttling(region, table, error)
                continue
            if not is_absent(error):
                raise
            status = "missing"
        if status not in _ACTIVE:
            yield Evidence(
                sign=Sign.TABLE_MISSING, region=region, what=table, detail=f"the table {table} is {status}",
                mend="`responder deploy check --only tables`",
            )  # fmt: skip


_THROTTLES: Final = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"}
)
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html"""


def throttled(error: ClientError) -> bool:
    """Whether DynamoDB had too much to do for a call."""
    return error.response["Error"]["Code"] in _THROTTLES


def throttling(region: str, table: str, error: ClientError) -> Evidence:
    """The sign of a table that is throttled, with what DynamoDB says of it."""
    detail = f"DynamoDB throttles {table} ({error.response['Error']['Code']})"
    return Evidence(
        sign=Sign.TABLE_THROTTLED, region=region, what=table, detail=detail, mend="`responder dashboard`"
    )


def _schedule(scene: Scene, region: str) -> Iterator[Evidence]:
    """Recovery's schedule is there and enabled."""
    name = scene.subject.deployment.names.recovery_schedule
    try:
        schedule = scene.subject.client("scheduler", region).get_schedule(Name=name)
    except ClientError as error:
        if not is_absent(error):
            raise
        yield _gone(scene, Sign.SCHEDULE_OFF, region, "schedule", name)
        return
    if schedule.get("State", "ENABLED") != "ENABLED":
        detail = f"the schedule {name} is {schedule['State']}: Recovery does not run"
        yield Evidence(
            sign=Sign.SCHEDULE_OFF, region=region, what=name, detail=detail,
            mend=_schedule_again(scene, region, schedule),
        )  # fmt: skip


def _schedule_again(scene: Scene, region: str, schedule: Mapping[str, Any]) -> str:
    """Every setting has to be given: what is left out is set to its default.

    https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
    """
    return scene.aws(
        "scheduler update-schedule --state ENABLED",
        region,
        name=schedule["Name"],
        schedule_expression=schedule["ScheduleExpression"],
        flexible_time_window=json.dumps(schedule["FlexibleTimeWindow"]),
        target=json.dumps(schedule["Target"]),
    )


SETTINGS_PROBES: Final = (
    Probe(
        id="api-key", category="api", title="senders' API key is there and enabled",
        actions=("apigateway:GET",), look=_key,
    ),
    Probe(
        id="concurrency", category="functions", title="every function is there and may run",
        actions=("lambda:GetFunctionConcurrency",), look=_concurrency,
    ),
    Probe(
        id="mappings", category="queues", title="every work queue has a mapping that delivers",
        actions=("lambda:ListEventSourceMappings",), look=_mappings,
    ),
    Probe(
        id="queues", category="queues", title="work queues may be used, dead-letter queues are empty",
        actions=("sqs:GetQueueAttributes",), look=_queues,
    ),
    Probe(
        id="secrets", category="secrets", title="every secret has a value",
        actions=("secretsmanager:DescribeSecret",), look=_secrets,
    ),
    Probe(
        id="tables", category="tables", title="every table answers",
        actions=("dynamodb:DescribeTable", "dynamodb:GetItem"), look=_tables,
    ),
    Probe(
        id="schedule", category="recovery", title="Recovery is run each minute",
        actions=("scheduler:GetSchedule",), look=_schedule,
    ),
)  # fmt: skip
