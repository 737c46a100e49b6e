"""The policy pack's rules over the resources that the program registers, and each over one that breaks it."""

import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from policy.catalogue import EXEMPTIONS, NOT_MET, RULES, violations
from policy.rule import Resource, Rule, Stack
from policy.rules.costs import STANDING_COSTS
from policy.rules.inventory import GLOBAL, NAMED_BY, UNTAGGED
from tests.components.recorder import EVERY_OPTION, ROOT, Run, stack_file
from topology.config import StackConfig
from topology.names import PROJECT, STACKS

STRANGERS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "x:Y"}]}


def stack_of(run: Run, stack: str, options: Mapping[str, str] | None = None) -> Stack:
    """What the rules see of a run."""
    given = stack_file(stack) | (options or {})
    raw = {key.removeprefix(f"{PROJECT}:"): value for key, value in given.items() if key.startswith(PROJECT)}
    return Stack(
        StackConfig.parse(stack=stack, raw=raw),
        [
            Resource(r.type, r.name, r.inputs, protect=r.protect, secret_outputs=r.secret_outputs)
            for r in run.resources
            if r.custom
        ],
    )


@pytest.fixture
def everything(optioned: Run) -> Stack:
    """Prod with every option, whose program has every type of resource."""
    return stack_of(optioned, "prod", EVERY_OPTION)


def broken(stack: Stack) -> list[str]:
    """Every violation in a stack."""
    return [
        f"{rule.name}: {resource.type} {resource.name}: {violation}"
        for rule in RULES
        for resource in stack.resources
        for violation in violations(rule, resource, stack)
    ]


def test_the_program_of_every_stack_keeps_every_rule(run: Run) -> None:
    """A stack by its file can be deployed with the policy pack."""
    assert not broken(stack_of(run, run.outputs["Stack"]))


def test_the_program_with_every_option_keeps_every_rule(everything: Stack) -> None:
    """A domain, mail, a bot, an access log, a compliance lock and provisioned pollers break no rule."""
    assert not broken(everything)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_meets_a_resource(rule: Rule, everything: Stack) -> None:
    """A rule that looks at nothing could not fail."""
    assert any(rule.applies(resource) for resource in everything.resources)


def _change(type_: str, **inputs: object) -> Callable[[Stack], Stack]:
    """Plants other arguments into the first resource of a type."""

    def planted(stack: Stack) -> Stack:
        first = next(r for r in stack.resources if r.type == type_)
        changed = replace(first, inputs={**first.inputs, **inputs})
        return replace(stack, resources=[changed if r is first else r for r in stack.resources])

    return planted


def _drop(type_: str) -> Callable[[Stack], Stack]:
    """Plants the absence of a type."""
    return lambda stack: replace(stack, resources=[r for r in stack.resources if r.type != type_])


def _add(type_: str) -> Callable[[Stack], Stack]:
    """Plants a resource that nothing is wrong with but its type."""
    return lambda stack: replace(stack, resources=[*stack.resources, Resource(type_, "planted", {})])


def _option(type_: str, **options: Any) -> Callable[[Stack], Stack]:
    """Plants other options into the first resource of a type."""

    def planted(stack: Stack) -> Stack:
        first = next(r for r in stack.resources if r.type == type_)
        return replace(
            stack, resources=[replace(first, **options) if r is first else r for r in stack.resources]
        )

    return planted


def _allow(action: object, resource: object) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]})


_BUCKET_SETTING = "aws:s3/bucket{0}:Bucket{0}"
_REPLICA = {"regionName": "us-west-2", "pointInTimeRecovery": False, "deletionProtectionEnabled": False}
PLANTED: Mapping[str, Callable[[Stack], Stack]] = {
    "tables-encrypted-by-kms": _change("aws:dynamodb/table:Table", serverSideEncryption=None),
    "queues-encrypted": _change("aws:sqs/queue:Queue", sqsManagedSseEnabled=False),
    "topics-encrypted": _change("aws:sns/topic:Topic", kmsMasterKeyId=None),
    "keys-rotate": _change("aws:kms/key:Key", enableKeyRotation=False),
    "buckets-encrypted": _drop(_BUCKET_SETTING.format("ServerSideEncryptionConfiguration")),
    "buckets-take-tls-only": _change(_BUCKET_SETTING.format("Policy"), policy=_allow("s3:GetObject", "*")),
    "domains-want-tls-1-2": _change("aws:apigateway/domainName:DomainName", securityPolicy="TLS_1_0"),
    "alarms-not-sent-in-the-clear": _change("aws:sns/topicSubscription:TopicSubscription", protocol="http"),
    "secret-outputs-encrypted": _option("aws:apigateway/usagePlanKey:UsagePlanKey", secret_outputs=()),
    "secrets-put-by-people": _add("aws:secretsmanager/secretVersion:SecretVersion"),
    "buckets-block-public-access": _change(
        _BUCKET_SETTING.format("PublicAccessBlock"), blockPublicAcls=False
    ),
    "policies-name-principals": _change("aws:sns/topicPolicy:TopicPolicy", policy=json.dumps(STRANGERS)),
    "functions-invoked-by-named-sources": _change("aws:lambda/permission:Permission", sourceArn=None),
    "api-methods-want-a-key": _change("aws:apigateway/method:Method", apiKeyRequired=False),
    "api-keys-throttled": _change("aws:apigateway/usagePlan:UsagePlan", throttleSettings={"rateLimit": 1}),
    "policies-name-actions": _change(
        "aws:iam/rolePolicy:RolePolicy", policy=_allow("sqs:*", "arn:aws:sqs:a:1:q")
    ),
    "roles-name-resources": _change("aws:iam/rolePolicy:RolePolicy", policy=_allow(["sqs:SendMessage"], "*")),
    "roles-taken-on-by-services": _change("aws:iam/role:Role", assumeRolePolicy=json.dumps(STRANGERS)),
    "no-users": _add("aws:iam/accessKey:AccessKey"),
    "tables-recover-to-any-second": _change("aws:dynamodb/table:Table", replicas=[_REPLICA]),
    "tables-refuse-deletion": _change("aws:dynamodb/table:Table", replicas=[_REPLICA]),
    "irreplaceable-protected": _option("aws:secretsmanager/secret:Secret", protect=False),
    "nothing-destroyed-with-its-content": _change("aws:backup/vault:Vault", forceDestroy=True),
    "buckets-versioned": _change(
        _BUCKET_SETTING.format("Versioning"), versioningConfiguration={"status": "Suspended"}
    ),
    "buckets-locked": _drop(_BUCKET_SETTING.format("ObjectLockConfiguration")),
    "buckets-expire": _drop(_BUCKET_SETTING.format("LifecycleConfiguration")),
    "vaults-locked": _change("aws:backup/vaultLockConfiguration:VaultLockConfiguration", minRetentionDays=1),
    "logs-kept-as-configured": _change("aws:cloudwatch/logGroup:LogGroup", retentionInDays=0),
    "alarms-tell-somebody": _change("aws:cloudwatch/metricAlarm:MetricAlarm", alarmActions=[]),
    "functions-run-on-the-one-runtime": _change("aws:lambda/function:Function", runtime="python3.9"),
    "owner-tagged": _change("aws:sqs/queue:Queue", tags={"Project": PROJECT}),
    "region-named": _change("aws:sqs/queue:Queue", region=None),
    "region-expected": _change(
        "aws:dynamodb/table:Table", replicas=[{**_REPLICA, "regionName": "eu-west-1"}]
    ),
    "names-given": _change("aws:sqs/queue:Queue", name="us-east-1-processing-dlq-0a1b2c3"),
    "nothing-billed-by-the-hour": _add("aws:ec2/natGateway:NatGateway"),
    "pollers-provisioned-as-configured": _change(
        "aws:lambda/eventSourceMapping:EventSourceMapping", provisionedPollerConfig={"maximumPollers": 100}
    ),
    "tables-billed-by-use": _change("aws:dynamodb/table:Table", billingMode="PROVISIONED"),
}
"""For each rule what it must catch, planted into a stack that keeps it."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_catches_what_is_planted(rule: Rule, everything: Stack) -> None:
    """A violation is found by the rule that is about it, and says the next step."""
    planted = PLANTED[rule.name](everything)
    found = [said for resource in planted.resources for said in violations(rule, resource, planted)]
    assert found, f"{rule.name} does not see what was planted"
    assert all("; " in said or ": " in said for said in found)


def test_nothing_is_planted_for_a_rule_that_is_gone() -> None:
    """The planted violations are those of the rules that there are."""
    assert PLANTED.keys() == {rule.name for rule in RULES}


@pytest.mark.parametrize("stack", STACKS)
def test_protection_is_asked_for_where_it_is_configured(stack: str, run_of: Callable[[str], Run]) -> None:
    """Without `deletionProtection` a stack may be torn down; with it nothing may be without."""
    seen = stack_of(run_of(stack), stack)
    bare = replace(seen, resources=[replace(resource, protect=False) for resource in seen.resources])
    said = [violation for violation in broken(bare) if violation.startswith("irreplaceable-protected")]
    assert bool(said) is seen.config.deletion_protection


def test_every_exemption_is_needed(everything: Stack) -> None:
    """An exemption without which no rule is broken is gone, and each has its reason."""
    for exemption in EXEMPTIONS:
        rule = next(rule for rule in RULES if rule.name == exemption.rule)
        assert any(
            exemption.covers(rule, resource, said)
            for resource in everything.resources
            if rule.applies(resource)
            for said in rule.check(resource, everything)
        ), exemption
        assert exemption.reason


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ({"Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:us-east-1:1:q"}, []),
        ({"Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:us-east-1:1:*"}, ["roles-name-resources"]),
        ({"Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:*:1:q"}, ["roles-name-resources"]),
        (
            {"Action": "dynamodb:GetItem", "Resource": "arn:aws:dynamodb:r:1:table/*"},
            ["roles-name-resources"],
        ),
        ({"Action": "dynamodb:GetItem", "Resource": "arn:aws:dynamodb:r:1:table/a-*"}, []),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::backups/*"}, []),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::*"}, ["roles-name-resources"]),
        ({"Action": ["s3:Get*"], "Resource": ["arn:aws:s3:::b/*"]}, ["policies-name-actions"]),
        ({"Action": "*", "Resource": "*"}, ["policies-name-actions", "roles-name-resources"]),
        ({"NotAction": "iam:*", "Resource": "arn:aws:sqs:r:1:q"}, ["policies-name-actions"]),
        ({"Action": "cloudwatch:PutMetricData", "Resource": "*"}, []),
        ({"Effect": "Deny", "Action": "*", "Resource": "*"}, []),
    ],
)
def test_what_a_role_may_do_is_named(
    statement: dict[str, object], said: list[str], everything: Stack
) -> None:
    """Wildcards in actions, services, regions, accounts and whole types are found; a named prefix is none."""
    policy = json.dumps({"Statement": [{"Effect": "Allow", **statement}]})
    role = Resource("aws:iam/rolePolicy:RolePolicy", "r", {"policy": policy, "name": "work"})
    found = [rule.name for rule in RULES if any(violations(rule, role, everything))]
    assert sorted(found) == sorted(said)


def _arguments(type_: str) -> Iterator[str]:
    """The arguments that the AWS provider's SDK has for a type."""
    _, module, name = re.split(":", type_)
    package = module.split("/")[0]
    found = importlib.import_module(f"pulumi_aws.{ {'lambda': 'lambda_'}.get(package, package) }")
    yield from inspect.signature(getattr(found, name)._internal_init).parameters  # noqa: SLF001 - the typed one


@pytest.mark.filterwarnings("ignore:aws.ec2/encryptioncontrol:DeprecationWarning")
def test_the_lists_of_types_are_those_of_the_provider(everything: Stack) -> None:
    """Which types take tags, have no region and are named is as in the AWS provider's SDK."""
    types = {resource.type for resource in everything.resources if resource.type.startswith("aws:")}
    takes = {type_: set(_arguments(type_)) for type_ in types | STANDING_COSTS}
    assert {type_ for type_ in types if "tags" not in takes[type_]} == types & UNTAGGED
    assert {type_ for type_ in types if "region" not in takes[type_]} == {
        t for t in types if t.startswith(GLOBAL)
    }
    assert {type_ for type_ in types if "name" in takes[type_]} == NAMED_BY.keys() - {"aws:s3/bucket:Bucket"}


def test_a_rule_points_to_its_control() -> None:
    """The URL is the control's own place in AWS's guide."""
    rule = next(rule for rule in RULES if rule.name == "tables-recover-to-any-second")
    assert rule.url == (
        "https://docs.aws.amazon.com/securityhub/latest/userguide/dynamodb-controls.html#dynamodb-2"
    )


def test_the_document_has_every_rule() -> None:
    """docs/policy.md lists the rules, their controls and levels, the exemptions and what is not met."""
    text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    for rule in RULES:
        controls = ", ".join([f"[{c}]({rule.url})" if not i else c for i, c in enumerate(rule.controls)])
        cis = f"CIS {rule.cis}" if rule.cis else ""
        row = (
            f"| `{rule.name}` | {rule.promise} | {', '.join(filter(None, (controls, cis)))} | {rule.level} |"
        )
        assert row in text, row
    for exemption in EXEMPTIONS:
        assert exemption.reason in text
    for control, reason in NOT_MET.items():
        assert f"| {control} | {reason} |" in text, control
