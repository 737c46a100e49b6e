"""Least privilege is proven by taking permissions away, on the embedded AWS with IAM enforced.

The whole path works with exactly the roles that the program makes; without any one of the permissions that
a step needs, that step fails, and what was accepted is still in the ledger.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import requests

from audit.ledger import read_ledger
from clients.aws import AwsClients
from clients.checks import Check, run_checks
from clients.deployment import Deployment
from deploy.checks.catalogue import deploy_checks
from deploy.checks.subject import Subject
from emulator.claude_latency import QUICK, fixed
from emulator.client import Emulator
from emulator.errors import RefusedError
from emulator.local_stack import LocalStack, deploy
from ops.local.running import api_keys, local_config
from tests.emulator.conftest import SOON_S
from tests.fakes.documents import documented_policy
from topology.functions import ANALYSIS, DISTRIBUTION, RECEPTION, RECOVERY, FunctionSpec

pytestmark = pytest.mark.emulator

Eventually = Callable[..., Any]
REGION = "us-east-1"
LONG_AGO = 1
"""An epoch second at which everything is due."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The local stack on an emulator that enforces IAM."""
    regions = local_config().regions
    with Emulator.start(tmp_path_factory.mktemp("iam"), regions=regions, auth=True) as emulator:
        yield deploy(emulator)


def post(stack: LocalStack, title: str, **fields: str) -> requests.Response:
    """Post one alert to the primary."""
    key = api_keys(stack.deployment)[stack.deployment.primary]
    body = {"source": "test", "title": title, "message": f"{title} happened", "severity": "CRITICAL"}
    body |= fields
    return requests.post(
        stack.deployment.primary.webhook_url, json=body, headers={"x-api-key": key}, timeout=60
    )


def accepted_id(stack: LocalStack, title: str) -> str:
    """The id of a posted alert."""
    answer = post(stack, title)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["alerts"][0]["alert_id"])


def status_of(stack: LocalStack, alert_id: str) -> str:
    """Where an alert is."""
    return read_ledger(stack.deployment, REGION)[alert_id].status


def make_due(stack: LocalStack, alert_id: str) -> None:
    """Have Recovery look at an alert now, as its `due_at` is `LONG_AGO`."""
    stack.deployment.clients.client("dynamodb", REGION).update_item(
        TableName=stack.deployment.alerts_table,
        Key={"alert_id": {"S": alert_id}},
        UpdateExpression="SET due_at = :now",
        ExpressionAttributeValues={":now": {"N": str(LONG_AGO)}},
    )


def log_of(stack: LocalStack, spec: FunctionSpec) -> str:
    """Everything that a function has logged."""
    logs = stack.deployment.clients.client("logs", REGION)
    group = stack.deployment.names.log_group(spec)
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return "\n".join(event["message"] for page in pages for event in page["events"])


def denials(stack: LocalStack, spec: FunctionSpec) -> int:
    """How often a function was denied something; what an invocation logs is there when it has ended."""
    return log_of(stack, spec).count("AccessDenied")


def recover(stack: LocalStack) -> dict[str, Any]:
    """Run Recovery now; what its invocation answered."""
    name = stack.deployment.names.function(RECOVERY)
    functions = stack.deployment.clients.client("lambda", REGION)
    return dict(functions.invoke(FunctionName=name, Qualifier="live", Payload=b"{}"))


@contextmanager
def without(stack: LocalStack, whose: FunctionSpec | str, action: str) -> Iterator[None]:
    """Take one action out of the role of a function or of a service's purpose, and give it back."""
    iam, names = stack.deployment.clients.client("iam", REGION), stack.deployment.names
    role = names.service_role(whose, REGION) if isinstance(whose, str) else names.role(whose, REGION)
    named = {"RoleName": role, "PolicyName": "work"}
    whole = iam.get_role_policy(**named)["PolicyDocument"]
    assert action in json.dumps(whole), "the role was not given what the test takes away"
    less = json.loads(json.dumps(whole))
    for statement in less["Statement"]:
        statement["Action"] = [one for one in statement["Action"] if not one.startswith(action)]
    less["Statement"] = [statement for statement in less["Statement"] if statement["Action"]]
    iam.put_role_policy(**named, PolicyDocument=json.dumps(less))
    try:
        yield
    finally:
        iam.put_role_policy(**named, PolicyDocument=json.dumps(whole))


def test_the_whole_path_works_with_the_programs_own_roles(stack: LocalStack, eventually: Eventually) -> None:
    """Nothing that the functions do is denied."""
    before = {spec: denials(stack, spec) for spec in (RECEPTION, ANALYSIS, DISTRIBUTION)}
    alert_id = accepted_id(stack, "Allowed")
    eventually(lambda: status_of(stack, alert_id) == "NOTIFIED", within_s=SOON_S)
    assert {spec: denials(stack, spec) for spec in before} == before


def test_reception_without_the_ledger_promises_nothing(stack: LocalStack) -> None:
    """503 and safe to retry; no row, no promise."""
    before = read_ledger(stack.deployment, REGION).keys()
    with without(stack, RECEPTION, "dynamodb:PutItem"):
        answer = post(stack, "Not written")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert set(answer.json()) == {"error", "field", "hint"}
    assert read_ledger(stack.deployment, REGION).keys() == before


def test_reception_without_the_queue_still_keeps_its_promise(
    stack: LocalStack, eventually: Eventually
) -> None:
    """A message is only a wake-up: 202, and Recovery brings the alert to Slack."""
    with without(stack, RECEPTION, "sqs:SendMessage"):
        alert_id = accepted_id(stack, "No hint")
        assert status_of(stack, alert_id) == "RECEIVED"

    def recovered() -> bool:
        assert "FunctionError" not in recover(stack)
        return status_of(stack, alert_id) == "NOTIFIED"

    eventually(recovered, within_s=SOON_S)


def test_recovery_may_do_all_that_a_parked_alert_needs(stack: LocalStack, eventually: Eventually) -> None:
    """Its repeat is found by the children's index and goes out in its place; nothing is denied.

    Before, the fault of the repeat was looked at, by the fault index; it is too young to rest by that.
    """
    denied = denials(stack, RECOVERY)
    stack.emulator.set_fault("slack", "invalid_payload", times=2)
    stack.emulator.set_claude_latency(fixed(8.0))  # long enough to post the repeat meanwhile, on any machine
    parent = accepted_id(stack, "Parked")
    repeat = post(stack, "Parked", timestamp="2026-11-23T08:00:30Z").json()["alerts"][0]
    assert (repeat["status"], repeat["parent_id"]) == ("SUPPRESSED", parent)
    make_due(stack, repeat["alert_id"])
    assert "FunctionError" not in recover(stack)
    assert (read_ledger(stack.deployment, REGION)[repeat["alert_id"]].due_at or 0) > LONG_AGO
    stack.emulator.set_claude_latency(QUICK)
    eventually(lambda: status_of(stack, parent) == "PARKED", within_s=SOON_S)

    def promoted() -> bool:
        assert "FunctionError" not in recover(stack)
        return status_of(stack, repeat["alert_id"]) == "NOTIFIED"

    eventually(promoted, within_s=SOON_S)
    assert status_of(stack, parent) == "PARKED"
    assert denials(stack, RECOVERY) == denied


def test_reception_may_promote_a_repeat_of_a_parked_alert(stack: LocalStack, eventually: Eventually) -> None:
    """The one row that reception moves on."""
    stack.emulator.set_fault("slack", "invalid_payload", times=2)
    parent = accepted_id(stack, "Parked before its repeat")
    eventually(lambda: status_of(stack, parent) == "PARKED", within_s=SOON_S)
    repeat = post(stack, "Parked before its repeat").json()["alerts"][0]
    assert (repeat["status"], repeat["alert_id"] != parent) == ("RECEIVED", True)
    eventually(lambda: status_of(stack, repeat["alert_id"]) == "NOTIFIED", within_s=SOON_S)


@pytest.mark.parametrize("spec", [ANALYSIS, DISTRIBUTION], ids=lambda spec: spec.key)
def test_what_instances_agree_on_is_no_condition_for_delivery(
    stack: LocalStack, eventually: Eventually, spec: FunctionSpec
) -> None:
    """Without the coordination table there is no shared pace and no breaker, and alerts go out."""
    denied = denials(stack, spec)
    if spec == ANALYSIS:
        stack.emulator.set_fault("claude", "overloaded", times=1)
    with without(stack, spec, "dynamodb:PutItem"):
        alert_id = accepted_id(stack, f"{spec.key} alone")
        eventually(lambda: status_of(stack, alert_id) == "NOTIFIED", within_s=SOON_S)
        eventually(lambda: denials(stack, spec) > denied, within_s=SOON_S)


def test_recovery_without_its_index_fails_visibly(stack: LocalStack) -> None:
    """Lambda counts the error: nobody takes it for a run that found nothing."""
    with without(stack, RECOVERY, "dynamodb:Query"):
        assert recover(stack)["FunctionError"] == "Unhandled"
    assert denials(stack, RECOVERY) > 0
    assert "FunctionError" not in recover(stack)


@pytest.mark.parametrize(
    ("spec", "action"),
    [
        (ANALYSIS, "dynamodb:UpdateItem"),
        (ANALYSIS, "sqs:SendMessage"),
        (DISTRIBUTION, "dynamodb:UpdateItem"),
        (DISTRIBUTION, "dynamodb:GetItem"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.key,
)
def test_a_step_without_its_permission_is_denied_and_loses_nothing(
    stack: LocalStack, eventually: Eventually, spec: FunctionSpec, action: str
) -> None:
    """The permission is needed, the role is really the function's, and the alert stays in the ledger."""
    denied = denials(stack, spec)
    with without(stack, spec, action):
        alert_id = accepted_id(stack, f"{spec.key} without {action}")
        eventually(lambda: denials(stack, spec) > denied, within_s=SOON_S)
        assert status_of(stack, alert_id) != "NOTIFIED"


def test_backups_are_made_with_the_programs_own_roles(stack: LocalStack, eventually: Eventually) -> None:
    """The schedules may start what they start, and the state machines may do all of their steps."""
    names, clients = stack.deployment.names, stack.deployment.clients
    stepfunctions = clients.client("stepfunctions", REGION)
    machines = {
        one["name"]: one["stateMachineArn"] for one in stepfunctions.list_state_machines()["stateMachines"]
    }
    wanted = (names.full_export_watch, names.incremental_export, names.daily_copies)
    for name in (names.full_export, *wanted):
        stack.emulator.run_schedule(REGION, name)
    for name in wanted:

        def ended(machine: str = machines[name]) -> dict[str, Any] | None:
            runs = stepfunctions.list_executions(stateMachineArn=machine)["executions"]
            run = stepfunctions.describe_execution(executionArn=runs[0]["executionArn"]) if runs else None
            return run if run and run["status"] != "RUNNING" else None

        run = eventually(ended, within_s=SOON_S)
        assert run["status"] == "SUCCEEDED", (run.get("error"), run.get("cause"))
    arns = [one["ExportArn"] for one in clients.client("dynamodb", REGION).list_exports()["ExportSummaries"]]
    described = [clients.client("dynamodb", REGION).describe_export(ExportArn=arn) for arn in arns]
    assert {one["ExportDescription"]["ExportStatus"] for one in described} == {"COMPLETED"}


@pytest.mark.parametrize("schedule", ["full_export", "full_export_watch"])
def test_a_schedule_without_its_permission_is_denied(stack: LocalStack, schedule: str) -> None:
    """The schedule's role is what decides, not who runs it."""
    iam = stack.deployment.clients.client("iam", REGION)
    role = stack.deployment.names.service_role("backup-schedules", REGION)
    named = {"RoleName": role, "PolicyName": "work"}
    whole = iam.get_role_policy(**named)["PolicyDocument"]
    iam.delete_role_policy(**named)
    try:
        with pytest.raises(RefusedError, match="AccessDenied"):
            stack.emulator.run_schedule(REGION, getattr(stack.deployment.names, schedule))
    finally:
        iam.put_role_policy(**named, PolicyDocument=json.dumps(whole))


def denied(stack: LocalStack, machine: str) -> list[str]:
    """What the tasks of a state machine's newest execution were told when they failed."""
    machines = stack.deployment.clients.client("stepfunctions", REGION)
    arn = f"arn:aws:states:{REGION}:000000000000:stateMachine:{machine}"
    [newest, *_] = machines.list_executions(stateMachineArn=arn)["executions"]
    events = machines.get_execution_history(executionArn=newest["executionArn"])["events"]
    return [event["taskFailedEventDetails"]["cause"] for event in events if event["type"] == "TaskFailed"]


@pytest.mark.parametrize(
    ("purpose", "action"),
    [
        ("full-export-watch", "dynamodb:ExportTableToPointInTime"),
        ("incremental-export", "dynamodb:ExportTableToPointInTime"),
        ("incremental-export", "dynamodb:DescribeExport"),
        ("incremental-export", "cloudwatch:PutMetricData"),
        ("daily-copies", "s3:GetObject"),
        ("daily-copies", "s3:PutObject"),
    ],
)
def test_a_backups_role_needs_each_of_its_permissions(
    stack: LocalStack, eventually: Eventually, purpose: str, action: str
) -> None:
    """Without it, the task that needs it is denied."""
    names = stack.deployment.names
    machine = {
        "full-export-watch": names.full_export_watch,
        "incremental-export": names.incremental_export,
        "daily-copies": names.daily_copies,
    }[purpose]
    with without(stack, purpose, action):
        stack.emulator.run_schedule(REGION, machine)
        said = eventually(lambda: denied(stack, machine), within_s=SOON_S)
    assert f"perform: {action}" in said[0]
    assert "no identity-based policy allows" in said[0]


@pytest.fixture(scope="module")
def auditor(stack: LocalStack) -> Iterator[Callable[[Mapping[str, Any]], Deployment]]:
    """The stack as somebody sees it who may do what a policy says."""
    iam, user = stack.deployment.clients.client("iam", REGION), "deploy-check"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    clients = AwsClients(
        stack.emulator.edge_url,
        access_key=key["AccessKeyId"],
        secret_key=key["SecretAccessKey"],
        attempts_max=1,
    )

    def allowed(policy: Mapping[str, Any]) -> Deployment:
        iam.put_user_policy(UserName=user, PolicyName="reads", PolicyDocument=json.dumps(policy))
        return replace(stack.deployment, clients=clients)

    yield allowed
    iam.delete_user_policy(UserName=user, PolicyName="reads")
    iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=user)


def checks_of(deployment: Deployment) -> tuple[Check, ...]:
    """The checks of the stack that ask something of the embedded AWS: all but that of the access log."""
    config = replace(local_config(), deletion_protection=True, api_access_log=False)
    return deploy_checks(Subject(deployment, config))


def unseen(deployment: Deployment) -> set[str]:
    """The checks of a deployment that the caller may not make."""
    outcomes = run_checks(checks_of(deployment))
    return {one.check.id for one in outcomes if "may not look" in one.finding.reason}


def test_the_documented_policy_lets_every_check_look(
    auditor: Callable[[Mapping[str, Any]], Deployment],
) -> None:
    """`responder deploy check` needs no permission besides, and none of them writes."""
    assert unseen(auditor(documented_policy())) == set()


NOT_ENFORCED = {"lambda:GetAccountSettings", "s3:ListBucket", "sns:ListSubscriptionsByTopic"}
"""The embedded AWS lets everybody make the first call, needs the second for a missing object only, and the
local stack mails no alarms."""


@pytest.mark.parametrize("action", sorted(set(documented_policy()["Statement"][0]["Action"]) - NOT_ENFORCED))
def test_without_a_documented_permission_a_check_is_unknown(
    auditor: Callable[[Mapping[str, Any]], Deployment], action: str
) -> None:
    """It says that it may not look, which is never good; the others go on."""
    policy = documented_policy()
    policy["Statement"][0]["Action"].remove(action)
    needing = {check.id for check in checks_of(auditor(policy)) if action in check.actions}
    assert needing
    assert unseen(auditor(policy)) == needing
