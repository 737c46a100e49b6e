"""Every IAM document of the program, read by tools that others wrote and that know AWS's actions.

`iam-policy-validator` checks documents by AWS's Service Reference, which it would fetch; here it reads what
policy-sentry carries of the same, so that nothing leaves the machine.
https://docs.aws.amazon.com/service-authorization/latest/reference/service-reference.html
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from iam_validator.core.aws_service.fetcher import AWSServiceFetcher
from iam_validator.core.config.config_loader import ValidatorConfig
from iam_validator.sdk.context import ValidationContext
from policy_sentry.analysis.analyze import analyze_by_access_level
from policy_sentry.shared.iam_data import get_service_prefix_data

from policy.rule import statements
from tests.components.recorder import Run

HEADER = {"Version": "2012-10-17"}
IDENTITY, RESOURCE, TRUST = "IDENTITY_POLICY", "RESOURCE_POLICY", "TRUST_POLICY"
SERVICES = ("backup", "cloudwatch", "dynamodb", "kms", "lambda", "logs", "s3", "secretsmanager", "sns", "sqs")
SERVICES += ("states", "sts")
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"

_NAMED = "each ARN is named, account and region with it, which is narrower than a condition on the same"
_KEY_POLICY = "a key's own policy: `*` is this key, and the account must be able to administer it"
_NO_SOURCE = "AWS documents no source for it (see ServiceRole); only its own service may take the role on"
ACCEPTED: Mapping[tuple[str, str, str], str] = {
    ("action_condition_enforcement", IDENTITY, "s3:GetObject"): _NAMED,
    ("action_condition_enforcement", IDENTITY, "s3:PutObject"): _NAMED,
    ("sensitive_action", IDENTITY, "dynamodb:GetItem"): _NAMED,
    ("sensitive_action", IDENTITY, "dynamodb:Query"): _NAMED,
    ("sensitive_action", IDENTITY, "secretsmanager:GetSecretValue"): _NAMED,
    ("sensitive_action", IDENTITY, "sqs:ReceiveMessage"): _NAMED,
    ("sensitive_action", IDENTITY, "s3:PutObjectAcl"): "DynamoDB's export asks for it: "
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html",
    (
        "sensitive_action",
        TRUST,
        "sts:AssumeRole",
    ): "only a service may take it on, and it is what a role is for",
    ("sensitive_action", RESOURCE, "kms:PutKeyPolicy"): _KEY_POLICY,
    ("service_wildcard", RESOURCE, "kms:*"): _KEY_POLICY,
    ("wildcard_resource", RESOURCE, "kms:*"): _KEY_POLICY,
    ("wildcard_resource", RESOURCE, "kms:Decrypt"): _KEY_POLICY,
    ("wildcard_resource", IDENTITY, "backup:CopyFromBackupVault"): "as in AWS's own policy for AWS Backup",
    ("trust_policy_validation", TRUST, "backup.amazonaws.com"): _NO_SOURCE,
    ("trust_policy_validation", TRUST, "s3.amazonaws.com"): _NO_SOURCE,
    ("condition_type_mismatch", TRUST, "aws:SourceArn"): "the whole ARN is compared; no wildcard is meant",
}
"""What the validator says of the program, by check, kind of document and what its message names; and why it
stays so."""


@dataclass(frozen=True)
class Document:
    """A policy document of the program."""

    name: str
    kind: str
    content: Mapping[str, Any]


def documents(run: Run) -> list[Document]:
    """All of a run, roles' trust included."""
    kinds = {"aws:iam/role:Role": TRUST, "aws:iam/rolePolicy:RolePolicy": IDENTITY}
    return [
        Document(resource.name, kinds.get(resource.type, RESOURCE), {**HEADER, "Statement": found})
        for resource in run.resources
        if (found := statements(resource.inputs))
    ]


def _reference(service: str) -> dict[str, Any]:
    """What policy-sentry knows of a service, as AWS's Service Reference has it."""
    known = get_service_prefix_data(service)
    return {
        "Name": service,
        "Actions": [
            {
                "Name": name,
                "ActionConditionKeys": sorted(
                    {key for on in action["resource_types"].values() for key in on["condition_keys"]}
                ),
                "Resources": [{"Name": type_} for type_ in action["resource_types"] if type_],
            }
            for name, action in known["privileges"].items()
        ],
        "Resources": [
            {"Name": name, "ARNFormats": [type_["arn"]], "ConditionKeys": type_["condition_keys"]}
            for name, type_ in known["resources"].items()
        ],
        "ConditionKeys": [
            {"Name": name, "Types": [key["type"]]} for name, key in known["conditions"].items()
        ],
    }


Validate = Callable[[Sequence[Document]], list[tuple[Document, Any]]]


@pytest.fixture(scope="module")
def validate(tmp_path_factory: pytest.TempPathFactory) -> Validate:
    """Gives each document's issues, by the validator with all its checks as they come."""
    folder: Path = tmp_path_factory.mktemp("services")
    for service in SERVICES:
        (folder / f"{service}.json").write_text(json.dumps(_reference(service)))
    listed = [{"service": service, "url": f"file:///{service}.json"} for service in SERVICES]
    (folder / "_services.json").write_text(json.dumps(listed))

    async def issues(given: Sequence[Document]) -> list[tuple[Document, Any]]:
        offline = AWSServiceFetcher(
            prefetch_common=False, enable_cache=False, aws_services_dir=folder, retries=0
        )
        async with offline as fetcher:
            context = ValidationContext(fetcher, config=ValidatorConfig({}))
            results = [
                (document, await context.validate_json(dict(document.content), document.name, document.kind))
                for document in given
            ]
        return [(document, issue) for document, result in results for issue in result.issues]

    return lambda given: asyncio.run(issues(given))


def _accepted(document: Document, issue: Any) -> tuple[str, str, str] | None:
    return next(
        (key for key in ACCEPTED if key[:2] == (issue.check_id, document.kind) and key[2] in issue.message),
        None,
    )


def test_the_validator_finds_nothing_but_what_is_accepted_with_its_reason(
    optioned: Run, validate: Validate
) -> None:
    """Actions exist, go with their resources and conditions, and nothing is wider than it has to be."""
    found = validate(documents(optioned))
    assert [
        f"{document.kind} {document.name}: {issue.check_id}: {issue.message}"
        for document, issue in found
        if _accepted(document, issue) is None
    ] == []
    assert {_accepted(document, issue) for document, issue in found} == ACCEPTED.keys()


@pytest.mark.parametrize(
    ("check", "statement"),
    [
        ("action_validation", {"Action": "sqs:SendMessages", "Resource": QUEUE}),
        ("action_resource_matching", {"Action": "dynamodb:GetItem", "Resource": QUEUE}),
        ("resource_validation", {"Action": "sqs:SendMessage", "Resource": "sqs:us-east-1:q"}),
        ("condition_key_validation", {"Condition": {"Bool": {"sqs:Nothing": "true"}}, "Resource": QUEUE}),
        ("full_wildcard", {"Action": "*", "Resource": "*"}),
        ("service_wildcard", {"Action": "sqs:*", "Resource": QUEUE}),
        ("policy_structure", {"Effect": "Alow", "Resource": QUEUE}),
    ],
)
def test_the_validator_catches_what_is_planted(
    check: str, statement: Mapping[str, Any], validate: Validate
) -> None:
    """The offline reference is enough for its checks to see a wrong action, resource or condition."""
    whole = {"Effect": "Allow", "Action": "sqs:SendMessage", **statement}
    planted = Document("planted", IDENTITY, {**HEADER, "Statement": [whole]})
    found = validate([planted])
    assert check in {issue.check_id for _, issue in found}, [issue.check_id for _, issue in found]


RISKY: Mapping[str, Mapping[str, str]] = {
    "privilege-escalation": {
        "lambda:InvokeFunction": "Recovery's schedule; no role may change a function or pass it a role"
    },
    "credentials-exposure": {},
    "resource-exposure": {"s3:PutObjectAcl": "an export asks for it, and the bucket ignores ACLs"},
}
"""policy-sentry's lists of actions to be wary of, and what roles may do of each for what reason."""


@pytest.mark.parametrize("risk", RISKY)
def test_no_role_may_do_what_policy_sentry_warns_of(risk: str, optioned: Run) -> None:
    """No role can make itself stronger, hand out credentials or open a resource to others."""
    listed = files("policy_sentry").joinpath("shared", "data", "audit", f"{risk}.txt").read_text()
    risky = {action.lower() for action in listed.split()}
    assert len(risky) > 10
    assert {action for action in _granted(optioned) if action.lower() in risky} == RISKY[risk].keys()


def test_no_role_manages_permissions(optioned: Run) -> None:
    """By AWS's own access levels no role has permissions management, but for an export's ACL."""
    managing = {"Statement": [{"Effect": "Allow", "Action": sorted(_granted(optioned)), "Resource": "*"}]}
    assert analyze_by_access_level(managing, "Permissions management") == ["s3:PutObjectAcl"]


def _granted(run: Run) -> set[str]:
    """Every action that any role has."""
    return {
        action
        for document in documents(run)
        if document.kind == IDENTITY
        for statement in document.content["Statement"]
        for action in statement["Action"]
    }
