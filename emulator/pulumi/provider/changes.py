"""What a change of a resource's arguments does: nothing, an update in place, or a replacement and its order.

It is what the real provider's `Diff` answers. The in-process engine asks here, as does whatever else serves
the handlers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.pulumi.provider.arguments import DIGEST
from emulator.pulumi.provider.resource import ResourceType


@dataclass(frozen=True)
class Change:
    """How the arguments of a resource differ, and what that costs.

    `changed` are the top-level arguments that differ. `replaces` are the names, dotted for a key of a nested
    block, whose difference makes a new resource; where it is empty, `update` can do the rest. `delete_first`
    is false where the new resource is made before the old one is deleted, which is Pulumi's usual order.
    """

    changed: frozenset[str]
    replaces: frozenset[str]
    delete_first: bool


def change_of(resource: ResourceType, old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    """Compare the recorded arguments of a resource that exists with those that are asked for.

    Both hold plain data, and digests in place of secrets and files. What the handler does not know replaces:
    that is `region`, or an argument that an earlier release recorded.

    The old resource goes first where the provider says so of its type, or where the program gives the name
    that Pulumi would make up otherwise, since two of one name cannot exist at once (a program may ask for it
    besides).
    https://github.com/pulumi/pulumi-terraform-bridge/blob/59de6c661df1e7561e6ece7ad7f1c835c63010c4/pkg/tfbridge/schema.go#L193
    """
    in_place = resource.updates | resource.ignored.keys()
    known = in_place | resource.replaces
    before, after = dict(_leaves(old, known)), dict(_leaves(new, known))
    differing = {leaf[0] for leaf in before.keys() | after.keys() if before.get(leaf) != after.get(leaf)}
    names = frozenset[str]().union(*(_names_of(path, known) for path in differing))
    return Change(
        changed=frozenset(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)),
        replaces=names - in_place,
        delete_first=resource.delete_before_replace or resource.autonamed in new,
    )


def _leaves(
    values: Mapping[str, Any], known: frozenset[str], path: str = "", place: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[str, tuple[int, ...]], Any]]:
    """Each value that the handler has a name for, under that name and its places in the lists above it."""
    for key, value in values.items():
        name = f"{path}.{key}" if path else key
        blocks = value if isinstance(value, list) else [value]
        nested = name not in known and any(other.startswith(f"{name}.") for other in known)
        if nested and all(isinstance(block, Mapping) for block in blocks):
            for index, block in enumerate(blocks):
                yield from _leaves(block, known, name, (*place, index))
        else:
            yield (name, place), value


def _names_of(path: str, known: frozenset[str]) -> frozenset[str]:
    """The handler's names for a value: of a block that is secret as a whole, those of all that is in it."""
    block = path.removesuffix(f".{DIGEST}")
    return frozenset(name for name in known if name.startswith(f"{block}.")) or frozenset({path})
