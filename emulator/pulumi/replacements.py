"""What a replacement takes along, where it would undo itself, and what is deleted before what.

https://github.com/pulumi/pulumi/blob/1b5949891b3cefcb9974752b24a5ecef0acc86c8/pkg/resource/deploy/step_generator.go#L3268
"""

from collections.abc import Collection, Mapping

from emulator.pulumi.provider.errors import ProtectedError, UndoneReplacementError
from emulator.pulumi.provider.resource import Inputs, ResourceType
from emulator.pulumi.state import Record, State


def dependants_to_replace(
    urn: str, state: State, registered: Collection[str], catalogue: Mapping[str, ResourceType]
) -> list[str]:
    """What has to go before a resource that is deleted first, in the order in which it was made.

    That is what an argument of which was made from it, and whose change replaces; what depends on that in the
    same way; but not what this run has registered, since it no longer depends on it. An argument counts if it
    replaces as a whole: the real engine asks the provider, which may also say so of a nested key.
    """
    condemned, sources_first = {urn}, dependants_first(state)[::-1]
    for other in sources_first:
        record = state.resources[other]
        replaces = {*catalogue[record.type].replaces, "region"}
        if other not in registered and any(
            name in replaces and condemned & set(urns) for name, urns in record.dependencies.items()
        ):
            condemned.add(other)
    return [other for other in sources_first if other in condemned - {urn}]


def dependants_first(state: State) -> list[str]:
    """What the state holds in the order of its deletion: the newest first, each after what was made from it.

    The order in which it was recorded is not enough: a run that failed has moved what it reached to the end.
    """
    resources = dict(state.resources)
    made_from: dict[str, list[str]] = {urn: [] for urn in resources}
    for urn in reversed(resources):
        for source in {source for urns in resources[urn].dependencies.values() for source in urns}:
            made_from.get(source, []).append(urn)
    ordered: dict[str, None] = {}

    def place(urn: str) -> None:
        if urn not in ordered:
            for dependant in made_from[urn]:
                place(dependant)
            ordered[urn] = None

    for urn in reversed(resources):
        place(urn)
    return list(ordered)


def refuse_undoing(urn: str, resource: ResourceType, old: Record, new: Inputs) -> None:
    """Refuse to make the new resource before the old one is deleted where on AWS the two are one.

    The real engine does it, and says nothing.

    Raises:
        UndoneReplacementError: what is put would be deleted at the end of the run.
    """
    identity = {*resource.identity, "region"}
    if old.retain or not resource.identity or any(old.inputs.get(n) != new.get(n) for n in identity):
        return
    raise UndoneReplacementError(
        f"{urn.rpartition('::')[2]} would be made anew, and then deleted as the old one: both have the same "
        f"{', '.join(sorted(resource.identity))}; register it with delete_before_replace=True (or with "
        "retain_on_delete=True, in a deployment before this one); or, to get a newer release to run, take "
        "the stack down: `responder local down`, then up"
    )


def refuse_protected(record: Record) -> None:
    """Refuse to delete or replace a resource that is to stay.

    Raises:
        ProtectedError: the program that made it asked that it stay.
    """
    if record.protect:
        raise ProtectedError(
            f"{record.type} {record.id} is protected and would be deleted; deploy it without protect=True "
            "first"
        )
