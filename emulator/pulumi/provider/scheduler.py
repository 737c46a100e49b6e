"""EventBridge Scheduler's schedules."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

from emulator.pulumi.provider.resource import Created, Existing, Inputs, ResourceContext, ResourceType, pick

GROUP: Final = "default"


class Schedule(ResourceType):
    """A schedule of the default group; its id is `<group>/<name>`, as in the real provider."""

    type = "aws:scheduler/schedule:Schedule"
    identity = frozenset({"name"})
    updates = frozenset(
        {
            "scheduleExpression",
            "flexibleTimeWindow.mode",
            "target.arn",
            "target.roleArn",
            "target.input",
        }
    )
    replaces = frozenset({"name"})
    ignored: ClassVar[Mapping[str, str]] = {
        "target.retryPolicy": "the embedded Scheduler calls a target once and drops what fails",
    }

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the schedule; it runs from then on."""
        arn = context.client("scheduler").create_schedule(**_schedule(inputs))["ScheduleArn"]
        return Created(f"{GROUP}/{inputs['name']}", {"arn": arn})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Replace the whole definition, as the API does."""
        del existing, changed
        context.client("scheduler").update_schedule(**_schedule(inputs))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the schedule."""
        group, _, name = existing.id.partition("/")
        context.client("scheduler").delete_schedule(GroupName=group, Name=name)


RESOURCES: Final = (Schedule(),)


def _schedule(inputs: Inputs) -> dict[str, Any]:
    target = inputs["target"]
    definition = {
        "Name": inputs["name"],
        "GroupName": GROUP,
        "ScheduleExpression": inputs["scheduleExpression"],
        "FlexibleTimeWindow": {"Mode": inputs["flexibleTimeWindow"]["mode"]},
        "Target": pick(target, {"arn": "Arn", "roleArn": "RoleArn", "input": "Input"}),
    }
    if "retryPolicy" in target:
        definition["Target"]["RetryPolicy"] = pick(
            target["retryPolicy"],
            {
                "maximumEventAgeInSeconds": "MaximumEventAgeInSeconds",
                "maximumRetryAttempts": "MaximumRetryAttempts",
            },
        )
    return definition
