"""A role by which an AWS service acts for one purpose of a stack: schedules, exports, copies, backups."""

from collections.abc import Iterable, Mapping

import pulumi
import pulumi_aws as aws

from components.policies import Grant, identity_policy, trust_policy
from components.region_context import RegionContext


class ServiceRole(pulumi.ComponentResource):
    """A role that `service` takes on; where it says for whom, for `source` in this account only.

    S3's replication and AWS Backup say it nowhere in their documentation: theirs is None. `arn` has no value
    before the role may do its work, so that nobody starts with half of it.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """

    def __init__(
        self,
        context: RegionContext,
        purpose: str,
        *,
        service: str,
        source: pulumi.Input[str] | None,
        grants: Iterable[Grant],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register the role and its one policy."""
        super().__init__("incident:region:ServiceRole", context.logical(purpose), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        only: Mapping[str, pulumi.Input[str]] = (
            {"aws:SourceAccount": context.account_id, "aws:SourceArn": source} if source else {}
        )
        role = aws.iam.Role(
            context.logical(purpose),
            name=context.names.service_role(purpose, context.region),
            assume_role_policy=trust_policy(service, {"StringEquals": only} if only else None),
            tags=context.tags,
            opts=child,
        )
        policy = aws.iam.RolePolicy(
            context.logical(purpose), name="work", role=role.name, policy=identity_policy(grants), opts=child
        )
        self.arn: pulumi.Output[str] = pulumi.Output.all(role.arn, policy.id).apply(lambda known: known[0])
        self.register_outputs({})
