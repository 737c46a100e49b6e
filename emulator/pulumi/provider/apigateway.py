"""API Gateway REST APIs: the API itself, its resources, methods, integrations and error responses."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from emulator.pulumi.provider.resource import Created, Existing, Inputs, Place, ResourceType, pick


class RestApi(ResourceType):
    """A REST API; its id is what AWS gives it."""

    type = "aws:apigateway/restApi:RestApi"
    updates = frozenset({"tags"})
    replaces = frozenset({"name", "endpointConfiguration.types"})

    def create(self, place: Place, inputs: Inputs) -> Created:
        """Create the API."""
        types = inputs["endpointConfiguration"]["types"]
        api = place.client("apigateway").create_rest_api(
            name=inputs["name"],
            endpointConfiguration={"types": [types] if isinstance(types, str) else types},
            tags=inputs.get("tags", {}),
        )
        return Created(api["id"], {"arn": f"arn:aws:apigateway:{place.region}::/restapis/{api['id']}"})

    def complete(self, place: Place, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Ask for the root resource and the account, of which the execution ARN is made."""
        del inputs
        found = place.client("apigateway").get_resources(restApiId=created.id)["items"]
        root = next(resource["id"] for resource in found if resource["path"] == "/")
        account = place.client("sts").get_caller_identity()["Account"]
        return {
            "rootResourceId": root,
            "executionArn": f"arn:aws:execute-api:{place.region}:{account}:{created.id}",
        }

    def update(
        self, place: Place, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the tags."""
        del changed
        set_tags(place, existing.outputs["arn"], existing, inputs)
        return {}

    def delete(self, place: Place, existing: Existing) -> None:
        """Delete the API with everything in it."""
        place.client("apigateway").delete_rest_api(restApiId=existing.id)


class ApiResource(ResourceType):
    """One segment of a path; its id is what AWS gives it."""

    type = "aws:apigateway/resource:Resource"
    replaces = frozenset({"restApi", "parentId", "pathPart"})

    def create(self, place: Place, inputs: Inputs) -> Created:
        """Create the segment."""
        resource = place.client("apigateway").create_resource(
            restApiId=inputs["restApi"], parentId=inputs["parentId"], pathPart=inputs["pathPart"]
        )
        return Created(resource["id"], {"path": resource["path"]})

    def delete(self, place: Place, existing: Existing) -> None:
        """Delete the segment."""
        place.client("apigateway").delete_resource(
            restApiId=existing.inputs["restApi"], resourceId=existing.id
        )


class Method(ResourceType):
    """A method of a path."""

    type = "aws:apigateway/method:Method"
    updates = frozenset({"apiKeyRequired", "authorization", "requestModels", "requestValidatorId"})
    replaces = frozenset({"httpMethod", "resourceId", "restApi"})

    def create(self, place: Place, inputs: Inputs) -> Created:
        """Put the method."""
        _put_method(place, inputs)
        return Created(_method_id("agm", inputs), {})

    def update(
        self, place: Place, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put it again, and its integration, which the embedded API Gateway drops with the old method."""
        del existing, changed
        client, key = place.client("apigateway"), _method(inputs)
        integration = client.get_method(**key).get("methodIntegration")
        _put_method(place, inputs)
        if integration:
            names = {"httpMethod": "integrationHttpMethod", "type": "type", "uri": "uri"}
            client.put_integration(**key, **pick(integration, names))
        return {}

    def delete(self, place: Place, existing: Existing) -> None:
        """Delete the method with its integration."""
        place.client("apigateway").delete_method(**_method(existing.inputs))


class Integration(ResourceType):
    """What a method hands its requests to. Put whole, as a method is; putting it again replaces it."""

    type = "aws:apigateway/integration:Integration"
    updates = frozenset({"integrationHttpMethod", "type", "uri"})
    replaces = frozenset({"httpMethod", "resourceId", "restApi"})

    def create(self, place: Place, inputs: Inputs) -> Created:
        """Put the integration."""
        _put_integration(place, inputs)
        return Created(_method_id("agi", inputs), {})

    def update(
        self, place: Place, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put it again."""
        del existing, changed
        _put_integration(place, inputs)
        return {}

    def delete(self, place: Place, existing: Existing) -> None:
        """Delete the integration."""
        place.client("apigateway").delete_integration(**_method(existing.inputs))


class Response(ResourceType):
    """What the gateway itself answers for one type of error."""

    type = "aws:apigateway/response:Response"
    updates = frozenset({"responseParameters", "responseTemplates", "statusCode"})
    replaces = frozenset({"responseType", "restApiId"})

    def create(self, place: Place, inputs: Inputs) -> Created:
        """Put the response."""
        _put_response(place, inputs)
        return Created(f"aggr-{inputs['restApiId']}-{inputs['responseType']}", {})

    def update(
        self, place: Place, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put it again."""
        del existing, changed
        _put_response(place, inputs)
        return {}

    def delete(self, place: Place, existing: Existing) -> None:
        """Go back to AWS's own answer."""
        place.client("apigateway").delete_gateway_response(
            restApiId=existing.inputs["restApiId"], responseType=existing.inputs["responseType"]
        )


class Model(ResourceType):
    """The JSON schema of a body; its id is its name."""

    type = "aws:apigateway/model:Model"
    replaces = frozenset({"contentType", "name", "restApi", "schema"})

    def create(self, place: Place, inputs: Inputs) -> Created:
        """Create the model."""
        place.client("apigateway").create_model(
            restApiId=inputs["restApi"],
            name=inputs["name"],
            contentType=inputs["contentType"],
            schema=inputs["schema"],
        )
        return Created(inputs["name"], {})

    def delete(self, place: Place, existing: Existing) -> None:
        """Delete the model."""
        place.client("apigateway").delete_model(restApiId=existing.inputs["restApi"], modelName=existing.id)


class RequestValidator(ResourceType):
    """What the gateway checks of a request; its id is what AWS gives it."""

    type = "aws:apigateway/requestValidator:RequestValidator"
    replaces = frozenset({"name", "restApi", "validateRequestBody", "validateRequestParameters"})

    def create(self, place: Place, inputs: Inputs) -> Created:
        """Create the validator."""
        validator = place.client("apigateway").create_request_validator(
            restApiId=inputs["restApi"],
            name=inputs["name"],
            validateRequestBody=inputs.get("validateRequestBody", False),
            validateRequestParameters=inputs.get("validateRequestParameters", False),
        )
        return Created(validator["id"], {})

    def delete(self, place: Place, existing: Existing) -> None:
        """Delete the validator."""
        place.client("apigateway").delete_request_validator(
            restApiId=existing.inputs["restApi"], requestValidatorId=existing.id
        )


class Deployment(ResourceType):
    """A snapshot of the API that a stage serves; any change of `triggers` takes a new one."""

    type = "aws:apigateway/deployment:Deployment"
    replaces = frozenset({"restApi", "triggers"})
    create_before_delete = True

    def create(self, place: Place, inputs: Inputs) -> Created:
        """Take the snapshot."""
        deployment = place.client("apigateway").create_deployment(restApiId=inputs["restApi"])
        return Created(deployment["id"], {})

    def delete(self, place: Place, existing: Existing) -> None:
        """Delete the snapshot, which no stage serves any more."""
        place.client("apigateway").delete_deployment(
            restApiId=existing.inputs["restApi"], deploymentId=existing.id
        )


RESOURCES: Final = (
    RestApi(),
    ApiResource(),
    Method(),
    Integration(),
    Response(),
    Model(),
    RequestValidator(),
    Deployment(),
)


def set_tags(place: Place, arn: str, existing: Existing, inputs: Inputs) -> None:
    """Make the tags of something of API Gateway be those of the arguments."""
    client = place.client("apigateway")
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


def _put_method(place: Place, inputs: Inputs) -> None:
    names = ("apiKeyRequired", "requestModels", "requestValidatorId")
    place.client("apigateway").put_method(
        **_method(inputs),
        authorizationType=inputs["authorization"],
        **pick(inputs, {name: name for name in names}),
    )


def _put_integration(place: Place, inputs: Inputs) -> None:
    names = ("integrationHttpMethod", "type", "uri")
    place.client("apigateway").put_integration(
        **_method(inputs), **pick(inputs, {name: name for name in names})
    )


def _put_response(place: Place, inputs: Inputs) -> None:
    names = ("responseParameters", "responseTemplates", "statusCode")
    place.client("apigateway").put_gateway_response(
        restApiId=inputs["restApiId"],
        responseType=inputs["responseType"],
        **pick(inputs, {name: name for name in names}),
    )
