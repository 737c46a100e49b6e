"""Least privilege: actions and resources are named, and only services take on roles."""

import re
from collections.abc import Iterator, Mapping

from policy.rule import Resource, Stack, listed, rule, statements

ANY_RESOURCE: Mapping[str, str] = {
    "backup:CopyFromBackupVault": "AWS's own policy for AWS Backup has it for all resources: "
    "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForBackup.html",
    "cloudwatch:PutMetricData": "it takes no resource; a condition names our namespace: "
    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html",
}
"""Actions that a role may have on `*`, and why."""

_ONE_OR_SOME = re.compile(r"arn:aws:(s3:::(?!\*)|(?!s3)[a-z0-9-]+:[a-z0-9-]*:[0-9]*:(?![\w-]*[:/]?\*$)).+")
"""An ARN whose service, region and account have no wildcard, and that is not for all resources of a type."""


_ROLE, _ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"


@rule(controls=("IAM.21", "IAM.1"))
def policies_name_actions(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A policy allows actions by their full names, and nothing by exclusion."""
    for statement in statements(resource.inputs):
        if statement["Effect"] != "Allow":
            continue
        for action in listed(statement.get("Action", "NotAction*")):
            if "*" in action:
                yield f"allows {action}; name each action"
        if "NotResource" in statement or "NotPrincipal" in statement:
            yield "allows all but what it names; name what is meant"


@rule(_ROLE_POLICY, controls=("IAM.1", "KMS.2"))
def roles_name_resources(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A role's policy names the service, account and resource of each ARN; `*` has its reason in the rule."""
    for statement in statements(resource.inputs):
        if statement["Effect"] != "Allow" or {*listed(statement.get("Action"))} <= ANY_RESOURCE.keys():
            continue
        for arn in listed(statement.get("Resource")):
            if not _ONE_OR_SOME.fullmatch(arn):
                yield f"allows {', '.join(listed(statement.get('Action')))} on {arn}; name the resource"


@rule(_ROLE)
def roles_taken_on_by_services(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A role is taken on by AWS services only: by no account, no user and no identity provider."""
    for statement in statements(resource.inputs):
        principal = statement.get("Principal") or "*"
        if not isinstance(principal, Mapping) or [*principal] != ["Service"]:
            yield f"{principal} may take it on; name a service"


@rule()
def roles_only_with_policies_of_their_own(resource: Resource, _stack: Stack) -> Iterator[str]:
    """IAM has roles, each with policies of its own: nobody's credential lasts, nothing comes by a name."""
    if resource.type == _ROLE:
        for argument in ("managedPolicyArns", "inlinePolicies"):
            if resource.inputs.get(argument):
                yield f"{argument} is set, which no rule reads; use a RolePolicy"
    elif resource.type.startswith("aws:iam/") and resource.type != _ROLE_POLICY:
        yield "it is a user's, or a policy that is attached; use a role with a RolePolicy"
