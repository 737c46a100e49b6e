"""The engine's own resource that keeps a value in the state, which no provider and no AWS knows of."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from emulator.pulumi.provider.resource import Created, Existing, Inputs, ResourceContext, ResourceType


class Stash(ResourceType):
    """`output` is the first `input`, whatever is handed in later.

    https://www.pulumi.com/docs/iac/concepts/stash/
    """

    type = "pulumi:index:Stash"
    updates = frozenset({"input"})
    identity = frozenset()
    regional = False

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Keep the value; there is nothing to make."""
        del context
        return Created("stash", {"output": inputs["input"]})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Leave `output` as it is."""
        del context, existing, inputs, changed
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Forget the value, with the record of the resource."""
        del context, existing


RESOURCES: Final = (Stash(),)
