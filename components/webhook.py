"""The webhook of a region: a REST API that hands `POST /alerts`, and what routing looks at, to reception."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pulumi
import pulumi_aws as aws

from components.functions import Function
from components.gateway_errors import GATEWAY_ERRORS, GatewayError
from components.region_context import RegionContext, kept
from topology.names import API_STAGE

ROUTES: Mapping[str, str] = {"alerts": "POST", "health": "GET", "switch": "GET"}
"""Path to its one method. Sources send a key with alerts; health checks cannot send one."""

ACCESS_LOG_FORMAT = {
    "request_id": "$context.requestId",
    "time_ms": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    "path": "$context.resourcePath",
    "status": "$context.status",
}
"""One JSON object a line; every value is text.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html"""

HEALTH_RATE_PER_S = 20
HEALTH_BURST = 40
"""Of `/health` and of `/switch`. Anyone may call them, and each call reads a table: a flood of them must not
take the functions from alerts. Enough for Route 53's health checkers, which send a few requests a second
together.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
"""


Part = TypeVar("Part", bound=pulumi.CustomResource)


def digest(arguments: str) -> str:
    """SHA-256 of the arguments of a part of the API, as JSON with sorted keys, in hex."""
    return hashlib.sha256(arguments.encode()).hexdigest()


class Webhook(pulumi.ComponentResource):
    """The API, its stage, and the usage plan with the region's API key."""

    def __init__(
        self,
        context: RegionContext,
        *,
        reception: Function,
        api_key: pulumi.Output[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register the API in front of `reception`; AWS makes up the key's value where `api_key` is None."""
        super().__init__("incident:region:Webhook", context.logical("webhook"), None, opts)
        self.context = context
        self._given_key = api_key
        self._definition: dict[str, pulumi.Output[str]] = {}
        self._child = pulumi.ResourceOptions(parent=self)
        self._reception = reception
        self._api = aws.apigateway.RestApi(
            context.logical("api"),
            region=context.region,
            name=context.names.api,
            endpoint_configuration=aws.apigateway.RestApiEndpointConfigurationArgs(types="REGIONAL"),
            tags=context.tags,
            opts=kept(self, context.config),
        )
        parts = [
            *self._route("alerts", key_required=True),
            *self._route("health", key_required=False),
            *self._route("switch", key_required=False),
            *map(self._gateway_error, GATEWAY_ERRORS),
        ]
        stage = self._stage(depends_on=parts)
        self.api_id = self._api.id
        self.stage_name = stage.stage_name
        self.alerts_url = pulumi.Output.concat(stage.invoke_url, "/alerts")
        self.health_url = pulumi.Output.concat(stage.invoke_url, "/health")
        self.switch_url = pulumi.Output.concat(stage.invoke_url, "/switch")
        self.api_key: pulumi.Output[str] = pulumi.Output.secret(self._key(stage).value)
        self.register_outputs({})

    def _route(self, path: str, *, key_required: bool) -> list[pulumi.Resource]:
        """The method and integration of a path, for the deployment to wait for.

        The gateway checks no body: reception takes what a model would refuse, as a group with a NaN in it.
        """
        context, logical, http_method = self.context, self.context.logical(path), ROUTES[path]
        resource = self._part(
            aws.apigateway.Resource,
            logical,
            rest_api=self._api.id,
            parent_id=self._api.root_resource_id,
            path_part=path,
        )
        method = self._part(
            aws.apigateway.Method,
            logical,
            rest_api=self._api.id,
            resource_id=resource.id,
            http_method=http_method,
            authorization="NONE",
            api_key_required=key_required,
        )
        integration = self._part(
            aws.apigateway.Integration,
            logical,
            rest_api=self._api.id,
            resource_id=resource.id,
            http_method=method.http_method,
            type="AWS_PROXY",
            integration_http_method="POST",
            uri=self._reception.alias.invoke_arn,
        )
        permission = aws.lambda_.Permission(
            logical,
            region=context.region,
            statement_id=f"webhook-{path}",
            action="lambda:InvokeFunction",
            function=self._reception.name,
            qualifier=self._reception.alias.name,
            principal="apigateway.amazonaws.com",
            source_arn=pulumi.Output.concat(self._api.execution_arn, f"/{API_STAGE}/{http_method}/{path}"),
            opts=self._child,
        )
        return [method, integration, permission]

    def _gateway_error(self, error: GatewayError) -> aws.apigateway.Response:
        return self._part(
            aws.apigateway.Response,
            self.context.logical(error.type.lower().replace("_", "-")),
            rest_api_id=self._api.id,
            response_type=error.type,
            status_code=error.status,
            response_templates={"application/json": error.template},
            response_parameters=error.headers or None,
        )

    def _part(self, type_: Callable[..., Part], logical: str, **arguments: Any) -> Part:
        """Register a part of what the stage serves; a change of any argument deploys the stage again.

        A part that is no longer registered is served until the deployment after: Pulumi deletes it at the end
        of the update, and its trigger has gone before. `pulumi up --replace` of the deployment ends that.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        part = type_(logical, region=self.context.region, opts=self._child, **arguments)
        definition = pulumi.Output.json_dumps(given, sort_keys=True)
        self._definition[f"{type(part).__name__} {logical}"] = definition.apply(digest)
        return part

    def _stage(self, *, depends_on: list[pulumi.Resource]) -> aws.apigateway.Stage:
        context = self.context
        deployment = aws.apigateway.Deployment(
            context.logical("deployment"),
            region=context.region,
            rest_api=self._api.id,
            triggers=self._definition,
            opts=pulumi.ResourceOptions(parent=self, depends_on=depends_on),
        )
        stage = aws.apigateway.Stage(
            context.logical("stage"),
            region=context.region,
            rest_api=self._api.id,
            deployment=deployment.id,
            stage_name=API_STAGE,
            access_log_settings=self._access_log() if context.config.api_access_log else None,
            tags=context.tags,
            opts=self._child,
        )
        for path in ("health", "switch"):
            aws.apigateway.MethodSettings(
                context.logical(path),
                region=context.region,
                rest_api=self._api.id,
                stage_name=stage.stage_name,
                method_path=f"{path}/GET",
                settings=aws.apigateway.MethodSettingsSettingsArgs(
                    throttling_rate_limit=HEALTH_RATE_PER_S, throttling_burst_limit=HEALTH_BURST
                ),
                opts=self._child,
            )
        return stage

    def _access_log(self) -> aws.apigateway.StageAccessLogSettingsArgs:
        """A log of what was answered, which `responder audit --access-log` takes for receipts.

        API Gateway writes it by a role that belongs to the account, not to a stack: two stacks that each set
        it would undo one another, so whoever runs the account sets it once.
        https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
        """
        context = self.context
        group = aws.cloudwatch.LogGroup(
            context.logical("api"),
            region=context.region,
            name=context.names.api_log_group,
            retention_in_days=context.config.log_retention_days,
            tags=context.tags,
            opts=kept(self, context.config),
        )
        return aws.apigateway.StageAccessLogSettingsArgs(
            destination_arn=group.arn, format=json.dumps(ACCESS_LOG_FORMAT)
        )

    def _key(self, stage: aws.apigateway.Stage) -> aws.apigateway.ApiKey:
        context = self.context
        plan = aws.apigateway.UsagePlan(
            context.logical("sources"),
            region=context.region,
            name=context.names.usage_plan,
            api_stages=[aws.apigateway.UsagePlanApiStageArgs(api_id=self._api.id, stage=stage.stage_name)],
            throttle_settings=aws.apigateway.UsagePlanThrottleSettingsArgs(
                rate_limit=context.config.api_rate_limit, burst_limit=context.config.api_burst_limit
            ),
            tags=context.tags,
            opts=self._child,
        )
        key = aws.apigateway.ApiKey(
            context.logical("sources"),
            region=context.region,
            name=context.names.api_key,
            value=self._given_key,
            tags=context.tags,
            opts=kept(self, context.config),
        )
        aws.apigateway.UsagePlanKey(
            context.logical("sources"),
            region=context.region,
            usage_plan_id=plan.id,
            key_id=key.id,
            key_type="API_KEY",
            # API Gateway answers with the key's value, which the SDK keeps secret of an ApiKey only.
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["value"]),
        )
        return key
