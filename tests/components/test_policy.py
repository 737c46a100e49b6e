"""The policy pack's rules over the resources that the program registers, and each over one that breaks it."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import pulumi_aws
import pytest

from policy.catalogue import EXEMPTIONS, NOT_MET, RULES, violations
from policy.rule import Resource, Rule, Stack, arguments_of
from policy.rules.costs import STANDING_COSTS
from policy.rules.exposure import OTHER_WAYS
from policy.rules.inventory import NAMED_WITHIN
from tests.components.planted_violations import PLANTED, Plant
from tests.components.recorder import EVERY_OPTION, ROOT, Run, stack_file
from topology.config import StackConfig
from topology.names import PROJECT, STACKS
from topology.outputs import SECRET_OF_TYPE
from topology.protection import IRREPLACEABLE


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


NEXT_STEP = re.compile(
    r".{8,}; (add|do|enable|give|have|make|name|set|subscribe|turn|use)\b.{2,}|AWS bills .*; do without",
    re.DOTALL,
)
"""What is wrong, and then what to do."""


@pytest.mark.parametrize(("name", "plant"), PLANTED, ids=[name for name, _ in PLANTED])
def test_every_rule_catches_what_is_planted(name: str, plant: Plant, everything: Stack) -> None:
    """A violation is found by the rule that is about it, and says the next step."""
    (rule,) = (rule for rule in RULES if rule.name == name)
    planted = plant(everything)
    found = [said for resource in planted.resources for said in violations(rule, resource, planted)]
    assert found, f"{name} does not see what was planted"
    assert [said for said in found if not NEXT_STEP.fullmatch(said)] == []


def test_something_is_planted_for_every_rule() -> None:
    """The planted violations are those of the rules that there are."""
    assert {name for name, _ in PLANTED} == {rule.name for rule in RULES}


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


@pytest.mark.filterwarnings("ignore:aws.ec2/encryptioncontrol:DeprecationWarning")
def test_the_types_that_rules_name_are_those_of_the_provider() -> None:
    """A type that is written wrongly would never be met."""
    named = {*STANDING_COSTS, *NAMED_WITHIN, *IRREPLACEABLE, *SECRET_OF_TYPE}.union(
        *(rule.types for rule in RULES)
    )
    assert [type_ for type_ in named if type_.startswith("aws:") and arguments_of(type_) is None] == []
    packages = {begin.split(":")[1].partition("/")[0].replace("lambda", "lambda_") for begin in OTHER_WAYS}
    assert [package for package in packages if not hasattr(pulumi_aws, package)] == []
    assert arguments_of("aws:sqs/queues:Queues") is None


@pytest.mark.parametrize(
    ("type_", "takes"),
    [
        ("aws:iam/rolePolicy:RolePolicy", {"name"}),
        ("aws:iam/role:Role", {"name", "tags"}),
        ("aws:lambda/alias:Alias", {"name", "region"}),
        ("aws:s3/bucket:Bucket", {"bucket", "region", "tags"}),
        ("aws:sns/topicPolicy:TopicPolicy", {"region"}),
        ("aws:sqs/queue:Queue", {"name", "region", "tags"}),
    ],
)
def test_what_a_type_takes_is_as_in_the_sdk(type_: str, takes: set[str]) -> None:
    """The rules of tags, regions and names go by it."""
    arguments = ("bucket", "name", "region", "tags")
    assert {argument for argument in arguments if hasattr(arguments_of(type_), argument)} == takes


def test_a_rule_points_to_its_control() -> None:
    """The URL is the control's own place in AWS's guide."""
    rule = next(rule for rule in RULES if rule.name == "tables-recover-to-any-second")
    assert rule.url == (
        "https://docs.aws.amazon.com/securityhub/latest/userguide/dynamodb-controls.html#dynamodb-2"
    )


def test_the_document_has_the_rules_and_no_others() -> None:
    """The tables of docs/policy.md are the rules, the exemptions and what is not met, in that order."""
    text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows == [
        "| rule | promise | controls | level |",
        *map(_row, RULES),
        "| rule | what | why |",
        *(
            f"| `{e.rule}` | `{e.type.split(':')[-1]}` `*{e.name}`: {e.said} | {e.reason} |"
            for e in EXEMPTIONS
        ),
        "| control | why |",
        *(f"| {control} | {reason} |" for control, reason in NOT_MET.items()),
    ]


def _row(rule: Rule) -> str:
    controls = ", ".join([f"[{c}]({rule.url})" if not i else c for i, c in enumerate(rule.controls)])
    cis = f"CIS {rule.cis}" if rule.cis else ""
    return f"| `{rule.name}` | {rule.promise} | {', '.join(filter(None, (controls, cis)))} | {rule.level} |"
