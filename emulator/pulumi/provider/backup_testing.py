"""AWS Backup's restore testing plans and what they test."""

from collections.abc import Collection, Mapping
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


class RestoreTestingPlan(ResourceType):
    """When which recovery points are restored for a test; its id is its name."""

    type = "aws:backup/restoreTestingPlan:RestoreTestingPlan"
    identity = frozenset({"name"})
    autonamed = ""
    updates = frozenset(
        {
            "recoveryPointSelection.algorithm",
            "recoveryPointSelection.includeVaults",
            "recoveryPointSelection.recoveryPointTypes",
            "recoveryPointSelection.selectionWindowDays",
            "tags",
        }
    )
    replaces = frozenset({"name"})
    ignored: ClassVar[Mapping[str, str]] = {"scheduleExpression": "recorded; no test is started by itself"}

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the plan with its tags."""
        plan = context.client("backup").create_restore_testing_plan(
            RestoreTestingPlan={"RestoreTestingPlanName": inputs["name"], **_plan(inputs)},
            Tags=inputs.get("tags", {}),
        )
        return Created(inputs["name"], {"arn": plan["RestoreTestingPlanArn"]})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set what changed."""
        backup, arn = context.client("backup"), existing.outputs["arn"]
        if set(changed) - {"tags"}:
            backup.update_restore_testing_plan(
                RestoreTestingPlanName=existing.id, RestoreTestingPlan=_plan(inputs)
            )
        if "tags" in changed:
            removed = removed_tags(existing, inputs)
            if removed:  # the API takes no empty list
                backup.untag_resource(ResourceArn=arn, TagKeyList=removed)
            backup.tag_resource(ResourceArn=arn, Tags=inputs.get("tags", {}))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the plan; its selection has been deleted before it."""
        context.client("backup").delete_restore_testing_plan(RestoreTestingPlanName=existing.id)


class RestoreTestingSelection(ResourceType):
    """Which resources' recovery points a plan tests; its id is `<selection>:<plan>`."""

    _UPDATES: Final = {"iamRoleArn": "IamRoleArn", "protectedResourceArns": "ProtectedResourceArns"}
    type = "aws:backup/restoreTestingSelection:RestoreTestingSelection"
    identity = frozenset({"name", "restoreTestingPlanName"})
    autonamed = ""
    updates = frozenset(_UPDATES)
    replaces = frozenset({"name", "protectedResourceType", "restoreTestingPlanName"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the selection in its plan."""
        plan, name = inputs["restoreTestingPlanName"], inputs["name"]
        context.client("backup").create_restore_testing_selection(
            RestoreTestingPlanName=plan,
            RestoreTestingSelection={
                "RestoreTestingSelectionName": name,
                "ProtectedResourceType": inputs["protectedResourceType"],
                **pick(inputs, self._UPDATES),
            },
        )
        return Created(f"{name}:{plan}", {})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the role or the resources."""
        del changed
        name, _, plan = existing.id.partition(":")
        context.client("backup").update_restore_testing_selection(
            RestoreTestingPlanName=plan,
            RestoreTestingSelectionName=name,
            RestoreTestingSelection=pick(inputs, self._UPDATES),
        )
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Take the selection out of its plan."""
        name, _, plan = existing.id.partition(":")
        context.client("backup").delete_restore_testing_selection(
            RestoreTestingPlanName=plan, RestoreTestingSelectionName=name
        )


RESOURCES: Final = (RestoreTestingPlan(), RestoreTestingSelection())


def _plan(inputs: Inputs) -> dict[str, Any]:
    """The arguments that a creation and an update share."""
    selection = pick(
        inputs["recoveryPointSelection"],
        {
            "algorithm": "Algorithm",
            "includeVaults": "IncludeVaults",
            "recoveryPointTypes": "RecoveryPointTypes",
            "selectionWindowDays": "SelectionWindowDays",
        },
    )
    return {"RecoveryPointSelection": selection, "ScheduleExpression": inputs["scheduleExpression"]}
