"""Step Functions' state machines."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    pick,
    removed_tags,
)

_DEFINITION: Final = {"definition": "definition", "roleArn": "roleArn"}


class StateMachine(ResourceType):
    """A state machine; its id is its ARN."""

    type = "aws:sfn/stateMachine:StateMachine"
    identity = frozenset({"name"})
    updates = frozenset({*_DEFINITION, "tags"})
    replaces = frozenset({"name", "type"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the state machine."""
        arn = context.client("stepfunctions").create_state_machine(
            tags=_tags(inputs), **pick(inputs, {**_DEFINITION, "name": "name", "type": "type"})
        )["stateMachineArn"]
        return Created(arn, {"arn": arn})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the definition, the role or the tags."""
        machines, arn = context.client("stepfunctions"), existing.id
        if set(changed) - {"tags"}:
            machines.update_state_machine(stateMachineArn=arn, **pick(inputs, _DEFINITION))
        if "tags" in changed:
            machines.untag_resource(resourceArn=arn, tagKeys=removed_tags(existing, inputs))
            machines.tag_resource(resourceArn=arn, tags=_tags(inputs))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete it with its executions."""
        context.client("stepfunctions").delete_state_machine(stateMachineArn=existing.id)


RESOURCES: Final = (StateMachine(),)


def _tags(inputs: Inputs) -> list[dict[str, str]]:
    return [{"key": name, "value": text} for name, text in inputs.get("tags", {}).items()]
