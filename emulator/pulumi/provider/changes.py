"""What a change of a resource's arguments does: nothing, an update in place, or a replacement and its order.

It is what the real provider's `Diff` answers. The in-process engine asks here, as does whatever else serves
the handlers.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.pulumi.provider.arguments import DIGEST, Arguments
from emulator.pulumi.provider.errors import UnknownArgumentError
from emulator.pulumi.provider.resource import Inputs, ResourceType


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


def as_read(resource: ResourceType, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a resource as the real provider's state has them: some are as AWS filled them in."""
    return {**inputs, **{name: outputs[name] for name in resource.read_back & outputs.keys()}}


def ignoring(arguments: Arguments, known: Mapping[str, Any], paths: Iterable[str]) -> Arguments:
    """The arguments with what is at `paths` (dotted names) as in `known`: the program's `ignore_changes`.

    Raises:
        UnknownArgumentError: a path leads into a list, or to a file or a secret, which `known` does not have.
    """
    inputs: Mapping[str, Any] = arguments.inputs
    for path in paths:
        inputs = _kept(path.split("."), known, inputs, path)
    return Arguments(Inputs(inputs), arguments.secret)


def _kept(names: list[str], known: Any, inputs: Any, path: str) -> dict[str, Any]:
    name, *rest = names
    old = known.get(name) if isinstance(known, Mapping) else None
    if "[" in path or (isinstance(old, Mapping) and DIGEST in old) or not isinstance(inputs, Mapping):
        raise UnknownArgumentError(
            f"resource option ignoreChanges names {path}, of which the state has no value to keep; name an "
            "argument that is neither in a list, nor a file, nor a secret"
        )
    kept = {other: value for other, value in inputs.items() if other != name}
    if rest:
        return {**kept, name: _kept(rest, old or {}, inputs.get(name, {}), path)}
    return kept if old is None else {**kept, name: old}


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
