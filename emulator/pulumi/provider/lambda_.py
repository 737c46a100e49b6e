"""Lambda functions, aliases, permissions and event source mappings."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    pick,
    removed_tags,
)

_CONFIGURATION: Final = {
    "description": "Description",
    "handler": "Handler",
    "memorySize": "MemorySize",
    "role": "Role",
    "runtime": "Runtime",
    "timeout": "Timeout",
}

_UNVERSIONED: Final = {"reservedConcurrentExecutions", "tags"}
"""Arguments whose change makes no version, as they are no part of one."""


class Function(ResourceType):
    """A function from a zip; its id is its name. With `publish`, each change makes a version."""

    type = "aws:lambda/function:Function"
    identity = frozenset({"name"})
    updates = frozenset(
        {
            "code",
            "description",
            "environment.variables",
            "handler",
            "publish",
            "reservedConcurrentExecutions",
            "role",
            "tags",
            "timeout",
        }
    )
    replaces = frozenset({"name"})
    ignored: ClassVar[Mapping[str, str]] = {
        "architectures": "functions run on this machine's processor",
        "memorySize": "recorded, but no limit is set and no CPU share is given by it",
        "runtime": "functions run on the emulator's own Python, so packages are built for that",
    }

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the function, and its first version if it publishes."""
        function = context.client("lambda").create_function(
            FunctionName=inputs["name"],
            Code={"ZipFile": _zip(inputs)},
            Architectures=inputs.get("architectures", ["x86_64"]),
            Environment=_environment(inputs),
            Publish=inputs.get("publish", False),
            Tags=inputs.get("tags", {}),
            **pick(inputs, _CONFIGURATION),
        )
        return Created(inputs["name"], _function_outputs(context, inputs["name"], function))

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Reserve concurrency."""
        _reserve(context, created.id, inputs)
        return {}

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set what changed; a change of code or configuration publishes a version where asked to."""
        client, name = context.client("lambda"), existing.id
        if "reservedConcurrentExecutions" in changed:
            _reserve(context, name, inputs)
        if "tags" in changed:
            arn = existing.outputs["arn"]
            client.untag_resource(Resource=arn, TagKeys=removed_tags(existing, inputs))
            client.tag_resource(Resource=arn, Tags=inputs.get("tags", {}))
        if not set(changed) - _UNVERSIONED:
            return {}
        if {"code", "architectures"} & set(changed):
            client.update_function_code(
                FunctionName=name,
                ZipFile=_zip(inputs),
                Architectures=inputs.get("architectures", ["x86_64"]),
            )
        function = client.update_function_configuration(
            FunctionName=name, Environment=_environment(inputs), **pick(inputs, _CONFIGURATION)
        )
        if inputs.get("publish"):
            function = client.publish_version(FunctionName=name)
        return _function_outputs(context, name, function)

    def unsettled(self, inputs: Inputs, changed: Collection[str]) -> frozenset[str]:
        """The new version."""
        versioned = inputs.get("publish") and set(changed) - _UNVERSIONED
        return frozenset({"qualifiedArn", "qualifiedInvokeArn", "version"} if versioned else ())

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the function with its versions and aliases."""
        context.client("lambda").delete_function(FunctionName=existing.id)


class Alias(ResourceType):
    """A name for a version; its id is its ARN."""

    type = "aws:lambda/alias:Alias"
    identity = frozenset({"functionName", "name"})
    updates = frozenset({"functionVersion"})
    replaces = frozenset({"name", "functionName"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the alias."""
        alias = context.client("lambda").create_alias(
            FunctionName=inputs["functionName"],
            Name=inputs["name"],
            FunctionVersion=inputs["functionVersion"],
        )
        arn = alias["AliasArn"]
        return Created(arn, {"arn": arn, "invokeArn": _invoke_arn(context, arn)})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Point the alias at another version."""
        del existing, changed
        context.client("lambda").update_alias(
            FunctionName=inputs["functionName"],
            Name=inputs["name"],
            FunctionVersion=inputs["functionVersion"],
        )
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the alias: an ARN ends in `:function:<function>:<alias>`."""
        function, _, name = existing.id.rpartition(":")
        context.client("lambda").delete_alias(FunctionName=function, Name=name)


class Permission(ResourceType):
    """Who may invoke an alias; its id is the statement's."""

    type = "aws:lambda/permission:Permission"
    identity = frozenset({"function", "qualifier", "statementId"})
    autonamed = "statementId"
    replaces = frozenset({"statementId", "action", "function", "qualifier", "principal", "sourceArn"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Add the statement to the function's policy."""
        context.client("lambda").add_permission(
            FunctionName=inputs["function"],
            StatementId=inputs["statementId"],
            **pick(
                inputs,
                {
                    "action": "Action",
                    "principal": "Principal",
                    "qualifier": "Qualifier",
                    "sourceArn": "SourceArn",
                },
            ),
        )
        target = pick(inputs, {"function": "FunctionName", "qualifier": "Qualifier"})
        return Created(inputs["statementId"], {"target": target})

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Remove the statement."""
        context.client("lambda").remove_permission(StatementId=existing.id, **existing.outputs["target"])


class EventInvokeConfig(ResourceType):
    """How asynchronous invocations of an alias are retried, and where the failed ones go."""

    type = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
    identity = frozenset({"functionName", "qualifier"})
    updates = frozenset({"maximumRetryAttempts", "destinationConfig.onFailure.destination"})
    replaces = frozenset({"functionName", "qualifier"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Put the configuration; its id is `<function>:<alias>`, as in the real provider."""
        _put_event_invoke_config(context, inputs)
        return Created(f"{inputs['functionName']}:{inputs['qualifier']}", {})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put the configuration again."""
        del existing, changed
        _put_event_invoke_config(context, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the configuration."""
        function, _, qualifier = existing.id.partition(":")
        context.client("lambda").delete_function_event_invoke_config(
            FunctionName=function, Qualifier=qualifier
        )


class EventSourceMapping(ResourceType):
    """A queue that feeds a function; its id is a UUID that AWS gives."""

    type = "aws:lambda/eventSourceMapping:EventSourceMapping"
    identity = frozenset()
    updates = frozenset(
        {
            "batchSize",
            "functionName",
            "functionResponseTypes",
            "provisionedPollerConfig.maximumPollers",
            "provisionedPollerConfig.minimumPollers",
            "scalingConfig.maximumConcurrency",
            "tags",
        }
    )
    replaces = frozenset({"eventSourceArn"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the mapping; it polls from then on."""
        mapping = context.client("lambda").create_event_source_mapping(
            EventSourceArn=inputs["eventSourceArn"], Tags=inputs.get("tags", {}), **_mapping(inputs)
        )
        return Created(mapping["UUID"], {"uuid": mapping["UUID"], "arn": mapping["EventSourceMappingArn"]})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set what changed."""
        client = context.client("lambda")
        if set(changed) - {"tags"}:
            client.update_event_source_mapping(UUID=existing.id, **_mapping(inputs))
        if "tags" in changed:
            arn = existing.outputs["arn"]
            client.untag_resource(Resource=arn, TagKeys=removed_tags(existing, inputs))
            client.tag_resource(Resource=arn, Tags=inputs.get("tags", {}))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the mapping."""
        context.client("lambda").delete_event_source_mapping(UUID=existing.id)


RESOURCES: Final = (Function(), Alias(), Permission(), EventInvokeConfig(), EventSourceMapping())


def _zip(inputs: Inputs) -> bytes:
    return Path(inputs["code"].path).read_bytes()


def _environment(inputs: Inputs) -> dict[str, Any]:
    return {"Variables": inputs.get("environment", {}).get("variables", {})}


def _reserve(context: ResourceContext, name: str, inputs: Inputs) -> None:
    """Reserve concurrency, or give it back; -1 is the real provider's value for none."""
    reserved = inputs.get("reservedConcurrentExecutions", -1)
    if reserved < 0:
        context.client("lambda").delete_function_concurrency(FunctionName=name)
    else:
        context.client("lambda").put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=reserved
        )


def _function_outputs(context: ResourceContext, name: str, function: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a function from an answer that may be about a version of it."""
    version = function["Version"]
    arn = function["FunctionArn"]
    unqualified = f"{arn.partition(f':function:{name}')[0]}:function:{name}"
    return {
        "arn": unqualified,
        "invokeArn": _invoke_arn(context, unqualified),
        "qualifiedArn": f"{unqualified}:{version}",
        "qualifiedInvokeArn": _invoke_arn(context, f"{unqualified}:{version}"),
        "version": version,
    }


def _invoke_arn(context: ResourceContext, function_arn: str) -> str:
    """The ARN by which API Gateway invokes a function.

    https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html#apigw-PutIntegration-request-uri
    """
    return f"arn:aws:apigateway:{context.region}:lambda:path/2015-03-31/functions/{function_arn}/invocations"


def _put_event_invoke_config(context: ResourceContext, inputs: Inputs) -> None:
    context.client("lambda").put_function_event_invoke_config(
        FunctionName=inputs["functionName"],
        Qualifier=inputs["qualifier"],
        MaximumRetryAttempts=inputs["maximumRetryAttempts"],
        DestinationConfig={
            "OnFailure": {"Destination": inputs["destinationConfig"]["onFailure"]["destination"]}
        },
    )


def _mapping(inputs: Inputs) -> dict[str, Any]:
    """What is not asked for is an empty object, by which AWS gives up what was."""
    return {
        **pick(
            inputs,
            {
                "batchSize": "BatchSize",
                "functionName": "FunctionName",
                "functionResponseTypes": "FunctionResponseTypes",
            },
        ),
        "ScalingConfig": pick(inputs.get("scalingConfig", {}), {"maximumConcurrency": "MaximumConcurrency"}),
        "ProvisionedPollerConfig": pick(
            inputs.get("provisionedPollerConfig", {}),
            {"minimumPollers": "MinimumPollers", "maximumPollers": "MaximumPollers"},
        ),
    }
