"""IAM roles and their inline policies. IAM has no region."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    removed_tags,
    tag_list,
)


class Role(ResourceType):
    """A role; its id is its name."""

    type = "aws:iam/role:Role"
    identity = frozenset({"name"})
    updates = frozenset({"assumeRolePolicy", "tags"})
    replaces = frozenset({"name"})
    regional = False

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the role."""
        role = context.client("iam").create_role(
            RoleName=inputs["name"],
            AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
            Tags=tag_list(inputs),
        )["Role"]
        return Created(role["RoleName"], {"arn": role["Arn"], "uniqueId": role["RoleId"]})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the trust policy or the tags."""
        iam = context.client("iam")
        if "assumeRolePolicy" in changed:
            iam.update_assume_role_policy(RoleName=existing.id, PolicyDocument=inputs["assumeRolePolicy"])
        if "tags" in changed:
            iam.untag_role(RoleName=existing.id, TagKeys=removed_tags(existing, inputs))
            iam.tag_role(RoleName=existing.id, Tags=tag_list(inputs))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the role; its inline policies have been deleted before it."""
        context.client("iam").delete_role(RoleName=existing.id)


class RolePolicy(ResourceType):
    """An inline policy; its id is `<role>:<policy>`, as in the real provider."""

    type = "aws:iam/rolePolicy:RolePolicy"
    identity = frozenset({"name", "role"})
    updates = frozenset({"policy"})
    replaces = frozenset({"name", "role"})
    regional = False

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Put the policy into its role."""
        _put_policy(context, inputs)
        return Created(f"{inputs['role']}:{inputs['name']}", {})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put the policy again."""
        del existing, changed
        _put_policy(context, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Take the policy out of its role."""
        role, _, name = existing.id.partition(":")
        context.client("iam").delete_role_policy(RoleName=role, PolicyName=name)


RESOURCES: Final = (Role(), RolePolicy())


def _put_policy(context: ResourceContext, inputs: Inputs) -> None:
    context.client("iam").put_role_policy(
        RoleName=inputs["role"],
        PolicyName=inputs["name"],
        PolicyDocument=_with_batch_sends(inputs["policy"]),
    )


def _with_batch_sends(policy: str) -> str:
    """Allow `sqs:SendMessageBatch` where a policy allows `sqs:SendMessage`.

    AWS has no such action: there the permission for one message covers a batch. ministack asks for it.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    """
    document = json.loads(policy)
    for statement in document["Statement"]:
        actions = statement["Action"]
        if isinstance(actions, list) and "sqs:SendMessage" in actions:
            actions.append("sqs:SendMessageBatch")
    return json.dumps(document)
