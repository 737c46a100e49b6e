"""A diagnosis names what AWS shows to be wrong, with a command that works, and calls unknown what is unseen.

AWS's answers are recorded, each held to botocore's model of its call (`tests.fakes.recorded_aws`).
"""

import dataclasses
import io
import json
import re
import shlex
from datetime import timedelta
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ConnectTimeoutError

from clients.logs import LogLine
from dr.operations.environment import Answer
from lambda_packages import ROOT
from runbook.diagnosis.diagnosis import PROBES, Diagnosis, conclude, diagnose
from runbook.diagnosis.evidence import Evidence, Sign
from runbook.diagnosis.log_probes import LINES_MAX, meaning_of
from runbook.diagnosis.rules import RULES, Likelihood
from runbook.diagnosis.slack import diagnose_slack
from runbook.diagnosis.traffic_probes import _REFUSED
from runbook.redaction import without_secrets
from tests.fakes.aws_refusals import refusal
from tests.fakes.diagnosed import NOW, NOW_MS, PREFIX, healthy, mapping, scene, schedule
from tests.fakes.moto_clients import moto_client
from tests.fakes.recorded_aws import FAILOVER, PRIMARY, RecordedAws, recorded_deployment
from topology.alerts import Severity
from topology.functions import ANALYSIS, DISTRIBUTION, FUNCTIONS, RECEPTION, RECOVERY, FunctionSpec
from topology.queues import WORK_QUEUES

DENY = json.dumps(
    {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": ["sqs:SendMessage"], "Resource": "*"}]}
)


def answered(changed: dict[str, Any]) -> Diagnosis:
    """The diagnosis of a healthy stack of which some answers are changed."""
    return diagnose(scene(RecordedAws({**healthy(), **changed})))


def named(found: Diagnosis) -> list[tuple[str, tuple[str, ...]]]:
    """The causes' ids and regions, in order."""
    return [(cause.rule.id, cause.regions) for cause in found.causes]


def event(
    message: str, *, at_ms: int = NOW_MS - 5_000, level: str = "WARNING", **fields: Any
) -> dict[str, Any]:
    """A line of a function's log as CloudWatch Logs answers it."""
    line = {"message": message, "level": level, **fields}
    return {"timestamp": at_ms, "message": json.dumps(line)}


def test_nothing_is_wrong_with_a_healthy_stack() -> None:
    """And nothing is unknown; no metric has data, which is no failure of an invocation."""
    found = answered({})
    assert (found.causes, found.unexplained, found.unseen) == ((), (), ())
    assert found.well


PLANTED: list[tuple[str, dict[str, Any], str]] = [
    ("function-stopped", {"lambda.get_function_concurrency": {"ReservedConcurrentExecutions": 0}}, "lambda"),
    ("function-missing", {"lambda.get_function_concurrency": refusal("ResourceNotFoundException")}, ""),
    (
        "key-unusable",
        {"apigateway.get_api_keys": {"items": [{"id": "k1", "name": f"{PREFIX}-sources", "enabled": False}]}},
        "apigateway",
    ),
    ("key-unusable", {"apigateway.get_api_keys": {"items": []}}, ""),
    (
        "mapping-off",
        {
            "lambda.list_event_source_mappings": {
                "EventSourceMappings": [
                    mapping(f"{PREFIX}-{spec.suffix}", "Disabled") for spec in WORK_QUEUES
                ]
            }
        },
        "lambda",
    ),
    ("mapping-off", {"lambda.list_event_source_mappings": {"EventSourceMappings": []}}, ""),
    ("queue-denied", {"sqs.get_queue_attributes": {"Attributes": {"Policy": DENY}}}, "sqs"),
    ("queue-missing", {"sqs.get_queue_attributes": refusal("QueueDoesNotExist")}, ""),
    (
        "dead-letters",
        {"sqs.get_queue_attributes": {"Attributes": {"ApproximateNumberOfMessages": "3"}}},
        "responder",
    ),
    ("secret-unusable", {"secretsmanager.describe_secret": {}}, "responder"),
    (
        "secret-unusable",
        {
            "secretsmanager.describe_secret": {
                "VersionIdsToStages": {"0" * 32: ["AWSCURRENT"]},
                "DeletedDate": NOW,
            }
        },
        "responder",
    ),
    ("schedule-off", {"scheduler.get_schedule": schedule("DISABLED")}, "scheduler"),
    ("table-missing", {"dynamodb.describe_table": refusal("ResourceNotFoundException")}, "responder"),
    (
        "table-throttled",
        {"dynamodb.get_item": refusal("ProvisionedThroughputExceededException")},
        "responder",
    ),
    (
        "function-fails",
        {
            "lambda.invoke": {
                "FunctionError": "Unhandled",
                "Payload": io.BytesIO(b'{"errorType": "Runtime.ImportModuleError", "errorMessage": "no"}'),
            }
        },
        "responder",
    ),
    ("function-throttled", {"lambda.invoke": refusal("TooManyRequestsException", status=429)}, "lambda"),
]
"""The cause, the answers that show it, and the service of AWS whose command is its hint."""


@pytest.mark.parametrize(("cause", "answers", "service"), PLANTED)
def test_what_aws_shows_to_be_wrong_is_named_first(cause: str, answers: dict[str, Any], service: str) -> None:
    """In both regions as one cause, with a next step."""
    found = answered(answers)
    assert named(found)[0] == (cause, (PRIMARY, FAILOVER))
    assert not found.well
    assert service in found.causes[0].hint
    assert found.causes[0].hint


@pytest.mark.parametrize(("cause", "answers", "service"), PLANTED)
def test_a_hint_of_the_aws_cli_is_a_call_that_aws_has(
    cause: str, answers: dict[str, Any], service: str
) -> None:
    """Its operation and each of its options by botocore's models, which are the AWS CLI's own."""
    hint = next(one.hint for one in answered(answers).causes if one.rule.id == cause)
    command = re.search(r"`aws ([^`]+)`", hint)
    assert bool(command) == (service not in {"", "responder"})
    if command is None:
        return
    words = shlex.split(command[1])
    client = moto_client(words[0], PRIMARY)
    assert words[1].replace("-", "_") in client.meta.method_to_api_mapping
    operation = client.meta.method_to_api_mapping[words[1].replace("-", "_")]
    shape = client.meta.service_model.operation_model(operation).input_shape
    members = {xform_name(name, "-") for name in shape.members} if shape else set()
    options = {word[2:] for word in words if word.startswith("--")} - {"region", "endpoint-url"}
    assert options <= members


def test_a_function_that_is_stopped_accounts_for_no_failure_of_another() -> None:
    """Its own invocations are throttled by that; those of the other fail for a reason that is named too."""
    names = recorded_deployment(RecordedAws({})).names

    def seen(sign: Sign, spec: FunctionSpec) -> Evidence:
        return Evidence(sign=sign, region=PRIMARY, detail="-", what=names.function(spec))

    both = [seen(Sign.FUNCTION_STOPPED, RECOVERY), seen(Sign.FUNCTION_THROTTLED, RECOVERY)]
    healthy_one = diagnose(scene(RecordedAws(healthy()))).observation
    own = conclude(dataclasses.replace(healthy_one, evidence=tuple(both)))
    assert ([cause.rule.id for cause in own.causes], own.unexplained) == (["function-stopped"], ())
    both.append(seen(Sign.FUNCTION_FAILS, DISTRIBUTION))
    two = conclude(dataclasses.replace(healthy_one, evidence=tuple(both)))
    assert [cause.rule.id for cause in two.causes] == ["function-stopped", "function-fails"]


def test_a_path_that_is_gone_was_seen_and_not_read() -> None:
    """An answer of 403 may have another reason: no certain cause."""
    found = diagnose(scene(RecordedAws(healthy()), web={PRIMARY: Answer(403, {})}))
    assert [(one.rule.id, one.rule.likelihood) for one in found.causes] == [
        ("webhook-gone", Likelihood.LIKELY)
    ]


def test_a_lost_region_is_named_and_the_other_is_still_looked_at() -> None:
    """Nothing else is said of the lost one; what the other shows is."""
    aws = RecordedAws({**healthy(), f"scheduler.get_schedule@{FAILOVER}": schedule("DISABLED")})
    aws.lost.add(PRIMARY)
    found = diagnose(scene(aws, web={PRIMARY: None}))
    assert named(found) == [("schedule-off", (FAILOVER,)), ("region-lost", (PRIMARY,))]
    assert found.unseen == ()
    assert "`responder dr status`" in found.causes[1].hint


def test_a_region_whose_data_alone_answers_is_lost() -> None:
    """Tables and secrets are in both regions: they may answer for one of which nothing runs."""
    answers = {
        f"{name}@{PRIMARY}": ConnectTimeoutError(endpoint_url=name)
        for name in healthy()
        if not name.startswith(("dynamodb.", "secretsmanager."))
    }
    found = diagnose(scene(RecordedAws({**healthy(), **answers}), web={PRIMARY: None}))
    assert named(found) == [("region-lost", (PRIMARY,))]


@pytest.mark.parametrize("rest", ["silent", "denied"])
def test_a_region_of_which_one_api_answers_is_not_lost(rest: str) -> None:
    """Its API key is disabled, and its webhook and all else came to nothing in time: the key is the cause."""
    key = {"items": [{"id": "k1", "name": f"{PREFIX}-sources", "enabled": False}]}
    error = (
        ConnectTimeoutError(endpoint_url="-")
        if rest == "silent"
        else refusal("AccessDeniedException", status=403)
    )
    answers = {f"{name}@{PRIMARY}": error for name in healthy()} | {f"apigateway.get_api_keys@{PRIMARY}": key}
    found = diagnose(scene(RecordedAws({**healthy(), **answers}), web={PRIMARY: None}))
    assert named(found) == [("key-unusable", (PRIMARY,))]
    assert [one.sign for one in found.unexplained] == [Sign.WEBHOOK_SILENT]
    assert {one.region for one in found.unseen} == {PRIMARY}


def test_a_region_that_may_not_be_looked_at_is_unknown_and_not_well() -> None:
    """Neither lost nor healthy: its webhook answers, and all else is denied."""
    answers = {name: refusal("AccessDeniedException", status=403) for name in healthy()}
    found = diagnose(scene(RecordedAws({**answers})))
    assert found.causes == ()
    assert {one.check.id for one in found.unseen} == {one.id for one in PROBES} - {"webhook"}
    assert "allow the caller scheduler:GetSchedule" in {one.finding.hint for one in found.unseen}
    assert found.blind == (PRIMARY, FAILOVER)
    assert not found.well


def test_one_probe_that_may_not_look_leaves_a_stack_well() -> None:
    """It is said to be unknown; a missing permission of a reader wakes nobody."""
    found = answered({"scheduler.get_schedule": refusal("AccessDeniedException", status=403)})
    assert {one.check.id for one in found.unseen} == {"schedule"}
    assert found.well


def test_no_answer_at_all_is_no_loss_of_both_regions() -> None:
    """The likelier cause is on this side."""
    aws = RecordedAws(healthy())
    aws.lost |= {PRIMARY, FAILOVER}
    found = diagnose(scene(aws, web={PRIMARY: None, FAILOVER: None}))
    assert named(found) == [("unreachable", (PRIMARY, FAILOVER))]
    assert not found.well


@pytest.mark.parametrize("body", [{"error": "unavailable"}, {"status": "ledger_unavailable"}])
def test_a_symptom_without_a_cause_is_unexplained(body: dict[str, object]) -> None:
    """A webhook that fails for no reason that can be seen: no cause is made up for it, and it is not well."""
    found = diagnose(scene(RecordedAws(healthy()), web={PRIMARY: Answer(503, body)}))
    assert found.causes == ()
    assert [one.sign for one in found.unexplained] == [Sign.WEBHOOK_FAILS]
    assert not found.well


def test_due_alerts_without_a_wake_up_are_lost_wake_ups() -> None:
    """By the index and the queues: whoever is open has one there, so that fewer are too few."""
    item = {"alert_id": {"S": "a1"}, "due_at": {"N": str(NOW_MS // 1_000 - 5)}}
    later = {"alert_id": {"S": "a2"}, "due_at": {"N": str(NOW_MS // 1_000 + 500)}}
    due = {"dynamodb.query": {"Items": [item, later]}}

    def waiting(count: int) -> Diagnosis:
        attributes = {"Attributes": {"ApproximateNumberOfMessagesNotVisible": str(count)}}
        return answered({**due, "sqs.get_queue_attributes": attributes})

    open_now, overdue = 2 * len(Severity), len(Severity)
    enough = -(-open_now // len(WORK_QUEUES))
    for count, without in ((0, overdue), (1, min(overdue, open_now - len(WORK_QUEUES)))):
        (cause,) = waiting(count).causes
        assert cause.rule.id == "wake-ups-lost"
        assert f"no queue holds a wake-up for {without}" in cause.evidence[0].detail
    assert waiting(enough).causes == ()


OURS = recorded_deployment(RecordedAws({})).primary.queue_url(WORK_QUEUES[0])


@pytest.mark.parametrize(
    ("url", "fields", "ago_s", "overdue", "named"),
    [
        (OURS, {}, 30, False, True),
        ("https://sqs.us-east-1.amazonaws.com/1/others", {}, 30, False, False),
        (OURS, {"errorCode": "AccessDenied"}, 30, False, False),
        (OURS, {}, 480, False, False),
        (OURS, {}, 480, True, True),
    ],
    ids=["fresh", "of another", "refused", "made up for", "not made up for"],
)
def test_a_purge_that_cloudtrail_has_is_named_with_who_did_it(
    url: str, fields: dict[str, str], ago_s: int, *, overdue: bool, named: bool
) -> None:
    """Of one of the stack's own work queues, until its alerts are under way again."""
    at = NOW - timedelta(seconds=ago_s)
    record = {"requestParameters": {"queueUrl": url}, **fields}
    purge = {"EventName": "PurgeQueue", "EventTime": at, "Username": "ada"}
    answers: dict[str, Any] = {
        f"cloudtrail.lookup_events@{PRIMARY}": {"Events": [{**purge, "CloudTrailEvent": json.dumps(record)}]}
    }
    if overdue:
        item = {"alert_id": {"S": "a1"}, "due_at": {"N": str(NOW_MS // 1_000 - 5)}}
        answers["dynamodb.query"] = {"Items": [item]}
    details = [one.detail for cause in answered(answers).causes for one in cause.evidence]
    told = [detail for detail in details if detail.startswith(f"ada purged {PREFIX}-")]
    assert [detail[-12:] for detail in told] == ([f"{at:%H:%M:%S} UTC"] if named else [])


def record(**values: int) -> dict[str, Any]:
    """A record of the coordination table."""
    return {
        "Item": {
            "name": {"S": "r"},
            "version": {"N": "1"},
            "values": {"M": {name: {"N": str(value)} for name, value in values.items()}},
        }
    }


@pytest.mark.parametrize(
    ("values", "reason", "cause"),
    [
        ({"back_off_ms": NOW_MS + 30_000}, "", "slack-waits"),
        (
            {"failures": 5, "open_until_ms": NOW_MS + 1},
            "Claude answered 529 overloaded_error",
            "claude-fails",
        ),
        ({"failures": 1}, "Claude answered 409 conflict_error", "claude-fails"),
        ({"failures": 1}, "the secret s cannot be read: ConnectTimeoutError; try later", "claude-fails"),
        ({"failures": 1}, "Claude answered 401 authentication_error: the key is refused", "claude-refuses"),
        ({"failures": 1}, "Claude answered 404 x: the model is not to be had", "claude-refuses"),
        ({"failures": 1}, "Claude answered 400 x: the spend limit is reached", "claude-refuses"),
        ({"since_ms": NOW_MS - 1}, "", "switched"),
    ],
)
def test_what_the_functions_agreed_on_is_read(values: dict[str, int], reason: str, cause: str) -> None:
    """Slack's back-off, Claude's breaker with the reason that alerts have, and the switch."""
    row = {"alert_id": {"S": "a1"}, "due_at": {"N": str(NOW_MS)}, "analysis_error": {"S": reason}}
    found = answered(
        {
            "dynamodb.get_item": record(**values),
            "dynamodb.query": {"Items": [row]},
            "dynamodb.batch_get_item": {"Responses": {"alerts": [row]}},
        }
    )
    first = next(one for one in found.causes if one.rule.id == cause)
    assert first.regions == (PRIMARY, FAILOVER)
    assert reason in " ".join(one.detail for one in first.evidence)


def test_what_keeps_no_message_from_slack_is_no_cause_of_its_diagnosis() -> None:
    """Alerts go out without Claude, and a switch moves them."""
    aws = RecordedAws({**healthy(), "dynamodb.get_item": record(failures=5, since_ms=NOW_MS - 1)})
    found = diagnose_slack(scene(aws)).diagnosis
    assert (found.causes, found.well) == ((), True)
    waits = RecordedAws({**healthy(), "dynamodb.get_item": record(back_off_ms=NOW_MS + 30_000, failures=5)})
    assert [cause.rule.id for cause in diagnose_slack(scene(waits)).diagnosis.causes] == ["slack-waits"]


def counted(function: FunctionSpec, **metrics: dict[int, float]) -> dict[str, Any]:
    """CloudWatch's answer to the metrics of the functions: each one's values by minutes ago."""
    asked = [f"{spec.key} {name}" for spec in FUNCTIONS for name in ("Invocations", "Errors", "Throttles")]
    return {
        "cloudwatch.get_metric_data": {
            "MetricDataResults": [
                {
                    "Id": f"m{asked.index(f'{function.key} {name}')}",
                    "Timestamps": [NOW - timedelta(minutes=ago) for ago in sorted(values, reverse=True)],
                    "Values": [values[ago] for ago in sorted(values, reverse=True)],
                }
                for name, values in metrics.items()
            ]
        }
    }


def test_errors_that_lambda_counted_are_named() -> None:
    """The metric's sum since then; FilterLogEvents has nothing of an invocation that never began."""
    found = answered(counted(ANALYSIS, Invocations={3: 9.0, 1: 7.0}, Errors={3: 2.0, 1: 5.0}))
    assert found.causes[0].rule.id == "function-fails"
    assert "7 errors" in found.causes[0].evidence[0].detail


def test_errors_after_which_a_function_worked_are_over() -> None:
    """An alert came through it; a run with nothing to do, as a diagnosis makes, shows nothing."""
    failed = counted(ANALYSIS, Invocations={3: 9.0, 1: 7.0}, Errors={3: 2.0})
    worked = {"logs.filter_log_events": {"events": [event("An analysis", at_ms=NOW_MS - 60_000)]}}
    assert answered({**failed, **worked}).causes == ()
    assert [cause.rule.id for cause in answered(failed).causes] == ["function-fails"]


@pytest.mark.parametrize(
    ("function", "throttles", "causes"),
    [(DISTRIBUTION, 3.0, []), (DISTRIBUTION, 30.0, ["function-throttled"]),
     (RECEPTION, 3.0, ["function-throttled"])],
)  # fmt: skip
def test_throttles_of_a_worker_that_mostly_runs_are_no_sign(
    function: FunctionSpec, throttles: float, causes: list[str]
) -> None:
    """What waits in a queue is tried again; a sender of the webhook's is answered an error."""
    found = answered(counted(function, Invocations={5: 5_000.0, 1: 20.0}, Throttles={1: throttles}))
    assert [cause.rule.id for cause in found.causes] == causes


DENIED = "ClientError: An error occurred (AccessDenied): X is not authorized to perform: sqs:SendMessage"
THROTTLED = "An error occurred (ProvisionedThroughputExceededException) when calling GetItem"


@pytest.mark.parametrize(
    ("line", "sign"),
    [
        (event("Slack failed", reason="Slack answered 500"), Sign.SLACK_FAILS),
        (event("Slack failed", reason="Slack refuses the webhook: 403 'invalid_token'"), Sign.SLACK_ADDRESS),
        (event("Slack failed", reason="no Slack webhook: the secret s is empty"), Sign.SLACK_ADDRESS),
        (event("Slack refuses it", reason="400 'invalid_payload'"), Sign.SLACK_REFUSES),
        (event("Slack asked to wait", retry_after_s=30), Sign.SLACK_WAITS),
        (event("A route is unusable", route="db"), Sign.SLACK_ADDRESS),
        (event("The model has no key"), Sign.CLAUDE_REFUSES),
        (event("Claude is not asked for a while"), Sign.CLAUDE_FAILS),
        (event("Poison message", reason="not JSON"), Sign.POISON),
        (event("Recovery ran", report={"recovered": 3}), Sign.RECOVERED),
        (event("Recovery ran", report={"recovered": 0}), None),
        (event("A message failed", exc_info="Traceback\nValueError: no"), Sign.FUNCTION_FAILS),
        (event("Wake-ups not sent, Recovery will", exc_info=DENIED), Sign.DENIED),
        (event("The ledger is unavailable, answering 503", exc_info=THROTTLED), Sign.TABLE_THROTTLED),
        (event("Refused a request", error="bad_json"), Sign.REFUSED),
        ({"timestamp": 1, "message": "2026 r1 Task timed out after 15.00 seconds"}, Sign.FUNCTION_TIMES_OUT),
        ({"timestamp": 1, "message": "[ERROR] Runtime.ImportModuleError: x"}, Sign.FUNCTION_FAILS),
        (event("The lease was lost"), None),
    ],
)
def test_a_log_line_means_what_it_says(line: dict[str, Any], sign: Sign | None) -> None:
    """What passes by itself means nothing."""
    text = line["message"]
    fields = json.loads(text) if text.startswith("{") else None
    meaning = meaning_of(LogLine(line["timestamp"], PRIMARY, "DistributionFunction", fields, text))
    assert (meaning[0] if meaning else None) == sign


def test_a_failure_that_is_over_is_no_cause() -> None:
    """The function has worked since, and has not failed for a minute."""
    old = event("Slack failed", at_ms=NOW_MS - 120_000, reason="Slack answered 500")
    fresh = event("Slack failed", at_ms=NOW_MS - 10_000, reason="Slack answered 500")
    assert answered({"logs.filter_log_events": {"events": [old]}}).causes == ()
    beside = event("Slack refuses it", at_ms=NOW_MS - 10_000, reason="400 'invalid_payload'")
    assert [
        one.rule.id for one in answered({"logs.filter_log_events": {"events": [old, beside]}}).causes
    ] == ["slack-refuses"]
    assert named(answered({"logs.filter_log_events": {"events": [fresh]}}))[0][0] == "slack-fails"


def test_more_failures_than_are_read_are_not_over() -> None:
    """The first of the time are read: the newest are unknown, however well the function works between."""
    old = [
        event("Slack failed", at_ms=NOW_MS - 120_000 + n, reason="Slack answered 500")
        for n in range(LINES_MAX)
    ]
    assert named(answered({"logs.filter_log_events": {"events": old}}))[0][0] == "slack-fails"


def test_a_poisoned_queue_accounts_for_its_dead_letters() -> None:
    """By the log, which has why; without it nobody knows what the messages are."""
    found = answered(
        {
            "sqs.get_queue_attributes": {"Attributes": {"ApproximateNumberOfMessages": "3"}},
            "logs.filter_log_events": {"events": [event("Poison message", reason="not JSON")]},
        }
    )
    assert named(found) == [("poison", (PRIMARY, FAILOVER))]


def test_how_claude_refuses_is_worded_as_the_handler_words_it() -> None:
    """A text that is changed there fails here."""
    adapters = ROOT / "handlers" / "adapters"
    source = "".join(
        (adapters / name).read_text(encoding="utf-8") for name in ("claude.py", "aws/secrets.py")
    )
    texts = _REFUSED.pattern.split("|")
    assert len(texts) == 4
    assert [text for text in texts if text not in source] == []


def test_the_texts_that_are_looked_for_are_those_that_the_handlers_log() -> None:
    """A text that is changed in a handler fails here, not at three in the morning."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "handlers").rglob("*.py"))
    source = (ROOT / "runbook" / "diagnosis" / "log_probes.py").read_text(encoding="utf-8")
    table = source[source.index("_MEANINGS: Final") :]
    texts = re.findall(r'^    "([^"]+)":', table, re.MULTILINE)
    assert len(texts) > 8
    assert [text for text in (*texts, "Slack asked to wait", "Notified") if f'"{text}"' not in sources] == []


def test_each_cause_has_its_section_and_each_sign_its_cause() -> None:
    """But for what is a symptom only; ids are used once, and the most certain causes come first."""
    headings = re.findall(
        r"^#+ (.+)$", (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    anchors = {
        "docs/runbook.md#" + re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-") for one in headings
    }
    assert {rule.see for rule in RULES} <= anchors
    covered = {sign for rule in RULES for sign in rule.signs}
    assert set(Sign) - covered == {Sign.WEBHOOK_FAILS, Sign.OVERDUE}
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert {rule.likelihood for rule in RULES} == set(Likelihood)


def test_a_command_to_paste_is_not_redacted() -> None:
    """The id of an API key stands behind `--api-key`; the same words in what was seen may be a secret."""
    command = "`aws apigateway update-api-key --api-key abcdef1234567890`"
    shown = without_secrets({"next": command, "detail": "api_key=abcdef1234567890"})
    assert shown["next"] == command
    assert "abcdef" not in shown["detail"]
