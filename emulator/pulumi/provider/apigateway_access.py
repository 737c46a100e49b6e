"""API Gateway stages, and who may call them: API keys and usage plans."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from emulator.pulumi.provider.apigateway import patches, set_tags
from emulator.pulumi.provider.errors import MissingArgumentError
from emulator.pulumi.provider.resource import Created, Existing, Inputs, ResourceContext, ResourceType, pick


class Stage(ResourceType):
    """A deployment under a name and a URL; the URL is that of the region's webhook gate."""

    type = "aws:apigateway/stage:Stage"
    identity = frozenset({"restApi", "stageName"})
    updates = frozenset(
        {"accessLogSettings.destinationArn", "accessLogSettings.format", "deployment", "tags"}
    )
    replaces = frozenset({"restApi", "stageName"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the stage.

        Raises:
            MissingArgumentError: the caller of the deployment gave no address for this region.
        """
        base_url = context.webhook_base_urls.get(context.region)
        if base_url is None:
            raise MissingArgumentError(
                f"region {context.region} has no webhook address; start the emulator with this region, and "
                "pass its address in webhook_base_urls"
            )
        api, stage = inputs["restApi"], inputs["stageName"]
        context.client("apigateway").create_stage(
            restApiId=api, stageName=stage, deploymentId=inputs["deployment"], tags=inputs.get("tags", {})
        )
        return Created(
            f"ags-{api}-{stage}",
            {
                "arn": f"arn:aws:apigateway:{context.region}::/restapis/{api}/stages/{stage}",
                "invokeUrl": f"{base_url}/restapis/{api}/{stage}/_user_request_",
            },
        )

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Turn the access log on."""
        del created
        if "accessLogSettings" in inputs:
            _set_access_log(context, inputs)
        return {}

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Serve another deployment, set the tags, or turn the access log on or off."""
        if "accessLogSettings" in changed:
            _set_access_log(context, inputs)
        if "deployment" in changed:
            patch = {"op": "replace", "path": "/deploymentId", "value": inputs["deployment"]}
            _patch_stage(context, inputs, [patch])
        if "tags" in changed:
            set_tags(context, existing.outputs["arn"], existing, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the stage."""
        context.client("apigateway").delete_stage(
            restApiId=existing.inputs["restApi"], stageName=existing.inputs["stageName"]
        )


class MethodSettings(ResourceType):
    """Throttling of one method of a stage, whoever calls it."""

    type = "aws:apigateway/methodSettings:MethodSettings"
    identity = frozenset({"methodPath", "restApi", "stageName"})
    updates = frozenset({"settings.throttlingBurstLimit", "settings.throttlingRateLimit"})
    replaces = frozenset({"methodPath", "restApi", "stageName"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Set the limits."""
        _set_method_limits(context, inputs)
        return Created(f"{inputs['restApi']}-{inputs['stageName']}-{inputs['methodPath']}", {})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the limits again."""
        del existing, changed
        _set_method_limits(context, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Lift the limits."""
        path = _settings_path(existing.inputs)
        _patch_stage(context, existing.inputs, [{"op": "remove", "path": path}])


class ApiKey(ResourceType):
    """An API key with a value that is given or AWS makes; a secret output, read again at every run."""

    type = "aws:apigateway/apiKey:ApiKey"
    identity = frozenset()
    updates = frozenset({"description", "tags"})
    replaces = frozenset({"name", "value"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the key, enabled."""
        key = context.client("apigateway").create_api_key(
            name=inputs["name"],
            description=inputs.get("description", ""),
            enabled=True,
            tags=inputs.get("tags", {}),
            **pick(inputs, {"value": "value"}),
        )
        arn = f"arn:aws:apigateway:{context.region}::/apikeys/{key['id']}"
        return Created(key["id"], {"arn": arn, "value": key["value"]})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the description or the tags."""
        if "description" in changed:
            context.client("apigateway").update_api_key(
                apiKey=existing.id,
                patchOperations=patches({"description": "", **inputs}, {"description": "/description"}),
            )
        if "tags" in changed:
            set_tags(context, existing.outputs["arn"], existing, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the key; its sources are refused from then on."""
        context.client("apigateway").delete_api_key(apiKey=existing.id)

    def read_secrets(self, context: ResourceContext, existing: Existing) -> Mapping[str, Any]:
        """Ask for the value."""
        return _key_value(context, existing.id)


class UsagePlan(ResourceType):
    """The limits of the keys that are in the plan."""

    type = "aws:apigateway/usagePlan:UsagePlan"
    identity = frozenset()
    updates = frozenset(
        {
            "apiStages.apiId",
            "apiStages.stage",
            "name",
            "tags",
            "throttleSettings.burstLimit",
            "throttleSettings.rateLimit",
        }
    )

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the plan for its stages."""
        plan = context.client("apigateway").create_usage_plan(
            name=inputs["name"],
            apiStages=[{"apiId": s["apiId"], "stage": s["stage"]} for s in inputs["apiStages"]],
            throttle=inputs["throttleSettings"],
            tags=inputs.get("tags", {}),
        )
        return Created(plan["id"], {"arn": f"arn:aws:apigateway:{context.region}::/usageplans/{plan['id']}"})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set what changed."""
        operations = patches(inputs, {"name": "/name"}) if "name" in changed else []
        if "throttleSettings" in changed:
            limits = inputs["throttleSettings"]
            operations += patches(limits, {name: f"/throttle/{name}" for name in limits})
        if "apiStages" in changed:
            stages = {"remove": existing.inputs["apiStages"], "add": inputs["apiStages"]}
            operations += [
                {"op": op, "path": "/apiStages", "value": f"{stage['apiId']}:{stage['stage']}"}
                for op, named in stages.items()
                for stage in named
            ]
        if operations:
            context.client("apigateway").update_usage_plan(
                usagePlanId=existing.id, patchOperations=operations
            )
        if "tags" in changed:
            set_tags(context, existing.outputs["arn"], existing, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the plan."""
        context.client("apigateway").delete_usage_plan(usagePlanId=existing.id)


class UsagePlanKey(ResourceType):
    """A key's membership in a plan; its id is the key's, and the key's value is an output of it too."""

    type = "aws:apigateway/usagePlanKey:UsagePlanKey"
    identity = frozenset({"keyId", "keyType", "usagePlanId"})
    replaces = frozenset({"keyId", "keyType", "usagePlanId"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Put the key into the plan."""
        member = context.client("apigateway").create_usage_plan_key(
            usagePlanId=inputs["usagePlanId"], keyId=inputs["keyId"], keyType=inputs["keyType"]
        )
        return Created(member["id"], {"name": member["name"]})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Ask for the key's value, which the embedded AWS leaves out of the plan's answer."""
        del inputs
        return _key_value(context, created.id)

    def read_secrets(self, context: ResourceContext, existing: Existing) -> Mapping[str, Any]:
        """Ask for it again."""
        return _key_value(context, existing.id)

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Take the key out of the plan."""
        context.client("apigateway").delete_usage_plan_key(
            usagePlanId=existing.inputs["usagePlanId"], keyId=existing.id
        )


RESOURCES: Final = (Stage(), MethodSettings(), ApiKey(), UsagePlan(), UsagePlanKey())

_LIMITS: Final = {
    "throttlingBurstLimit": "throttling/burstLimit",
    "throttlingRateLimit": "throttling/rateLimit",
}
"""Settings and their paths in a patch of a stage.
https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateStage.html"""


def _key_value(context: ResourceContext, key_id: str) -> Mapping[str, Any]:
    key = context.client("apigateway").get_api_key(apiKey=key_id, includeValue=True)
    return {"value": key["value"]}


def _patch_stage(
    context: ResourceContext, inputs: Mapping[str, Any], operations: list[dict[str, str]]
) -> None:
    context.client("apigateway").update_stage(
        restApiId=inputs["restApi"], stageName=inputs["stageName"], patchOperations=operations
    )


def _set_access_log(context: ResourceContext, inputs: Inputs) -> None:
    settings = inputs.get("accessLogSettings")
    if settings is None:
        _patch_stage(context, inputs, [{"op": "remove", "path": "/accessLogSettings"}])
        return
    values = {"destinationArn": settings["destinationArn"], "format": settings["format"]}
    _patch_stage(
        context,
        inputs,
        [
            {"op": "replace", "path": f"/accessLogSettings/{name}", "value": value}
            for name, value in values.items()
        ],
    )


def _settings_path(inputs: Mapping[str, Any]) -> str:
    """Where a patch finds a method's settings; the slashes within the resource's path are escaped."""
    path, _, http_method = inputs["methodPath"].rpartition("/")
    return f"/{path.replace('/', '~1')}/{http_method}"


def _set_method_limits(context: ResourceContext, inputs: Inputs) -> None:
    settings, path = inputs["settings"], _settings_path(inputs)
    operations = [
        {"op": "replace", "path": f"{path}/{patch}", "value": str(settings[name])}
        for name, patch in _LIMITS.items()
        if name in settings
    ]
    _patch_stage(context, inputs, operations)
