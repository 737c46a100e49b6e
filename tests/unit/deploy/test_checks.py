"""The checks of a deployed stack tell good from bad by AWS's answers, and call unknown what they cannot see.

AWS's answers are recorded: here is what the embedded AWS does not have, and what nobody can plant there.
"""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clients.checks import Finding, State, run_checks
from deploy.checks.catalogue import deploy_checks
from deploy.checks.subject import Subject
from dr.operations.environment import Answer
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from tests.fakes.aws_refusals import refusal
from tests.fakes.recorded_aws import FAILOVER, PRIMARY, Answers, RecordedAws, recorded_deployment
from topology.matchers import Matcher
from topology.routes import RouteSpec

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
LOCKED_UNTIL = NOW + timedelta(days=14)
ROLE = "mir-prod-backup-us-east-1"
OLD, NEW = (f"0000000{n}-0000-4000-8000-000000000000" for n in (1, 2))
"""Versions of a secret."""


class FakeWeb:
    """`Web` whose regions are healthy, but for those in `answers`."""

    def __init__(self, answers: Mapping[str, Answer | None]) -> None:
        """`answers` by region; None: it does not answer."""
        self.answers = answers

    def get(self, url: str) -> Answer | None:
        """See `Web`."""
        region = url.split("/")[2]
        return self.answers.get(region, Answer(200, {"region": region}))

    def post(self, url: str, body: Mapping[str, object], *, api_key: str) -> Answer | None:
        """No check posts."""
        raise AssertionError((url, body, api_key))


def table(other: str, **changed: Any) -> Mapping[str, Any]:
    """A table of prod as one region describes it."""
    return {
        "Table": {
            "DeletionProtectionEnabled": True,
            "Replicas": [{"RegionName": other, "ReplicaStatus": "ACTIVE"}],
            "MultiRegionConsistency": "STRONG",
            "GlobalTableWitnesses": [{"RegionName": "us-east-2", "WitnessStatus": "ACTIVE"}],
            **changed,
        }
    }


def policy(*actions: str, principal: str = "backup.amazonaws.com") -> str:
    """A document, which also trusts `principal`."""
    listed = ", ".join(f'"{action}"' for action in actions)
    return f'{{"Statement": [{{"Effect": "Allow", "Action": [{listed}], "Principal": "{principal}"}}]}}'


def healthy() -> Answers:
    """What AWS answers of a prod stack that is as it should be."""
    return {
        f"dynamodb.describe_table@{PRIMARY}": table(FAILOVER),
        f"dynamodb.describe_table@{FAILOVER}": table(PRIMARY),
        "dynamodb.describe_continuous_backups": {
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"},
            }
        },
        "secretsmanager.describe_secret": {"VersionIdsToStages": {NEW: ["AWSCURRENT"], OLD: ["AWSPREVIOUS"]}},
        "backup.describe_backup_vault": {"Locked": True, "MinRetentionDays": 14},
        "backup.describe_region_settings": {
            "ResourceTypeOptInPreference": {"DynamoDB": True, "EBS": False},
            "ResourceTypeManagementPreference": {"DynamoDB": True},
        },
        "backup.list_backup_jobs": {
            "BackupJobs": [{"State": "COMPLETED", "CreationDate": NOW, "BackupJobId": "j1"}]
        },
        "s3.get_object_lock_configuration": {
            "ObjectLockConfiguration": {
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 14}},
            }
        },
        "s3.get_object_retention": {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": LOCKED_UNTIL}},
        "iam.get_role": {
            "Role": {
                "Path": "/",
                "RoleName": ROLE,
                "RoleId": "AROA0123456789ABCDEF",
                "Arn": f"arn:aws:iam::123456789012:role/{ROLE}",
                "CreateDate": NOW,
                "AssumeRolePolicyDocument": policy("sts:AssumeRole"),
            }
        },
        "iam.get_role_policy": {
            "RoleName": ROLE,
            "PolicyName": "work",
            "PolicyDocument": policy(
                "dynamodb:DescribeTable",
                "dynamodb:StartAwsBackupJob",
                "dynamodb:CreateBackup",
                "dynamodb:DescribeBackup",
                "dynamodb:DeleteBackup",
            ),
        },
        "sns.list_subscriptions_by_topic": {
            "Subscriptions": [
                {"Protocol": "lambda", "Endpoint": "a function", "SubscriptionArn": "arn:aws:sns:1"},
                {"Protocol": "email", "Endpoint": "oncall@example.com", "SubscriptionArn": "arn:aws:sns:2"},
            ]
        },
        "ec2.describe_regions": {"Regions": [{"OptInStatus": "opt-in-not-required"}]},
        "lambda.get_account_settings": {
            "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
        },
        "apigateway.get_account": {
            "cloudwatchRoleArn": "arn:aws:iam::123456789012:role/logs",
            "throttleSettings": {"rateLimit": 10000.0, "burstLimit": 5000},
        },
    }


def subject(aws: RecordedAws, *, web: Mapping[str, Answer | None] | None = None, **config: Any) -> Subject:
    """The stack prod as its file has it, with an address for its alarms and the access log."""
    wanted = {"alarm_email": "oncall@example.com", "api_access_log": True, **config}
    return Subject(
        recorded_deployment(aws),
        dataclasses.replace(stack_config(ROOT, "prod"), **wanted),
        web=FakeWeb(web or {}),
        now=lambda: NOW,
    )


def findings(checked: Subject, id_: str = "") -> dict[tuple[str, str], Finding]:
    """What the checks found, by id and region; of one check if it is named."""
    chosen = [check for check in deploy_checks(checked) if not id_ or check.id == id_]
    assert chosen, f"there is no check {id_}"
    return {(one.check.id, one.region): one.finding for one in run_checks(chosen)}


def found(
    id_: str, region: str = PRIMARY, *, config: Mapping[str, Any] | None = None, **answers: Any
) -> Finding:
    """What one check finds in a region where AWS answers `answers` and is healthy otherwise.

    The first underscore of a name stands for the dot between service and operation, `__at__` for the `@`.
    """
    named = {name.replace("_", ".", 1): answer for name, answer in answers.items()}
    aws = RecordedAws(healthy() | named)
    return findings(subject(aws, **(config or {})), id_)[id_, region]


def test_a_stack_as_it_should_be_is_ok_in_both_regions() -> None:
    """Every check, and none of them is unknown."""
    seen = findings(subject(RecordedAws(healthy())))
    assert {key: one.reason for key, one in seen.items() if one.state != State.OK} == {}
    assert len(seen) == 32


def test_no_check_writes() -> None:
    """Every call is one that only reads."""
    aws = RecordedAws(healthy())
    findings(subject(aws))
    operations = {call.partition(".")[2].partition("@")[0] for call in aws.asked}
    assert operations
    assert all(name.startswith(("describe_", "get_", "list_")) for name in operations)


def test_each_check_names_the_actions_that_it_needs() -> None:
    """By the call that it makes; a Lambda, API Gateway and S3 call have names of their own in IAM."""
    renamed = {"s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration"}
    for check in deploy_checks(subject(RecordedAws(healthy()))):
        aws = RecordedAws(healthy())
        findings(subject(aws), check.id)
        calls = {call.partition("@")[0] for call in aws.asked}
        named = {f"{c.split('.')[0]}:{''.join(w.title() for w in c.split('.')[1].split('_'))}" for c in calls}
        named = {renamed.get(one, "apigateway:GET" if one.startswith("apigateway") else one) for one in named}
        assert named == set(check.actions) - {"s3:ListBucket"}, check.id


def test_a_strong_replica_without_protection_is_named_with_the_next_step() -> None:
    """A4: the provider protects it at the second run only."""
    aws = RecordedAws(
        healthy() | {f"dynamodb.describe_table@{FAILOVER}": table(PRIMARY, DeletionProtectionEnabled=False)}
    )
    seen = findings(subject(aws), "table-deletion-protection")
    replica = seen["table-deletion-protection", FAILOVER]
    assert seen["table-deletion-protection", PRIMARY].state == State.OK
    assert replica.state == State.FAILED
    assert "alerts, coordination, cache" in replica.reason
    assert "run `pulumi up -s prod` again" in replica.hint
    assert "second run" in replica.hint


GONE = refusal("ResourceNotFoundException")

FAULTS: Mapping[str, tuple[str, Mapping[str, Any], str, str]] = {
    "no table": (
        "table-deletion-protection",
        {f"dynamodb_describe_table@{PRIMARY}": GONE},
        "no table",
        "account",
    ),
    "recovery off": (
        "table-recovery",
        {
            "dynamodb_describe_continuous_backups": {
                "ContinuousBackupsDescription": {
                    "ContinuousBackupsStatus": "ENABLED",
                    "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
                }
            }
        },
        "point-in-time recovery is off",
        "pulumi up -s prod",
    ),
    "no table to recover": (
        "table-recovery",
        {"dynamodb_describe_continuous_backups": refusal("TableNotFoundException")},
        "no table",
        "account",
    ),
    "replica gone": (
        "ledger-replica",
        {f"dynamodb_describe_table@{PRIMARY}": table(FAILOVER, Replicas=[])},
        "not there",
        "pulumi up",
    ),
    "replica being made": (
        "ledger-replica",
        {
            f"dynamodb_describe_table@{PRIMARY}": table(
                FAILOVER, Replicas=[{"RegionName": FAILOVER, "ReplicaStatus": "CREATING"}]
            )
        },
        "CREATING",
        "wait",
    ),
    "another consistency": (
        "ledger-replica",
        {f"dynamodb_describe_table@{PRIMARY}": table(FAILOVER, MultiRegionConsistency="EVENTUAL")},
        "EVENTUAL",
        "docs/disaster-recovery.md",
    ),
    "no witness": (
        "ledger-replica",
        {f"dynamodb_describe_table@{PRIMARY}": table(FAILOVER, GlobalTableWitnesses=[])},
        "witness in us-east-2 is not there",
        "lost region",
    ),
    "secret without value": (
        "secret-values",
        {"secretsmanager_describe_secret": {"Name": "s"}},
        "without a value",
        "aws secretsmanager put-secret-value --region us-east-1",
    ),
    "secret gone": ("secret-values", {"secretsmanager_describe_secret": GONE}, "no secret", "pulumi up"),
    "vault unlocked": (
        "vault-lock",
        {"backup_describe_backup_vault": {"Locked": False}},
        "can be deleted",
        "pulumi refresh",
    ),
    "vault locked otherwise": (
        "vault-lock",
        {"backup_describe_backup_vault": {"Locked": True, "MinRetentionDays": 7}},
        "locked for 7 days, backupLockDays is 14",
        "pulumi refresh",
    ),
    "vault gone": ("vault-lock", {"backup_describe_backup_vault": GONE}, "no vault", "pulumi up"),
    "bucket locks nothing": (
        "bucket-lock",
        {"s3_get_object_lock_configuration": refusal("ObjectLockConfigurationNotFoundError")},
        "locks nothing",
        "pulumi up",
    ),
    "bucket locks for less": (
        "bucket-lock",
        {
            "s3_get_object_lock_configuration": {
                "ObjectLockConfiguration": {"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
            }
        },
        "'Days': 1",
        "pulumi up",
    ),
    "objects unlocked": (
        "latest-locked",
        {"s3_get_object_retention": refusal("NoSuchObjectLockConfiguration")},
        "config/latest/stack.json",
        "put-object-retention",
    ),
    "objects gone": (
        "latest-locked",
        {"s3_get_object_retention": refusal("NoSuchKey", status=404)},
        "not in bucket-us-east-1",
        "pulumi up",
    ),
    "DynamoDB left out": (
        "backup-opt-in",
        {
            "backup_describe_region_settings": {
                "ResourceTypeOptInPreference": {"DynamoDB": False},
                "ResourceTypeManagementPreference": {"DynamoDB": True},
            }
        },
        "leaves DynamoDB out",
        "--resource-type-opt-in-preference DynamoDB=true",
    ),
    "advanced features off": (
        "backup-opt-in",
        {
            "backup_describe_region_settings": {
                "ResourceTypeOptInPreference": {"DynamoDB": True},
                "ResourceTypeManagementPreference": {"DynamoDB": False},
            }
        },
        "no copy",
        "--resource-type-management-preference DynamoDB=true",
    ),
    "role gone": (
        "backup-role",
        {"iam_get_role": refusal("NoSuchEntity", status=404)},
        "not there",
        "pulumi up",
    ),
    "role may not": (
        "backup-role",
        {
            "iam_get_role_policy": {
                "RoleName": ROLE,
                "PolicyName": "work",
                "PolicyDocument": policy("dynamodb:DescribeTable"),
            }
        },
        "dynamodb:StartAwsBackupJob",
        "pulumi up",
    ),
    "backup failed": (
        "backup-job",
        {
            "backup_list_backup_jobs": {
                "BackupJobs": [
                    {"State": "COMPLETED", "CreationDate": NOW - timedelta(hours=24), "BackupJobId": "j1"},
                    {
                        "State": "FAILED",
                        "CreationDate": NOW,
                        "BackupJobId": "j2",
                        "StatusMessage": "not authorized",
                    },
                ]
            }
        },
        "FAILED: not authorized",
        "--backup-job-id j2",
    ),
    "mail not confirmed": (
        "alarm-mail",
        {
            "sns_list_subscriptions_by_topic": {
                "Subscriptions": [
                    {
                        "Protocol": "email",
                        "Endpoint": "oncall@example.com",
                        "SubscriptionArn": "PendingConfirmation",
                    }
                ]
            }
        },
        "has not confirmed",
        "confirm",
    ),
    "mail not subscribed": (
        "alarm-mail",
        {"sns_list_subscriptions_by_topic": {"Subscriptions": []}},
        "not subscribed",
        "pulumi up",
    ),
    "region not enabled": (
        "region-enabled",
        {"ec2_describe_regions": {"Regions": [{"OptInStatus": "not-opted-in"}]}},
        "not-opted-in",
        "aws account enable-region --region-name us-east-1",
    ),
    "a new account's concurrency": (
        "lambda-concurrency",
        {
            "lambda_get_account_settings": {
                "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 10}
            }
        },
        "10 functions at once that no function has reserved, the stack may need 42",
        "L-B99A9384",
    ),
    "the account's throttle": (
        "api-throttle",
        {"apigateway_get_account": {"throttleSettings": {"rateLimit": 50.0, "burstLimit": 5000}}},
        "50 requests a second",
        "Service Quotas",
    ),
    "no log role": (
        "api-log-role",
        {"apigateway_get_account": {"throttleSettings": {"rateLimit": 10000.0, "burstLimit": 5000}}},
        "no role",
        "aws apigateway update-account --region us-east-1",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_failed_with_its_reason_and_the_next_step(fault: str) -> None:
    """One planted fault each; the same check is ok without it, as the test of the healthy stack shows."""
    id_, answers, reason, hint = FAULTS[fault]
    finding = found(id_, **answers)
    assert finding.state == State.FAILED, finding
    assert reason in finding.reason
    assert hint in finding.hint


@pytest.mark.parametrize(
    ("stack", "by", "refresh", "up"),
    [
        ("prod", "cli", "`pulumi refresh -s prod`", "`pulumi up -s prod`"),
        (
            "local",
            "cli",
            "`responder local pulumi -- refresh -s local`",
            "`responder local pulumi -- up -s local`",
        ),
        ("local", "responder", "`responder local down`", "`responder local up`"),
    ],
)
def test_the_next_step_is_a_command_of_who_deployed_the_stack(
    stack: str, by: str, refresh: str, up: str
) -> None:
    """The other engine refuses a stack that is not its own, and an update alone trusts the state."""
    aws = RecordedAws({"backup.describe_backup_vault": {"Locked": False}})
    aws.endpoint_url = "http://127.0.0.1:1" if stack == "local" else None  # type: ignore[misc]  # as it decides
    deployment = recorded_deployment(aws, stack=stack)
    checked = Subject(deployment, stack_config(ROOT, stack), by_cli=by == "cli")
    hint = findings(checked, "vault-lock")["vault-lock", PRIMARY].hint
    assert hint.startswith(f"run {refresh}, then {up}")


UNSAID: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "consistency": (
        "ledger-replica",
        {f"dynamodb_describe_table@{PRIMARY}": table(FAILOVER, MultiRegionConsistency=None)},
    ),
    "settings": (
        "backup-opt-in",
        {
            "backup_describe_region_settings": {
                "ResourceTypeOptInPreference": {},
                "ResourceTypeManagementPreference": {},
            }
        },
    ),
    "no job yet": ("backup-job", {"backup_list_backup_jobs": {"BackupJobs": []}}),
    "a job that runs": (
        "backup-job",
        {
            "backup_list_backup_jobs": {
                "BackupJobs": [{"State": "RUNNING", "CreationDate": NOW, "BackupJobId": "j1"}]
            }
        },
    ),
    "limits": ("api-throttle", {"apigateway_get_account": {}}),
}


@pytest.mark.parametrize("case", UNSAID)
def test_what_aws_does_not_say_is_unknown(case: str) -> None:
    """Missing data is never good, and nobody is sent to mend it."""
    id_, answers = UNSAID[case]
    kept = {
        name: {"Table": {k: v for k, v in answer["Table"].items() if v is not None}}
        if "Table" in answer
        else answer
        for name, answer in answers.items()
    }
    assert found(id_, **kept).state == State.UNKNOWN


def test_a_replica_of_a_secret_that_has_another_version_is_behind() -> None:
    """Its value is not compared: nobody reads it."""
    old = {"VersionIdsToStages": {OLD: ["AWSCURRENT"]}}
    finding = found("secret-replicas", FAILOVER, **{f"secretsmanager_describe_secret@{FAILOVER}": old})
    assert finding.state == State.FAILED
    assert "not the value of us-east-1" in finding.reason


def test_the_bots_token_is_checked_where_a_bot_posts() -> None:
    """A stack with a channel has three secrets."""
    assert found("secret-values", config={"slack_channel": "C0123456789"}).reason.startswith("3 secrets")
    assert found("secret-values").reason.startswith("2 secrets")


def test_a_routes_webhook_is_checked_as_the_default_channels() -> None:
    """Each secret once; a route of a bot's channel has none."""
    routes = (
        RouteSpec(name="a", match=Matcher(source="a"), secret="slack-webhook-a"),
        RouteSpec(name="b", match=Matcher(source="b"), secret="slack-webhook-a"),
        RouteSpec(name="c", match=Matcher(source="c"), secret="slack-webhook"),
        RouteSpec(name="d", match=Matcher(source="d"), channel="C0123456789"),
    )
    assert found("secret-values", config={"routes": routes}).reason.startswith("3 secrets")


def test_a_lock_that_ended_in_its_time_is_no_fault() -> None:
    """It counts from the deployment, which may be older than the lock's days."""
    ended = {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": NOW - timedelta(seconds=1)}}
    finding = found("latest-locked", s3_get_object_retention=ended)
    assert finding.state == State.OK
    assert "ended in its time" in finding.reason


def test_a_compliance_lock_has_the_date_from_which_on_nobody_takes_it_off() -> None:
    """Without it, it is governance."""
    config = {"backup_lock": "compliance"}
    assert found("vault-lock", config=config).state == State.FAILED
    final = {"Locked": True, "MinRetentionDays": 14, "LockDate": NOW}
    assert found("vault-lock", config=config, backup_describe_backup_vault=final).state == State.OK


def test_what_may_not_be_seen_is_unknown_and_names_the_permission() -> None:
    """Every check that asks AWS; the others go on."""
    aws = RecordedAws(dict.fromkeys(healthy(), refusal("AccessDeniedException")))
    seen = findings(subject(aws))
    states = {id_: finding.state for (id_, _), finding in seen.items()}
    assert states.pop("webhook-health") == State.OK
    assert set(states.values()) == {State.UNKNOWN}
    assert "allow the caller backup:DescribeBackupVault" in seen["vault-lock", PRIMARY].hint


def test_a_region_that_is_down_leaves_the_other_half() -> None:
    """Its checks are unknown, its webhook failed, and all of the other region is seen.

    Whether it is enabled is the account's to say, wherever it is asked.
    """
    aws = RecordedAws(healthy())
    aws.lost.add(FAILOVER)
    seen = findings(subject(aws, web={FAILOVER: None}))
    assert seen["webhook-health", FAILOVER].state == State.FAILED
    lost = {
        finding.state
        for (id_, region), finding in seen.items()
        if region == FAILOVER and id_ not in {"webhook-health", "region-enabled"}
    }
    assert lost == {State.UNKNOWN}
    assert {finding.state for (_, region), finding in seen.items() if region == PRIMARY} == {State.OK}


def test_whether_a_region_is_enabled_is_asked_of_one_that_every_account_has() -> None:
    """One that is not enabled takes no credentials, so it would not say so. The witness's counts too."""
    aws = RecordedAws(healthy())
    seen = findings(subject(aws), "region-enabled")
    assert {region for _, region in seen} == {PRIMARY, FAILOVER, "us-east-2"}
    assert set(aws.asked) == {"ec2.describe_regions@us-east-1"}


def test_functions_with_a_reservation_need_the_accounts_limit_alone() -> None:
    """What they have reserved is no longer among what is left to the others."""
    limits = {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 100}}
    config = {"reserved_concurrency": 40}
    finding = found("lambda-concurrency", config=config, lambda_get_account_settings=limits)
    assert finding.state == State.OK


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "does not answer"),
        (Answer(503, {"region": PRIMARY}), "answers 503"),
        (Answer(200, {"region": "eu-west-1"}), "answered by eu-west-1"),
        (Answer(200, {}), "answered by something else"),
    ],
)
def test_a_webhook_is_ok_only_if_its_own_region_says_so(answer: Answer | None, reason: str) -> None:
    """Not by any page that answers 200."""
    seen = findings(subject(RecordedAws(healthy()), web={PRIMARY: answer}), "webhook-health")
    assert seen["webhook-health", PRIMARY].state == State.FAILED
    assert reason in seen["webhook-health", PRIMARY].reason
    assert seen["webhook-health", FAILOVER].state == State.OK


def test_a_stack_without_mail_access_log_and_protection_has_no_checks_of_them() -> None:
    """What it does not have is not called good."""
    checked = subject(RecordedAws(healthy()), alarm_email="", api_access_log=False, deletion_protection=False)
    absent = {"alarm-mail", "api-log-role", "table-deletion-protection"}
    assert not absent & {check.id for check in deploy_checks(checked)}
