"""API Gateway REST APIs: the API itself, its resources, methods, integrations and error responses."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

from emulator.pulumi.provider.resource import Created, Existing, Inputs, ResourceContext, ResourceType, pick


class RestApi(ResourceType):
    """A REST API; its id is what AWS gives it."""

    type = "aws:apigateway/restApi:RestApi"
    identity = frozenset()
    updates = frozenset({"name", "tags"})
    ignored: ClassVar[Mapping[str, str]] = {
        "endpointConfiguration.types": "recorded; an API has one address, that of its region"
    }

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the API."""
        types = inputs["endpointConfiguration"]["types"]
        api = context.client("apigateway").create_rest_api(
            name=inputs["name"],
            endpointConfiguration={"types": [types] if isinstance(types, str) else types},
            tags=inputs.get("tags", {}),
        )
        return Created(api["id"], {"arn": f"arn:aws:apigateway:{context.region}::/restapis/{api['id']}"})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Ask for the root resource and the account, of which the execution ARN is made."""
        del inputs
        resources = context.client("apigateway").get_resources(restApiId=created.id)["items"]
        root = next(resource["id"] for resource in resources if resource["path"] == "/")
        account = context.client("sts").get_caller_identity()["Account"]
        return {
            "rootResourceId": root,
            "executionArn": f"arn:aws:execute-api:{context.region}:{account}:{created.id}",
        }

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the name or the tags."""
        if "name" in changed:
            context.client("apigateway").update_rest_api(
                restApiId=existing.id, patchOperations=patches(inputs, {"name": "/name"})
            )
        if "tags" in changed:
            set_tags(context, existing.outputs["arn"], existing, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the API with everything in it."""
        context.client("apigateway").delete_rest_api(restApiId=existing.id)


class ApiResource(ResourceType):
    """One segment of a path; its id is what AWS gives it."""

    type = "aws:apigateway/resource:Resource"
    identity = frozenset()
    updates = frozenset({"parentId", "pathPart"})
    replaces = frozenset({"restApi"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the segment."""
        resource = context.client("apigateway").create_resource(
            restApiId=inputs["restApi"], parentId=inputs["parentId"], pathPart=inputs["pathPart"]
        )
        return Created(resource["id"], {"path": resource["path"]})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Move the segment, or call it something else."""
        paths = {"parentId": "/parentId", "pathPart": "/pathPart"}
        resource = context.client("apigateway").update_resource(
            restApiId=inputs["restApi"],
            resourceId=existing.id,
            patchOperations=patches(inputs, {name: paths[name] for name in sorted(changed)}),
        )
        return {"path": resource["path"]}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the segment."""
        context.client("apigateway").delete_resource(
            restApiId=existing.inputs["restApi"], resourceId=existing.id
        )


class Method(ResourceType):
    """A method of a path."""

    type = "aws:apigateway/method:Method"
    identity = frozenset({"httpMethod", "resourceId", "restApi"})
    updates = frozenset({"apiKeyRequired", "authorization"})
    replaces = frozenset({"httpMethod", "resourceId", "restApi"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Put the method."""
        _put_method(context, inputs)
        return Created(_method_id("agm", inputs), {})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put the method again, and its integration, which the embedded API Gateway drops with it."""
        del existing, changed
        client, key = context.client("apigateway"), _method(inputs)
        integration = client.get_method(**key).get("methodIntegration")
        _put_method(context, inputs)
        if integration:
            names = {"httpMethod": "integrationHttpMethod", "type": "type", "uri": "uri"}
            client.put_integration(**key, **pick(integration, names))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the method with its integration."""
        context.client("apigateway").delete_method(**_method(existing.inputs))


class Integration(ResourceType):
    """The target of a method's requests. It is put whole, as a method is; another put replaces it."""

    type = "aws:apigateway/integration:Integration"
    identity = frozenset({"httpMethod", "resourceId", "restApi"})
    delete_before_replace = True
    updates = frozenset({"uri"})
    replaces = frozenset({"httpMethod", "integrationHttpMethod", "resourceId", "restApi", "type"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Put the integration."""
        _put_integration(context, inputs)
        return Created(_method_id("agi", inputs), {})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put the integration again."""
        del existing, changed
        _put_integration(context, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the integration."""
        context.client("apigateway").delete_integration(**_method(existing.inputs))


class Response(ResourceType):
    """The gateway's own answer for one type of error."""

    type = "aws:apigateway/response:Response"
    identity = frozenset({"responseType", "restApiId"})
    updates = frozenset({"responseParameters", "responseTemplates", "statusCode"})
    replaces = frozenset({"responseType", "restApiId"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Put the response."""
        _put_response(context, inputs)
        return Created(f"aggr-{inputs['restApiId']}-{inputs['responseType']}", {})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put the response again."""
        del existing, changed
        _put_response(context, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Go back to AWS's own answer."""
        context.client("apigateway").delete_gateway_response(
            restApiId=existing.inputs["restApiId"], responseType=existing.inputs["responseType"]
        )


class Deployment(ResourceType):
    """A snapshot of the API that a stage serves; any change of `triggers` takes a new one."""

    type = "aws:apigateway/deployment:Deployment"
    identity = frozenset()
    replaces = frozenset({"restApi", "triggers"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Take the snapshot."""
        deployment = context.client("apigateway").create_deployment(restApiId=inputs["restApi"])
        return Created(deployment["id"], {})

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the snapshot, which no stage serves any more."""
        context.client("apigateway").delete_deployment(
            restApiId=existing.inputs["restApi"], deploymentId=existing.id
        )


RESOURCES: Final = (
    RestApi(),
    ApiResource(),
    Method(),
    Integration(),
    Response(),
    Deployment(),
)


def patches(inputs: Mapping[str, Any], paths: Mapping[str, str]) -> list[dict[str, str]]:
    """Operations that set each argument at its path; the API takes texts only."""
    return [{"op": "replace", "path": path, "value": str(inputs[name])} for name, path in paths.items()]


def set_tags(context: ResourceContext, arn: str, existing: Existing, inputs: Inputs) -> None:
    """Make the tags of something of API Gateway be those of the arguments."""
    client = context.client("apigateway")
    tags = inputs.get("tags", {})
    removed = sorted(existing.inputs.get("tags", {}).keys() - tags.keys())
    if removed:
        client.untag_resource(resourceArn=arn, tagKeys=removed)
    if tags:
        client.tag_resource(resourceArn=arn, tags=tags)


def _method(inputs: Mapping[str, Any]) -> dict[str, str]:
    return {
        "restApiId": inputs["restApi"],
        "resourceId": inputs["resourceId"],
        "httpMethod": inputs["httpMethod"],
    }


def _method_id(prefix: str, inputs: Inputs) -> str:
    """The real provider's form of the ids of methods and integrations."""
    return f"{prefix}-{inputs['restApi']}-{inputs['resourceId']}-{inputs['httpMethod']}"


def _put_method(context: ResourceContext, inputs: Inputs) -> None:
    context.client("apigateway").put_method(
        **_method(inputs),
        authorizationType=inputs["authorization"],
        **pick(inputs, {"apiKeyRequired": "apiKeyRequired"}),
    )


def _put_integration(context: ResourceContext, inputs: Inputs) -> None:
    names = ("integrationHttpMethod", "type", "uri")
    context.client("apigateway").put_integration(
        **_method(inputs), **pick(inputs, {name: name for name in names})
    )


def _put_response(context: ResourceContext, inputs: Inputs) -> None:
    names = ("responseParameters", "responseTemplates", "statusCode")
    context.client("apigateway").put_gateway_response(
        restApiId=inputs["restApiId"],
        responseType=inputs["responseType"],
        **pick(inputs, {name: name for name in names}),
    )
