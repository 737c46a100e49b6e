"""Functions, queues and triggers of each region."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pulumi import FileArchive

from components.region import SETTINGS
from components.triggers import queue_concurrency
from handlers.settings import variable
from tests.components.recorder import ACCOUNT, Run, stack_file
from topology.config import StackConfig
from topology.functions import ANALYSIS, DISTRIBUTION, FUNCTIONS, RECEPTION, RECOVERY, FunctionSpec
from topology.heartbeats import MAX_HEARTBEATS_CHARS
from topology.limits import LAMBDA_ENVIRONMENT_MAX_BYTES
from topology.names import PROJECT
from topology.queues import (
    DISTRIBUTION_CRITICAL,
    DISTRIBUTION_QUEUE,
    PROCESSING,
    PROCESSING_CRITICAL,
    WORK_QUEUES,
)
from topology.sources import MAX_SOURCES_CHARS

REGIONS = ("us-east-1", "us-west-2")
PEER = {"us-east-1": "us-west-2", "us-west-2": "us-east-1"}


def _config(stack: str, **changes: object) -> StackConfig:
    prefix = f"{PROJECT}:"
    raw = {k.removeprefix(prefix): v for k, v in stack_file(stack).items() if k.startswith(prefix)}
    return dataclasses.replace(StackConfig.parse(stack=stack, raw=raw), **changes)  # type: ignore[arg-type]  # tests


def _function(run: Run, spec: FunctionSpec, region: str) -> Mapping[str, Any]:
    return run.one("lambda/function:Function", f"{region}-{spec.key}").inputs


def _environment(run: Run, spec: FunctionSpec, region: str) -> dict[str, str]:
    variables: dict[str, str] = _function(run, spec, region)["environment"]["variables"]
    return variables


@pytest.mark.parametrize("spec", FUNCTIONS, ids=lambda spec: spec.key)
def test_functions_run_what_their_spec_and_configuration_say(spec: FunctionSpec, run: Run) -> None:
    """Memory and time come from the stack's configuration, the rest from the spec."""
    config = _config(run.outputs["Stack"])
    for region in REGIONS:
        function = _function(run, spec, region)
        assert function["runtime"] == "python3.13"
        assert function["architectures"] == ["arm64"]
        assert function["handler"] == f"handlers.{spec.key}.handler"
        assert function["memorySize"] == config.memory_mb[spec]
        assert function["timeout"] == config.timeout_s[spec]
        assert function["publish"] is True
        assert function["role"].endswith(f":role/mir-{config.stack}-{spec.key}-{region}")
        assert isinstance(function["code"], FileArchive)
        assert function["code"].path.endswith(f"{spec.key}.zip")


def test_all_sources_and_heartbeats_that_are_allowed_have_room_in_receptions_environment(run: Run) -> None:
    """Beside its other variables, whose values are as long as names and regions can be."""
    for region in REGIONS:
        environment = _environment(run, RECEPTION, region)
        taken = sum(len(name.encode()) + len(value.encode()) for name, value in environment.items())
        assert (environment[variable("alert_sources")], environment[variable("heartbeats")]) == ("", "")
        assert taken + MAX_SOURCES_CHARS + MAX_HEARTBEATS_CHARS <= LAMBDA_ENVIRONMENT_MAX_BYTES * 7 // 8, (
            taken
        )


def test_concurrency_is_reserved_only_where_the_configuration_says_so(run: Run) -> None:
    """0 in the configuration means none reserved; 0 in Lambda would stop the function."""
    expected = 4 if run.outputs["Stack"] == "local" else None
    for function in run.of("lambda/function:Function"):
        assert function.inputs.get("reservedConcurrentExecutions") == expected


@pytest.mark.parametrize("spec", FUNCTIONS, ids=lambda spec: spec.key)
def test_the_environment_is_exactly_what_the_handler_reads(spec: FunctionSpec, run: Run) -> None:
    """One variable missing stops the function at its cold start; one too many is dead."""
    settings = SETTINGS[spec]
    for region in REGIONS:
        environment = _environment(run, spec, region)
        assert environment.keys() == {variable(field) for field in settings.deployed_fields()}
        read = settings.from_environment(environment | {"AWS_REGION": region})
        assert read.stack == run.outputs["Stack"]
        assert read.peer_region == PEER[region]
        assert read.alerts_table == run.outputs["AlertsTableName"]
        assert read.coordination_table == run.outputs["CoordinationTableName"]
        assert read.ledger_consistency == run.outputs["LedgerConsistency"]


def test_functions_work_on_the_queues_and_topic_of_their_own_region(run: Run) -> None:
    """A function that sent to the other region would fail with it."""
    for region, prefix in (("us-east-1", ""), ("us-west-2", "Failover")):
        for spec in FUNCTIONS:
            environment = _environment(run, spec, region)
            assert environment["PROCESSING_QUEUE_URL"] == run.outputs[f"{prefix}ProcessingQueueUrl"]
            urgent = run.outputs[f"{prefix}ProcessingCriticalQueueUrl"]
            assert environment["PROCESSING_CRITICAL_QUEUE_URL"] == urgent
            assert environment["DISTRIBUTION_QUEUE_URL"] == run.outputs[f"{prefix}DistributionQueueUrl"]
            critical = run.outputs[f"{prefix}DistributionCriticalQueueUrl"]
            assert environment["DISTRIBUTION_CRITICAL_QUEUE_URL"] == critical
        topic = run.outputs[f"{prefix}AlarmTopicArn"]
        assert _environment(run, RECEPTION, region)["ALARM_TOPIC_ARN"] == topic
        assert f":{region}:" in topic


def test_functions_are_told_the_names_of_secrets_never_their_values(run: Run) -> None:
    """The environment can be read by whoever may describe a function."""
    for region in REGIONS:
        assert (
            _environment(run, ANALYSIS, region)["ANTHROPIC_KEY_SECRET"]
            == run.outputs["AnthropicKeySecretName"]
        )
        told = _environment(run, DISTRIBUTION, region)
        assert told["SLACK_WEBHOOK_SECRET"] == run.outputs["SlackWebhookSecretName"]
        assert (told["SLACK_CHANNEL"], told["SLACK_BOT_TOKEN_SECRET"]) == ("", "")


def test_logs_are_kept_thirty_days_and_exist_before_their_function(run: Run) -> None:
    """Lambda would make a missing log group itself, and keep it for ever."""
    for function in run.of("lambda/function:Function"):
        (log_group,) = [g for g in run.of("cloudwatch/logGroup:LogGroup") if g.name == function.name]
        assert log_group.inputs["name"] == f"/aws/lambda/{function.inputs['name']}"
        assert log_group.inputs["retentionInDays"] == 30
        assert log_group.urn in function.depends_on


def test_the_alias_live_points_to_the_published_version(run: Run) -> None:
    """Triggers invoke the alias, so a deployment can shift it."""
    for function in run.of("lambda/function:Function"):
        (alias,) = [a for a in run.of("lambda/alias:Alias") if a.name == function.name]
        assert alias.inputs["name"] == "live"
        assert alias.inputs["functionName"] == function.inputs["name"]
        assert alias.inputs["functionVersion"] == "7"


def test_work_queues_outlast_their_function_and_redrive(run: Run) -> None:
    """A message must not be handed out again while it is worked on; poison ends in its own region's DLQ."""
    config = _config(run.outputs["Stack"])
    for region in REGIONS:
        for spec in WORK_QUEUES:
            assert spec.consumer is not None
            assert spec.dead_letter is not None
            queue = run.one("sqs/queue:Queue", f"{region}-{spec.key}").inputs
            assert queue["visibilityTimeoutSeconds"] == 6 * config.timeout_s[spec.consumer]
            assert queue["messageRetentionSeconds"] == 4 * 86_400
            assert queue["sqsManagedSseEnabled"] is True
            assert json.loads(queue["redrivePolicy"]) == {
                "deadLetterTargetArn": _queue_arn(run, region, spec.dead_letter.suffix),
                "maxReceiveCount": 5,
            }


def test_dead_letter_queues_keep_longest_and_take_from_their_own_queues_only(run: Run) -> None:
    """Fourteen days is SQS's longest: time for a person to look."""
    sources = {
        "processing-dlq": ["processing", "processing-critical"],
        "distribution-dlq": ["distribution", "distribution-critical"],
    }
    for region in REGIONS:
        for key, expected in sources.items():
            queue = run.one("sqs/queue:Queue", f"{region}-{key}").inputs
            assert queue["messageRetentionSeconds"] == 14 * 86_400
            assert queue["sqsManagedSseEnabled"] is True
            assert "redrivePolicy" not in queue
            allow = run.one("sqs/redriveAllowPolicy:RedriveAllowPolicy", f"{region}-{key}").inputs
            assert json.loads(allow["redriveAllowPolicy"]) == {
                "redrivePermission": "byQueue",
                "sourceQueueArns": [_queue_arn(run, region, source) for source in expected],
            }


def _queue_arn(run: Run, region: str, suffix: str) -> str:
    return f"arn:aws:sqs:{region}:{ACCOUNT}:mcp-incident-responder-{run.outputs['Stack']}-{suffix}"


def test_queues_feed_the_alias_of_their_function_with_partial_failures(run: Run) -> None:
    """One poison message must not send its whole batch back."""
    for region in REGIONS:
        for spec in WORK_QUEUES:
            assert spec.consumer is not None
            mapping = run.one("lambda/eventSourceMapping:EventSourceMapping", f"{region}-{spec.key}").inputs
            assert mapping["eventSourceArn"] == _queue_arn(run, region, spec.suffix)
            function = f"mcp-incident-responder-{run.outputs['Stack']}-{spec.consumer.suffix}"
            assert mapping["functionName"] == f"arn:aws:lambda:{region}:{ACCOUNT}:function:{function}:live"
            assert mapping["functionResponseTypes"] == ["ReportBatchItemFailures"]
            assert mapping["batchSize"] == spec.batch_size


def test_critical_alerts_come_one_at_a_time() -> None:
    """No CRITICAL alert waits for the others of its batch."""
    assert (PROCESSING.batch_size, DISTRIBUTION_QUEUE.batch_size) == (5, 10)
    assert (PROCESSING_CRITICAL.batch_size, DISTRIBUTION_CRITICAL.batch_size) == (1, 1)


@pytest.mark.parametrize(
    ("reserved", "cap", "lane"), [(0, 10, 10), (4, 4, 2), (100, 10, 10), (10, 10, 5), (1, 10, 2)]
)
def test_queues_of_one_function_share_what_it_has_reserved(reserved: int, cap: int, lane: int) -> None:
    """Beyond it, throttled batches would spend their receives on the way to the dead-letter queue."""
    config = _config("local", reserved_concurrency=reserved, event_source_concurrency=cap)
    for queue in WORK_QUEUES:
        assert queue_concurrency(config, queue) == lane


def test_the_configured_concurrency_reaches_the_mappings(run_of: Callable[[str], Run]) -> None:
    """Local: 2 invocations at once for each queue; 4 reserved are enough for both lanes of a function."""
    found = {
        mapping.name: mapping.inputs["scalingConfig"]["maximumConcurrency"]
        for mapping in run_of("local").of("lambda/eventSourceMapping:EventSourceMapping", region="us-west-2")
    }
    assert found == {
        "us-west-2-processing": 2,
        "us-west-2-processing-critical": 2,
        "us-west-2-distribution": 2,
        "us-west-2-distribution-critical": 2,
    }


def test_provisioned_pollers_take_the_place_of_a_cap(optioned: Run) -> None:
    """AWS refuses a mapping with both."""
    for mapping in optioned.of("lambda/eventSourceMapping:EventSourceMapping", region="us-west-2"):
        pollers = mapping.inputs["provisionedPollerConfig"]
        assert pollers == {"minimumPollers": 2, "maximumPollers": 4}
        assert "scalingConfig" not in mapping.inputs


def test_recovery_runs_each_minute_in_both_regions(run: Run) -> None:
    """It carries on what a region dropped; a minute that was missed is not made up for."""
    for region in REGIONS:
        schedule = run.one("scheduler/schedule:Schedule", f"{region}-recovery").inputs
        assert schedule["scheduleExpression"] == "rate(1 minute)"
        assert schedule["flexibleTimeWindow"] == {"mode": "OFF"}
        function = f"mcp-incident-responder-{run.outputs['Stack']}-{RECOVERY.suffix}"
        assert schedule["target"]["arn"] == f"arn:aws:lambda:{region}:{ACCOUNT}:function:{function}:live"
        assert schedule["target"]["roleArn"].endswith(f"-schedule-{region}")
        assert schedule["target"]["retryPolicy"] == {
            "maximumEventAgeInSeconds": 60,
            "maximumRetryAttempts": 0,
        }


def test_an_alarm_that_reception_cannot_take_is_kept_in_the_dead_letter_queue(run: Run) -> None:
    """Nobody waits for an alarm's answer, so a failed one must not vanish with its last retry."""
    for region in REGIONS:
        config = run.one(
            "lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", f"{region}-alarms"
        ).inputs
        queue = f"mcp-incident-responder-{run.outputs['Stack']}-processing-dlq"
        assert config["qualifier"] == "live"
        assert config["destinationConfig"]["onFailure"]["destination"].endswith(
            f":{region}:{ACCOUNT}:{queue}"
        )


def test_alarms_reach_reception_by_the_topic_of_their_region(run: Run) -> None:
    """SNS cannot send an API key, so it does not go through the webhook."""
    for region, prefix in (("us-east-1", ""), ("us-west-2", "Failover")):
        subscription = run.one("sns/topicSubscription:TopicSubscription", f"{region}-alarms").inputs
        assert subscription["protocol"] == "lambda"
        assert subscription["topic"] == run.outputs[f"{prefix}AlarmTopicArn"]
        assert subscription["endpoint"].endswith(f"{RECEPTION.suffix}:live")
        assert f":{region}:" in subscription["endpoint"]
