"""The rules as a policy pack of Pulumi, which its engine asks about each resource before AWS hears of it.

`pulumi preview`, `up` and `policy analyze` take it by `--policy-pack policy`.
https://www.pulumi.com/docs/insights/policy/policy-packs/authoring/
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pulumi.runtime import get_config_env
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from policy.catalogue import RULES, violations
from policy.rule import Resource, Rule, Stack
from topology.config import StackConfig
from topology.names import PROJECT

UNKNOWN = "what it looks at is known only while the stack is updated"
_ROOT = Path(__file__).resolve().parents[1]


def serve() -> None:
    """Serve the pack over gRPC; ends with the process."""
    PolicyPack(PROJECT, [_policy(rule) for rule in RULES])


@cache
def config_of(stack: str) -> StackConfig:
    """The configuration of a stack, as the engine has it in the environment of an update.

    `pulumi policy analyze` hands over none: then it is what `Pulumi.<stack>.yaml` says.

    Raises:
        ConfigError: it is not valid.
    """
    given: Mapping[str, object] = get_config_env()
    if not given:
        given = yaml.safe_load((_ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    namespace = f"{PROJECT}:"
    return StackConfig.parse(
        stack=stack,
        raw={key.removeprefix(namespace): value for key, value in given.items() if key.startswith(namespace)},
    )


def _policy(rule: Rule) -> Policy:
    """A rule as Pulumi has them."""
    about: dict[str, Any] = {
        "name": rule.name,
        "description": f"{rule.promise} [{', '.join(rule.controls)}]" if rule.controls else rule.promise,
        "enforcement_level": EnforcementLevel(rule.level),
        "url": rule.url or None,
    }
    if rule.whole_stack:
        return StackValidationPolicy(validate=_of_stack(rule), **about)
    return ResourceValidationPolicy(validate=_of_resource(rule), **about)


def _of_resource(rule: Rule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        try:
            for violation in violations(rule, _resource(args), Stack(config_of(_stack_name(args.urn)))):
                report(violation, None)
        except UnknownValueError:
            args.not_applicable(UNKNOWN)

    return validate


def _of_stack(rule: Rule) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        ours = [found for found in args.resources if found.resource_type.startswith("aws:")]
        if not ours:
            return
        stack = Stack(config_of(_stack_name(ours[0].urn)), [_resource(found) for found in ours])
        try:
            for found, resource in zip(ours, stack.resources, strict=True):
                for violation in violations(rule, resource, stack):
                    report(violation, found.urn)
        except UnknownValueError:
            args.not_applicable(UNKNOWN)

    return validate


def _resource(given: ResourceValidationArgs | PolicyResource) -> Resource:
    return Resource(
        given.resource_type,
        given.name,
        given.props,
        protect=given.opts.protect,
        secret_outputs=given.opts.additional_secret_outputs,
    )


def _stack_name(urn: str) -> str:
    """The stack of `urn:pulumi:<stack>::<project>::<type>::<name>`."""
    return urn.split("::", maxsplit=1)[0].rsplit(":", 1)[1]
