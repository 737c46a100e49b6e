"""One Lambda function: its log group, its role, its code and the alias that every trigger invokes."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components.policies import Grant, identity_policy, log_grant, trust_policy
from components.region_context import RegionContext, kept
from topology.functions import LAMBDA_ARCHITECTURE, LAMBDA_RUNTIME, FunctionSpec
from topology.names import LIVE_ALIAS


class Function(pulumi.ComponentResource):
    """A function with a role of its own that may do `grants`, write its own log, and nothing else.

    Logs stay in Lambda's text format: the runbook's queries read `@duration` from its REPORT lines.
    """

    def __init__(
        self,
        context: RegionContext,
        spec: FunctionSpec,
        *,
        package: Path,
        environment: Mapping[str, pulumi.Input[str]],
        grants: Iterable[Grant],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register the function. `package` is a zip whose bytes change only when its contents do."""
        super().__init__("incident:region:Function", context.logical(spec.key), None, opts)
        logical, child = context.logical(spec.key), pulumi.ResourceOptions(parent=self)
        log_group = aws.cloudwatch.LogGroup(
            logical,
            region=context.region,
            name=context.names.log_group(spec),
            retention_in_days=context.config.log_retention_days,
            tags=context.tags,
            opts=kept(self, context.config),
        )
        role = aws.iam.Role(
            logical,
            name=context.names.role(spec, context.region),
            assume_role_policy=trust_policy("lambda.amazonaws.com"),
            tags=context.tags,
            opts=child,
        )
        policy = aws.iam.RolePolicy(
            logical,
            name="work",
            role=role.name,
            policy=identity_policy([*grants, log_grant(log_group.arn)]),
            opts=child,
        )
        # 0 in the configuration reserves nothing; 0 in Lambda would stop the function.
        reserved = context.config.reserved_concurrency or None
        function = aws.lambda_.Function(
            logical,
            region=context.region,
            name=context.names.function(spec),
            description=spec.description,
            runtime=LAMBDA_RUNTIME,
            architectures=[LAMBDA_ARCHITECTURE],
            handler=spec.handler,
            code=pulumi.FileArchive(str(package)),
            role=role.arn,
            memory_size=context.config.memory_mb[spec],
            timeout=context.config.timeout_s[spec],
            reserved_concurrent_executions=reserved,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=dict(environment)),
            publish=True,
            tags=context.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[log_group, policy]),
        )
        self.name = function.name
        self.alias = aws.lambda_.Alias(
            logical,
            region=context.region,
            name=LIVE_ALIAS,
            function_name=function.name,
            function_version=function.version,
            opts=child,
        )
        self.register_outputs({})
