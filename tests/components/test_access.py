"""Least privilege: every policy lists its actions and resources exactly."""

import json
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from tests.components.recorder import ACCOUNT, Registered, Run

REGIONS = ("us-east-1", "us-west-2")
CONSUME = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def _expected(stack: str, region: str) -> dict[str, list[tuple[list[str], list[str]]]]:
    """Role to its statements: actions and resources. Written out, so that no grant slips in."""
    prefix = f"mcp-incident-responder-{stack}"
    alerts = f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{prefix}-alerts"
    cache = f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{prefix}-analysis-cache"
    coordination = f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{prefix}-coordination"
    processing, urgent, dead_letters, lane, critical = (
        f"arn:aws:sqs:{region}:{ACCOUNT}:{prefix}-{queue}"
        for queue in (
            "processing",
            "processing-critical",
            "processing-dlq",
            "distribution",
            "distribution-critical",
        )
    )
    responder = "mcp-responder" if stack == "prod" else f"mcp-responder-{stack}"
    slack, anthropic = (
        f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{responder}/{secret}-a1B2c3"
        for secret in ("slack-webhook", "anthropic-key")
    )
    send, read = ["sqs:SendMessage"], ["secretsmanager:GetSecretValue"]
    move, agree = ["dynamodb:GetItem", "dynamodb:UpdateItem"], ["dynamodb:GetItem", "dynamodb:PutItem"]

    def log(function: str) -> tuple[list[str], list[str]]:
        group = f"arn:aws:logs:{region}:{ACCOUNT}:log-group:/aws/lambda/{prefix}-{function}:*"
        return ["logs:CreateLogStream", "logs:PutLogEvents"], [group]

    return {
        "reception": [
            ([*move, "dynamodb:BatchGetItem", "dynamodb:PutItem"], [alerts]),
            ([*agree, "dynamodb:BatchGetItem", "dynamodb:UpdateItem"], [coordination]),
            (send, [processing, urgent, dead_letters]),
            log("AlertReceptionFunction"),
        ],
        "analysis": [
            ([*move, "dynamodb:BatchGetItem"], [alerts]),
            (["dynamodb:Query"], [f"{alerts}/index/{index}-index" for index in ("fault", "incident")]),
            (agree, [cache]),
            (agree, [coordination]),
            ([*CONSUME, *send], [processing, urgent]),
            (send, [lane, critical]),
            (read, [anthropic]),
            log("AnalysisFunction"),
        ],
        "distribution": [
            ([*move, "dynamodb:BatchGetItem"], [alerts]),
            (
                ["dynamodb:Query"],
                [f"{alerts}/index/{index}-index" for index in ("open", "children", "incident")],
            ),
            (agree, [coordination]),
            ([*CONSUME, *send], [lane, critical]),
            (read, [slack]),
            log("DistributionFunction"),
        ],
        "recovery": [
            (
                [*move, "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"],
                [alerts],
            ),
            (
                ["dynamodb:Query"],
                [f"{alerts}/index/{index}-index" for index in ("timestamp", "open", "children", "fault")],
            ),
            (
                [*agree, "dynamodb:BatchGetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
                [coordination],
            ),
            (send, [processing, urgent, lane, critical]),
            (["sns:Publish"], [f"arn:aws:sns:{region}:{ACCOUNT}:{prefix}-escalation"]),
            log("RecoveryFunction"),
        ],
        "schedule": [
            (
                ["lambda:InvokeFunction"],
                [f"arn:aws:lambda:{region}:{ACCOUNT}:function:{prefix}-RecoveryFunction:live"],
            )
        ],
        **_expected_of_backups(stack, region),
    }


def _expected_of_backups(stack: str, region: str) -> dict[str, list[tuple[list[str], list[str]]]]:
    """The roles by which services make a region's backups; those across regions are in one region only."""
    prefix = f"mcp-incident-responder-{stack}"
    responder = "mcp-responder" if stack == "prod" else f"mcp-responder-{stack}"
    buckets = {
        "us-east-1": f"arn:aws:s3:::{responder}-backups",
        "us-west-2": f"arn:aws:s3:::{responder}-backups-failover",
    }
    bucket = buckets[region]
    alerts = f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{prefix}-alerts"
    machines = f"arn:aws:states:{region}:{ACCOUNT}:stateMachine:{prefix}"
    vaults = {one: f"arn:aws:backup:{one}:{ACCOUNT}:backup-vault:{prefix}-backups" for one in REGIONS}
    export = [
        (["dynamodb:ExportTableToPointInTime"], [alerts]),
        (
            ["s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectAcl"],
            [f"{bucket}/dynamodb-exports/*"],
        ),
    ]
    watching = (["dynamodb:DescribeExport"], [f"{alerts}/export/*"])
    measuring = (["cloudwatch:PutMetricData"], ["*"])
    restoring = [
        "dynamodb:RestoreTableFromAwsBackup",
        "dynamodb:DescribeTable",
        "dynamodb:BatchWriteItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:Scan",
        "dynamodb:UpdateItem",
    ]
    packages = [
        f"{bucket}/code/latest/{name}Function.zip"
        for name in ("AlertReception", "Analysis", "Distribution", "Recovery")
    ]
    in_each_region = {
        "backup-schedules": [
            *export,
            (
                ["states:StartExecution"],
                [f"{machines}-{one}" for one in ("full-export-watch", "incremental-export", "daily-copies")],
            ),
        ],
        "full-export-watch": [*export, watching, measuring],
        "incremental-export": [*export, watching, measuring],
        "daily-copies": [
            (["s3:GetObject"], [f"{bucket}/config/latest/stack.json", *packages]),
            (["s3:PutObject"], [f"{bucket}/config/*", f"{bucket}/code/*"]),
            measuring,
        ],
    }
    in_each_region["restore"] = [
        (restoring, [f"{alerts}-restored-*"]),
        (["backup:DescribeBackupVault"], [vaults[region]]),
    ]
    in_one_region = {
        "us-east-1": {
            "replication": [
                (["s3:GetReplicationConfiguration", "s3:ListBucket"], [bucket]),
                (
                    [
                        "s3:GetObjectVersionForReplication",
                        "s3:GetObjectVersionAcl",
                        "s3:GetObjectVersionTagging",
                        "s3:GetObjectRetention",
                        "s3:GetObjectLegalHold",
                    ],
                    [f"{bucket}/*"],
                ),
                (["s3:ReplicateObject", "s3:ReplicateTags"], [f"{buckets['us-west-2']}/*"]),
            ],
            "backup": [
                (
                    [
                        "dynamodb:CreateBackup",
                        "dynamodb:DescribeTable",
                        "dynamodb:ListTagsOfResource",
                        "dynamodb:StartAwsBackupJob",
                    ],
                    [alerts],
                ),
                (["dynamodb:DescribeBackup", "dynamodb:DeleteBackup"], [f"{alerts}/backup/*"]),
                (["backup:CopyIntoBackupVault", "backup:DescribeBackupVault"], list(vaults.values())),
                (["backup:CopyFromBackupVault"], ["*"]),
                (
                    ["backup:TagResource"],
                    [f"arn:aws:backup:{one}:{ACCOUNT}:recovery-point:*" for one in REGIONS],
                ),
            ],
        },
        "us-west-2": {
            "restore-testing": [
                (restoring, [f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/awsbackup-restore-test-*"]),
                (["backup:DescribeBackupVault"], [vaults["us-west-2"]]),
            ],
        },
    }
    return in_each_region | in_one_region[region]


@pytest.mark.parametrize("region", REGIONS)
def test_each_role_may_do_exactly_its_work(region: str, run: Run) -> None:
    """On its own region's resources and no others."""
    found = {}
    for policy, document in run.policies():
        if policy.name.startswith(region):
            assert document["Version"] == "2012-10-17"
            assert all(
                s.keys() - {"Condition"} == {"Effect", "Action", "Resource"} for s in document["Statement"]
            )
            assert {s["Effect"] for s in document["Statement"]} == {"Allow"}
            found[policy.name.removeprefix(f"{region}-")] = [
                (s["Action"], s["Resource"]) for s in document["Statement"]
            ]
    assert found == _expected(run.outputs["Stack"], region)


WITHIN = (
    ":log-group:",
    ":s3:::",
    "/export/",
    "/backup/",
    "table/awsbackup-restore-test-",
    "-restored-",
    ":recovery-point:",
)
"""May end in a wildcard: streams, objects, exports, backups, restored tables and recovery points are named
by AWS or by a date."""


def test_no_role_policy_has_a_wildcard_but_for_names_that_are_made_later(run: Run) -> None:
    """Everything else is known. A metric has no ARN: only ours may be written. AWS copies from all vaults."""
    documents = [document for _, document in run.policies()]
    assert len(documents) == 23
    statements = [statement for document in documents for statement in document["Statement"]]
    for statement in statements:
        assert not any("*" in action for action in statement["Action"])
        if statement["Action"] == ["cloudwatch:PutMetricData"]:
            assert statement["Condition"] == {
                "StringEquals": {"cloudwatch:namespace": "McpIncidentResponder"}
            }
            continue
        assert "Condition" not in statement
        if statement["Action"] == ["backup:CopyFromBackupVault"]:
            continue
        for resource in statement["Resource"]:
            exact = resource.removesuffix("*") if any(part in resource for part in WITHIN) else resource
            assert exact.startswith("arn:aws:")
            assert "*" not in exact
            assert "?" not in exact


def test_aws_backup_may_do_what_awss_own_policy_lets_it_do_with_a_table(run: Run) -> None:
    """Every action of the managed policy, as moto has it from AWS, on the ledger or on what belongs to it."""
    managed = json.loads(aws_managed_policies_data)["AWSBackupServiceRolePolicyForBackup"]["Document"]
    [document] = [document for policy, document in run.policies() if policy.name == "us-east-1-backup"]
    ledger = (
        f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/mcp-incident-responder-{run.outputs['Stack']}-alerts"
    )
    granted = {
        (action, resource)
        for statement in document["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    theirs = {
        (action, statement["Resource"].replace("arn:aws:dynamodb:*:*:table/*", ledger))
        for statement in managed["Statement"]
        for action in statement["Action"]
        if action.startswith("dynamodb:")
    }
    assert len(theirs) >= 6  # none of the three kinds of statements was passed over
    assert theirs <= granted


def test_roles_and_their_policies_belong_together(run: Run) -> None:
    """One role a function and a service's purpose a region, each with the one policy."""
    roles = {role.inputs["name"]: role.name for role in run.of("iam/role:Role")}
    policies = {policy.inputs["role"]: policy.name for policy in run.of("iam/rolePolicy:RolePolicy")}
    assert roles == policies
    assert len(roles) == 23


def _trust(role: Registered) -> dict[str, Any]:
    (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    found: dict[str, Any] = statement
    return found


SERVICES = {
    "schedule": ("scheduler", "schedule-group/default"),
    "backup-schedules": ("scheduler", "schedule-group/default"),
    "full-export-watch": ("states", "stateMachine:mcp-incident-responder-{stack}-full-export-watch"),
    "incremental-export": ("states", "stateMachine:mcp-incident-responder-{stack}-incremental-export"),
    "daily-copies": ("states", "stateMachine:mcp-incident-responder-{stack}-daily-copies"),
}
"""Purpose to the service that may take on its role, and the resource of the region that it does it for."""


def test_only_its_service_may_take_on_a_role(run: Run) -> None:
    """And where a service says for whom, for this account's own resource alone."""
    stack = run.outputs["Stack"]
    for role in run.of("iam/role:Role"):
        trust = _trust(role)
        region = next(region for region in REGIONS if role.name.startswith(region))
        purpose = role.name.removeprefix(f"{region}-")
        assert (trust["Effect"], trust["Action"]) == ("Allow", "sts:AssumeRole")
        if purpose in SERVICES:
            service, source = SERVICES[purpose]
            arn = f"arn:aws:{service}:{region}:{ACCOUNT}:{source.format(stack=stack)}"
            expected = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": arn}
            assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}
            assert trust["Condition"] == {"StringEquals": expected}
        else:
            service = {
                "replication": "s3",
                "backup": "backup",
                "restore": "backup",
                "restore-testing": "backup",
            }.get(purpose, "lambda")
            assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}
            assert "Condition" not in trust


def test_only_the_api_and_the_alarm_topic_may_invoke_reception(run: Run) -> None:
    """Through the alias, each by the one ARN it comes from; no other function can be invoked by others."""
    for region, prefix in (("us-east-1", ""), ("us-west-2", "Failover")):
        api = f"arn:aws:execute-api:{region}:{ACCOUNT}:{region}-api"
        found = {
            (p.inputs["principal"], p.inputs["sourceArn"])
            for p in run.of("lambda/permission:Permission", region=region)
        }
        assert found == {
            ("apigateway.amazonaws.com", f"{api}/v1/POST/alerts"),
            ("apigateway.amazonaws.com", f"{api}/v1/GET/health"),
            ("apigateway.amazonaws.com", f"{api}/v1/GET/switch"),
            ("sns.amazonaws.com", run.outputs[f"{prefix}AlarmTopicArn"]),
        }
    for permission in run.of("lambda/permission:Permission"):
        assert permission.inputs["action"] == "lambda:InvokeFunction"
        assert permission.inputs["function"] == run.outputs["AlertReceptionFunctionName"]
        assert permission.inputs["qualifier"] == "live"


def test_only_this_accounts_alarms_publish_to_the_topic(run: Run) -> None:
    """Whatever reaches the topic becomes an alert."""
    for region, prefix in (("us-east-1", ""), ("us-west-2", "Failover")):
        topic = run.outputs[f"{prefix}AlarmTopicArn"]
        policy = json.loads(run.one("sns/topicPolicy:TopicPolicy", f"{region}-alarms").inputs["policy"])
        assert policy["Statement"] == [
            {
                "Effect": "Allow",
                "Sid": "AlarmsPublish",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": topic,
                "Condition": _only_our_alarms(region),
            }
        ]


def test_the_topics_key_serves_alarms_and_is_administered_by_iam(run: Run) -> None:
    """`*` in a key's own policy means that key; without the account's statement nobody could manage it."""
    for region in REGIONS:
        key = run.one("kms/key:Key", f"{region}-alarms")
        assert key.inputs["enableKeyRotation"] is True
        assert json.loads(key.inputs["policy"])["Statement"] == [
            {
                "Effect": "Allow",
                "Sid": "AccountAdministersByIam",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "kms:*",
                "Resource": "*",
            },
            {
                "Effect": "Allow",
                "Sid": "AlarmsEncrypt",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
                "Resource": "*",
                "Condition": _only_our_alarms(region),
            },
        ]
        topic = run.one("sns/topic:Topic", f"{region}-alarms").inputs
        assert topic["kmsMasterKeyId"] == f"arn:aws:kms:{region}:{ACCOUNT}:key/0f0f"


def _only_our_alarms(region: str) -> dict[str, dict[str, str]]:
    return {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:*"},
    }
