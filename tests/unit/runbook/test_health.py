"""What health checks say of a stack, and of what they cannot see; on moto, its metrics and alarms planted."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from clients.checks import Check, Finding, State, run_checks
from clients.coordination import CoordinationRecords
from clients.deployment import Deployment
from deploy.checks.subject import Subject
from dr.exports.requests import endpoints_of
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from ops.check_output import print_outcomes
from ops.cli import app
from runbook.health.catalogue import daily_checks, health_checks
from tests.fakes.aws_refusals import refusal
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, dr_stack, put_alert
from tests.fakes.moto_clients import moto_client
from topology.backups import stack_key
from topology.functions import ANALYSIS, DISTRIBUTION, FUNCTIONS, RECEPTION, FunctionSpec
from topology.metrics import CACHE_HITS, MODEL_CALLS, NAMESPACE, OLDEST_EXPIRED, REFUSALS, STACK_DIMENSION
from topology.names import Names
from topology.records import absence_record, switch_record, watch_record

NAMES = Names("dev")
REGIONS = (PRIMARY, FAILOVER)
LINES_MAX = 24
PREFIXES = {PRIMARY: "", FAILOVER: "Failover"}


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """The stack dev with queues and an alarm in both regions; nothing was ever invoked."""
    made = dr_stack()
    outputs = dict(made.outputs)
    for region, prefix in PREFIXES.items():
        for output, name in (
            ("DeadLetterQueueUrl", "processing-dlq"),
            ("DistributionDeadLetterQueueUrl", "distribution-dlq"),
        ):
            url = moto_client("sqs", region).create_queue(QueueName=f"{NAMES.prefix}-{name}")["QueueUrl"]
            outputs[f"{prefix}{output}"] = url
        outputs[f"{prefix}BackupBucketName"] = f"backups-{region}"
        outputs[f"{prefix}AlarmTopicArn"] = f"arn:aws:sns:{region}:123456789012:alarms"
        alarm(region, NAMES.parked_alarm, "OK")
    made.outputs = outputs
    made.deployment = Deployment.from_outputs(outputs, made.clients)
    return made


def alarm(region: str, name: str, state: str) -> None:
    """An alarm of the stack, in a state."""
    cloudwatch = moto_client("cloudwatch", region)
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace=NAMESPACE, MetricName="x", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="planted")


def invoked(region: str, *, spec: FunctionSpec | None = None, **counts: float) -> None:
    """A minute ago, every function or one of them; `Invocations`, `Errors` and `Throttles` by their names."""
    for one in FUNCTIONS if spec is None else (spec,):
        for name, value in ({"Invocations": 20.0, "Errors": 0.0, "Throttles": 0.0} | counts).items():
            put(region, "AWS/Lambda", name, value, {"FunctionName": NAMES.function(one)})


def put(region: str, namespace: str, name: str, value: float, dimensions: dict[str, str]) -> None:
    """A value of a metric, a minute ago."""
    moto_client("cloudwatch", region).put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": name,
                "Value": value,
                "Timestamp": datetime.now(UTC) - timedelta(minutes=1),
                "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
            }
        ],
    )


def of_stack(region: str, name: str, value: float) -> None:
    """A value of one of our own metrics."""
    put(region, NAMESPACE, name, value, {STACK_DIMENSION: "dev"})


def subject_of(stack: DrStack) -> Subject:
    """What the checks look at."""
    return Subject(stack.deployment, stack_config(ROOT, "dev"), web=stack.web)


def look(
    stack: DrStack, *ids: str, of: Callable[[Subject], tuple[Check, ...]] = health_checks
) -> dict[tuple[str, str], Finding]:
    """What these checks find, by id and region; all where none is named."""
    chosen = [one for one in of(subject_of(stack)) if not ids or one.id in ids]
    return {(one.check.id, one.region): one.finding for one in run_checks(chosen)}


def states(found: dict[tuple[str, str], Finding]) -> dict[tuple[str, str], str]:
    """Their states."""
    return {key: str(finding.state) for key, finding in found.items()}


def test_a_healthy_stack_is_shown_on_one_screen(stack: DrStack) -> None:
    """Both regions, all ok, in at most 24 lines."""
    for region in REGIONS:
        invoked(region)
    outcomes = run_checks(health_checks(subject_of(stack)))
    assert {one.finding.state for one in outcomes} == {State.OK}, [one.finding for one in outcomes]
    assert {one.region for one in outcomes} == {PRIMARY, FAILOVER, "stack"}
    console = Console(width=100, record=True, quiet=False)
    with console.capture() as shown:
        print_outcomes(outcomes, console)
    assert len(shown.get().splitlines()) <= LINES_MAX
    with console.capture() as short:
        print_outcomes(outcomes, console, short=True)
    assert short.get().splitlines() == [f"{len(outcomes)} ok, 0 failed, 0 unknown"]


@pytest.mark.parametrize("heard", [{}, {PRIMARY: RECEPTION, FAILOVER: DISTRIBUTION}, {FAILOVER: ANALYSIS}])
def test_a_stack_without_traffic_is_shown_on_one_screen_too(
    stack: DrStack, heard: dict[str, FunctionSpec]
) -> None:
    """Whichever function was not invoked in which region, and with alarms that have no data yet."""
    for region, spec in heard.items():
        invoked(region, spec=spec)
    for region in REGIONS:
        alarm(region, NAMES.recovery_alarm, "INSUFFICIENT_DATA")
    outcomes = run_checks(health_checks(subject_of(stack)))
    assert State.FAILED not in {one.finding.state for one in outcomes}
    console = Console(width=100)
    with console.capture() as shown:
        print_outcomes(outcomes, console)
    assert len(shown.get().splitlines()) <= LINES_MAX, shown.get()


@pytest.mark.parametrize(("spec", "over"), [(RECEPTION, 10), (ANALYSIS, 5), (DISTRIBUTION, 5)])
def test_a_function_fails_a_check_above_the_runbooks_threshold(
    stack: DrStack, spec: FunctionSpec, over: int
) -> None:
    """So many pass and one more does not, each region by itself; the hint is its log."""
    invoked(PRIMARY, spec=spec, Errors=over + 1)
    invoked(FAILOVER, spec=spec, Errors=over)
    name = f"{spec.key}-errors"
    found = look(stack, name)
    assert states(found) == {(name, PRIMARY): "failed", (name, FAILOVER): "ok"}
    assert found[name, PRIMARY].reason == f"{over + 1} of 20 invocations failed, more than {over}"
    assert (
        f"`responder logs tail --function {spec.key} --region {PRIMARY} --since 1h`"
        in found[name, PRIMARY].hint
    )


def test_a_metric_without_data_is_unknown_and_never_zero(stack: DrStack) -> None:
    """Of an idle function, and of one whose metrics are late: nobody knows which."""
    ids = [f"{spec.key}-errors" for spec in (RECEPTION, ANALYSIS, DISTRIBUTION)]
    assert set(states(look(stack, *ids, "throttles")).values()) == {"unknown"}
    daily = look(
        stack, "errors", "throttles", "throughput", "refused", "cache-hits", "expired-rows", of=daily_checks
    )
    assert set(states(daily).values()) == {"unknown"}


def test_one_throttled_invocation_is_one_too_many(stack: DrStack) -> None:
    """It is named, with the call that shows the limit."""
    invoked(PRIMARY)
    invoked(PRIMARY, spec=ANALYSIS, Throttles=3)
    found = look(stack, "throttles")[("throttles", PRIMARY)]
    assert (found.state, found.reason) == (State.FAILED, "throttled: AnalysisFunction 3 times")
    assert f"get-function-concurrency --region {PRIMARY}" in found.hint


def test_a_dead_letter_is_found_in_its_queue(stack: DrStack) -> None:
    """The other region's are empty."""
    url = stack.deployment.primary.distribution_dead_letter_queue_url
    moto_client("sqs", PRIMARY).send_message(QueueUrl=url, MessageBody="poison")
    found = look(stack, "dead-letters")
    assert states(found) == {("dead-letters", PRIMARY): "failed", ("dead-letters", FAILOVER): "ok"}
    assert "distribution-dlq 1" in found["dead-letters", PRIMARY].reason
    moto_client("sqs", PRIMARY).receive_message(QueueUrl=url, VisibilityTimeout=60)
    assert look(stack, "dead-letters")["dead-letters", PRIMARY].state is State.FAILED, "who looks hides it"


def test_parked_and_stuck_alerts_are_counted_where_they_belong(stack: DrStack) -> None:
    """What is due later is not stuck."""
    put_alert("a1", status="PARKED", region=PRIMARY)
    moto_client("dynamodb", PRIMARY).update_item(
        TableName="alerts",
        Key={"alert_id": {"S": "a1"}},
        UpdateExpression="SET open_key = :open, due_at = :due",
        ExpressionAttributeValues={":open": {"S": f"{PRIMARY}#PARKED"}, ":due": {"N": "1"}},
    )
    put_alert("a2", status="RECEIVED", region=FAILOVER, due_at=1_700_000_000)
    put_alert("a3", status="RECEIVED", region=PRIMARY, due_at=round(datetime.now(UTC).timestamp()) + 60)
    found = look(stack, "parked", "stuck")
    assert states(found) == {
        ("parked", PRIMARY): "failed", ("parked", FAILOVER): "ok",
        ("stuck", PRIMARY): "ok", ("stuck", FAILOVER): "failed",
    }  # fmt: skip
    assert found["parked", PRIMARY].reason == f"1 alerts of {PRIMARY}"
    assert found["stuck", FAILOVER].reason == "Recovery does not bring on 1 HIGH"
    by_age = look(stack, "open-alerts", of=daily_checks)
    assert by_age["open-alerts", FAILOVER].reason == "1: 1 older"
    assert by_age["open-alerts", FAILOVER].state is State.FAILED


def test_an_open_alert_whose_age_nobody_knows_is_not_young(
    stack: DrStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row cannot be read, or there are more than are looked at."""
    now_s = round(datetime.now(UTC).timestamp())

    def set_accepted(alert_id: str, update: str, **values: Any) -> None:
        moto_client("dynamodb", PRIMARY).update_item(
            TableName="alerts", Key={"alert_id": {"S": alert_id}}, UpdateExpression=update, **values
        )

    now = {"ExpressionAttributeValues": {":now": {"N": str(now_s * 1_000)}}}
    for alert_id in ("a1", "a2", "a3"):
        put_alert(alert_id, status="RECEIVED", region=PRIMARY, due_at=now_s)
        set_accepted(alert_id, "SET accepted_at_ms = :now", **now)
    set_accepted("a2", "REMOVE accepted_at_ms")
    found = look(stack, "open-alerts", of=daily_checks)["open-alerts", PRIMARY]
    assert (found.state, found.reason) == (State.UNKNOWN, "3: 2 under 5 min, 1 of unknown age")
    set_accepted("a2", "SET accepted_at_ms = :now", **now)
    assert look(stack, "open-alerts", of=daily_checks)["open-alerts", PRIMARY].state is State.OK
    monkeypatch.setattr("runbook.health.alerts.COUNTED_MAX", 2)
    found = look(stack, "open-alerts", of=daily_checks)["open-alerts", PRIMARY]
    assert (found.state, found.reason) == (State.UNKNOWN, "2 or more: 2 under 5 min")


def test_a_region_that_is_down_leaves_the_other_half(stack: DrStack) -> None:
    """What it would say is unknown; its webhook and what waits for it fail. The other region is looked at."""
    for region in REGIONS:
        invoked(region)
    stack.lose(FAILOVER)
    found = states(look(stack))
    assert found.pop(("webhook-health", FAILOVER)) == "failed"
    assert {state for (_, region), state in found.items() if region == FAILOVER} == {"unknown"}
    here = {id_ for (id_, region), state in found.items() if region == PRIMARY and state != "ok"}
    assert here <= {"replication"}, "which cannot be measured without the other"
    assert found["dead-letters", PRIMARY] == "ok"


def test_an_api_that_throttles_is_unknown_and_asked_once(stack: DrStack) -> None:
    """By all the checks that share its answer; others go on."""
    throttled = refusal("ThrottlingException")

    class Busy:
        def __init__(self) -> None:
            self.asked = 0

        def get_paginator(self, _: str) -> Any:
            self.asked += 1
            raise throttled

    busy = Busy()
    client = stack.clients.client
    stack.clients.client = lambda service, region: (
        busy if service == "cloudwatch" else client(service, region)
    )  # type: ignore[method-assign]
    found = look(stack, "reception-errors", "analysis-errors", "throttles", "dead-letters")
    assert {state for (id_, _), state in states(found).items() if id_ != "dead-letters"} == {"unknown"}
    assert "ThrottlingException" in found["throttles", PRIMARY].reason
    assert states(found)["dead-letters", PRIMARY] == "ok"
    assert busy.asked == len(REGIONS)


def test_an_alarm_that_is_on_is_named(stack: DrStack) -> None:
    """One on backups is the morning's; one without data makes it unknown, and no alarm at all is a fault."""
    alarm(PRIMARY, NAMES.refusals_alarm, "ALARM")
    alarm(PRIMARY, NAMES.backup_age_alarm("full-export"), "ALARM")
    alarm(FAILOVER, NAMES.recovery_alarm, "INSUFFICIENT_DATA")
    found = look(stack, "alarms")
    assert (found["alarms", PRIMARY].state, found["alarms", PRIMARY].reason) == (
        State.FAILED,
        "on: refusals",
    )
    assert found["alarms", FAILOVER].state is State.UNKNOWN
    backups = look(stack, "backup-alarms", of=daily_checks)
    assert backups["backup-alarms", PRIMARY].reason == "on: full-export-age"
    assert "no alarm" in backups["backup-alarms", FAILOVER].reason


def test_a_region_that_stands_in_and_a_missing_heartbeat_need_somebody(stack: DrStack) -> None:
    """As their records say."""
    records = CoordinationRecords(stack.deployment, PRIMARY)
    assert records.write(switch_record(FAILOVER), None, {"since_ms": 1_000})
    what = "heartbeat:watchdog"
    assert records.write(watch_record(PRIMARY), None, {what: 1_000, f"{what}#every_s": 120})
    found = look(stack, "switch", "heartbeats")
    assert states(found) == {
        ("switch", PRIMARY): "ok", ("switch", FAILOVER): "failed", ("heartbeats", "stack"): "failed",
    }  # fmt: skip
    assert found["heartbeats", "stack"].reason == f"late or missing: {what}"
    assert records.read(absence_record(what)) is None, "late, and not told yet"


def test_the_morning_reads_the_last_days_metrics(stack: DrStack) -> None:
    """Reception that ran and counted no refusal has refused nothing; the rate is of all analyses."""
    invoked(PRIMARY)
    of_stack(PRIMARY, CACHE_HITS, 3)
    of_stack(PRIMARY, MODEL_CALLS, 1)
    of_stack(PRIMARY, OLDEST_EXPIRED, 3_600 * 50)
    invoked(FAILOVER, spec=RECEPTION, Errors=1)
    of_stack(FAILOVER, REFUSALS, 7)
    ids = ("errors", "throughput", "refused", "cache-hits", "expired-rows")
    found = look(stack, *ids, of=daily_checks)
    assert found["cache-hits", PRIMARY].reason == "75 % from the cache, 3 hits, the model asked 1 times"
    assert (found["refused", PRIMARY].state, found["refused", PRIMARY].reason) == (State.OK, "none")
    assert found["expired-rows", PRIMARY].state is State.FAILED
    assert found["errors", PRIMARY].state is State.OK
    assert "AlertReceptionFunction 20, AnalysisFunction 20" in found["throughput", PRIMARY].reason
    assert "AlertReceptionFunction 20, AnalysisFunction unknown" in found["throughput", FAILOVER].reason
    assert found["errors", FAILOVER].state is State.FAILED
    assert found["refused", FAILOVER].reason.startswith("7 requests and members were refused")


def test_every_check_leads_to_a_section_of_the_runbook(stack: DrStack) -> None:
    """Which is there, and each check of `health check` is in its table of what to do."""
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    checks = {one.id: one for one in (*health_checks(subject_of(stack)), *daily_checks(subject_of(stack)))}
    assert {one.see for one in checks.values()} <= {f"docs/runbook.md#{anchor}" for anchor in anchors}
    assert {id_ for id_ in checks if f"`{id_}`" not in text} == set()


def deployed(stack: DrStack, region: str, text: bytes) -> None:
    """Functions as they were deployed, and a `stack.json` beside them."""
    config = stack_config(ROOT, "dev")
    stack.clients.functions[region].configured = {
        NAMES.function(spec): {
            "CodeSha256": base64.b64encode(bytes.fromhex("ab" * 32)).decode(),
            "MemorySize": config.memory_mb[spec],
            "Timeout": config.timeout_s[spec],
        }
        for spec in FUNCTIONS
    }
    s3, bucket = moto_client("s3", region), endpoints_of(stack.deployment, region).backup_bucket
    where = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != PRIMARY else {}
    s3.create_bucket(Bucket=bucket, **where)
    s3.put_object(Bucket=bucket, Key=stack_key("latest"), Body=text)


@pytest.mark.parametrize(
    ("lacks", "state", "says"),
    [
        ((), "ok", "as deployed"),
        ((RECEPTION, ANALYSIS), "unknown", f"{RECEPTION.suffix}, {ANALYSIS.suffix}"),
    ],
)
def test_a_package_without_a_digest_in_the_record_is_unknown(
    stack: DrStack, lacks: tuple[FunctionSpec, ...], state: str, says: str
) -> None:
    """Nothing says what should run."""
    digests = {spec.suffix: "ab" * 32 for spec in FUNCTIONS if spec not in lacks}
    deployed(stack, PRIMARY, json.dumps({"packages": digests}).encode())
    found = look(stack, "by-hand", of=daily_checks)["by-hand", PRIMARY]
    assert found.state == state
    assert says in found.reason


@pytest.mark.parametrize(
    "text",
    [b"{", b"[]", b'{"packages": [1]}', b'{"outputs": 3}', b"[" * 100_000, b"\xff"],
    ids=["torn", "no record", "no digests", "no outputs", "hostile", "binary"],
)
def test_a_damaged_record_is_unknown_in_one_line(stack: DrStack, text: bytes) -> None:
    """With the command that writes it again; the other region's is read all the same."""
    deployed(stack, PRIMARY, text)
    deployed(
        stack, FAILOVER, json.dumps({"packages": {spec.suffix: "ab" * 32 for spec in FUNCTIONS}}).encode()
    )
    found = look(stack, "by-hand", of=daily_checks)
    assert states(found) == {("by-hand", PRIMARY): "unknown", ("by-hand", FAILOVER): "ok"}
    [line] = found["by-hand", PRIMARY].reason.splitlines()
    assert "config/latest/stack.json is damaged" in line
    assert "writes that of latest again" in line


def cli(stack: DrStack, tmp_path: Path, *words: str) -> Any:
    """Type a command on the stack."""
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(stack.outputs))
    return CliRunner().invoke(app, ["health", *words, "--outputs", str(path)], env={"COLUMNS": "400"})


def test_the_json_of_the_checks_is_what_scripts_rely_on(stack: DrStack, tmp_path: Path) -> None:
    """Its fields and their types."""
    done = cli(stack, tmp_path, "check", "--only", "queues", "--json")
    assert done.exit_code == 0, done.output
    content = json.loads(done.stdout)
    assert {name: type(value).__name__ for name, value in content.items()} == {
        "checks": "list", "ok": "int", "failed": "int", "unknown": "int",
    }  # fmt: skip
    assert {name: type(value).__name__ for name, value in content["checks"][0].items()} == {
        "id": "str", "category": "str", "region": "str", "state": "str", "reason": "str", "hint": "str",
        "see": "str", "figures_ms": "dict", "took_ms": "int",
    }  # fmt: skip
    rows = [(row["id"], row["region"], row["state"]) for row in content["checks"]]
    assert rows == [("dead-letters", PRIMARY, "ok"), ("dead-letters", FAILOVER, "ok")]


def test_wrong_use_and_wrong_credentials_are_one_line(stack: DrStack, tmp_path: Path) -> None:
    """Exit 2 for a check that is none, 1 for another account's credentials; nothing is looked at."""
    wrong = cli(stack, tmp_path, "check", "--only", "queue")
    assert wrong.exit_code == 2
    [said] = [line for line in wrong.output.splitlines() if line.startswith("│")]
    assert "--list-checks" in said
    other = replace(
        stack, outputs={**stack.outputs, "AlarmTopicArn": "arn:aws:sns:us-east-1:999999999999:alarms"}
    )
    refused = cli(other, tmp_path, "daily", "--only", "queues")
    assert refused.exit_code == 1
    [line] = str(refused.exception).splitlines()
    assert "999999999999" in line
    listed = json.loads(cli(stack, tmp_path, "check", "--list-checks", "--json").stdout)
    assert {"id": "dead-letters", "actions": ["sqs:GetQueueAttributes"]}.items() <= {
        key: value for row in listed if row["id"] == "dead-letters" for key, value in row.items()
    }.items()


def test_what_failed_is_asked_again_until_it_is_well(stack: DrStack, tmp_path: Path) -> None:
    """`--wait` ends with exit 1 where it stays so; `--short` shows the hint and its section."""
    url = stack.deployment.primary.dead_letter_queue_url
    moto_client("sqs", PRIMARY).send_message(QueueUrl=url, MessageBody="poison")
    done = cli(stack, tmp_path, "check", "--only", "queues", "--wait", "1", "--short")
    assert done.exit_code == 1
    assert "next: `responder dlq list" in done.stdout
    assert "see docs/runbook.md#reprocess-failed-messages-from-the-dlq" in done.stdout
    assert done.stdout.endswith("1 ok, 1 failed, 0 unknown\n")
