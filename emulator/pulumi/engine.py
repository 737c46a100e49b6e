"""Brings the embedded AWS to what the program registers: creates, updates, replaces, leaves or deletes.

It does what the Pulumi engine does with a provider, in one process. The monitor calls `register` from
several threads; `emulator.pulumi.deploy` calls the rest.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from clients.aws import AwsClients, is_absent
from emulator.pulumi.provider.arguments import Arguments, wrapped_secret
from emulator.pulumi.provider.catalogue import CATALOGUE, handler_of
from emulator.pulumi.provider.changes import as_read, change_of, ignoring
from emulator.pulumi.provider.errors import (
    DuplicateUrnError,
    ProtectedError,
    UnknownArgumentError,
)
from emulator.pulumi.provider.outputs import absent_outputs
from emulator.pulumi.provider.resource import Existing, Inputs, ResourceContext, ResourceType
from emulator.pulumi.replacements import (
    dependants_first,
    dependants_to_replace,
    refuse_protected,
    refuse_undoing,
)
from emulator.pulumi.state import Record, State

Action = Literal["create", "update", "replace", "same", "delete"]


@dataclass(frozen=True)
class Progress:
    """One resource that was just dealt with."""

    action: Action
    type: str
    name: str
    region: str


@dataclass(frozen=True)
class Registered:
    """What the program gets back for a resource; secret outputs are wrapped as the SDK wants them."""

    id: str
    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class Options:
    """The resource options that are honoured.

    `delete_first` is None where the program leaves the order to the provider. `dependencies` are the URNs
    that each argument was made from.
    """

    protect: bool
    secret_outputs: frozenset[str]
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: frozenset[str] = frozenset()
    delete_first: bool | None = None
    retain: bool = False
    dependencies: Mapping[str, list[str]] = field(default_factory=dict)


class Engine:
    """One run of one program, or one removal, against one `State`."""

    def __init__(
        self,
        *,
        clients: AwsClients,
        webhook_base_urls: Mapping[str, str],
        state: State,
        on_progress: Callable[[Progress], None],
        catalogue: Mapping[str, ResourceType] = CATALOGUE,
    ) -> None:
        """Start with nothing registered. `on_progress` is called from several threads."""
        self._clients = clients
        self._webhook_base_urls = webhook_base_urls
        self._state = state
        self._salt = bytes.fromhex(state.salt)
        self._on_progress = on_progress
        self._catalogue = catalogue
        self._registered: set[str] = set()
        self._deleted_first: set[str] = set()
        self._lock = threading.Lock()
        self.counts: Counter[Action] = Counter()

    def register(self, urn: str, type_: str, raw: Mapping[str, Any], options: Options) -> Registered:
        """Make the resource `urn` be as `raw` says; returns when it is.

        Raises:
            ProviderError: the program asks for something that the provider does not know.
            ClientError, BotoCoreError: the embedded AWS refused, or did not answer.
        """
        resource = handler_of(type_, self._catalogue)
        with self._lock:
            if urn in self._registered:
                raise DuplicateUrnError(f"{urn} is registered twice; give one of them another name")
            self._registered.add(urn)
            old = self._state.resources.get(urn)
            action: Action = "replace" if urn in self._deleted_first else "create"
        if not options.secret_outputs <= resource.secrets:
            named = ", ".join(sorted(options.secret_outputs - resource.secrets))
            raise UnknownArgumentError(
                f"resource option additionalSecretOutputs names {named}, which the handler of {type_} would "
                "write to the state; add it to the handler's `secrets`"
            )
        arguments = Arguments.parse(raw, resource)
        context = self._context(resource.region_of(arguments.inputs))
        request = _Request(urn, resource, context, arguments, options)
        if old is None:
            return self._create(request, action)
        known = as_read(resource, old.inputs, old.outputs)
        kept = replace(request, arguments=ignoring(arguments, known, options.ignore_changes))
        change = change_of(resource, known, kept.arguments.recorded(self._salt))
        if not old.complete or change.replaces or change.changed & options.replace_on_changes:
            first = change.delete_first if options.delete_first is None else options.delete_first
            return self._replace(request, old, delete_first=first or not old.complete)
        return self._keep(kept, old, change.changed)

    def prune(self) -> list[str]:
        """Delete what the state holds and the program no longer registers, dependants first.

        Returns one line for each resource that could not be deleted; it stays in the state.
        """
        gone = [urn for urn in dependants_first(self._state) if urn not in self._registered]
        return self._delete_all([*gone, *reversed(self._state.retired)])

    def destroy(self) -> list[str]:
        """Delete everything that the state holds, dependants first; returns as `prune`."""
        return self._delete_all([*dependants_first(self._state), *reversed(self._state.retired)])

    def _replace(self, request: "_Request", old: Record, *, delete_first: bool) -> Registered:
        """Make a resource anew, in the order of the real engine.

        Deleted first, it takes along what depends on it by an argument that replaces; otherwise the old one
        goes at the end, by `prune`.
        """
        if not delete_first:
            refuse_undoing(request.urn, request.resource, old, request.arguments.inputs)
            return self._create(request, "replace", old)
        with self._lock:  # else two that are replaced at once would both delete what depends on both
            dependants = dependants_to_replace(request.urn, self._state, self._registered, self._catalogue)
            for urn in [*reversed(dependants), request.urn]:
                refuse_protected(self._state.resources[urn])
            for urn in reversed(dependants):
                self._delete(urn, self._state.resources[urn])
                self._deleted_first.add(urn)
        self._delete(request.urn, old)
        return self._create(request, "replace")

    def _create(self, request: "_Request", action: Action, old: Record | None = None) -> Registered:
        """Make a resource; it is recorded before the steps that may fail after its creation.

        `old` is the one that it replaces and that is still there.
        """
        resource, context, inputs = request.resource, request.context, request.arguments.inputs
        if old is not None:
            refuse_protected(old)
        created = resource.create(context, inputs)
        if old is not None:
            self._state.retire(request.urn)
        recorded = request.arguments.recorded(self._salt)
        record = Record(
            resource.type,
            created.id,
            context.region,
            recorded,
            _public(resource, created.outputs),
            protect=request.options.protect,
            retain=request.options.retain,
            dependencies=dict(request.options.dependencies),
            complete=False,
        )
        self._state.note(request.urn, record)
        outputs = {**created.outputs, **resource.complete(context, created, inputs)}
        record = replace(record, outputs=_public(resource, outputs), complete=True)
        self._state.put(request.urn, record)
        secrets = {name: outputs[name] for name in outputs.keys() & resource.secrets}
        return self._registered_as(request, record, secrets, action)

    def _keep(self, request: "_Request", old: Record, changed: frozenset[str]) -> Registered:
        """Update a resource in place, or leave it as it is."""
        resource, context, inputs = request.resource, request.context, request.arguments.inputs
        existing = Existing(old.id, Inputs(old.inputs), old.outputs)
        outputs = old.outputs
        if changed:
            outputs = _public(resource, {**outputs, **resource.update(context, existing, inputs, changed)})
        record = replace(
            old,
            inputs=request.arguments.recorded(self._salt),
            outputs=outputs,
            protect=request.options.protect,
            retain=request.options.retain,
            dependencies=dict(request.options.dependencies),
        )
        self._state.put(request.urn, record)
        secrets = resource.read_secrets(context, existing)
        return self._registered_as(request, record, secrets, "update" if changed else "same")

    def _registered_as(
        self, request: "_Request", record: Record, secrets: Mapping[str, Any], action: Action
    ) -> Registered:
        self._count(action, record, request.urn)
        outputs = {**absent_outputs(record.type), **request.arguments.echoed(), **record.outputs}
        outputs |= {name: wrapped_secret(value) for name, value in secrets.items()}
        return Registered(record.id, outputs)

    def _delete_all(self, keys: list[str]) -> list[str]:
        problems: list[str] = []
        for key in keys:
            record = self._state.retired.get(key) or self._state.resources[key]
            try:
                self._delete(key, record)
            except (ProtectedError, ClientError, BotoCoreError) as error:
                problems.append(f"{key}: {error}")
            else:
                self._count("delete", record, key)
        return problems

    def _delete(self, key: str, record: Record) -> None:
        """Delete one recorded resource; one that is gone already counts as deleted.

        Raises:
            ProtectedError: the program that made it asked that it stay.
        """
        refuse_protected(record)
        existing = Existing(record.id, Inputs(record.inputs), record.outputs)
        try:
            if not record.retain:
                self._catalogue[record.type].delete(self._context(record.region), existing)
        except ClientError as error:
            if not is_absent(error):
                raise
        self._state.forget(key)

    def _context(self, region: str) -> ResourceContext:
        return ResourceContext(self._clients, region, self._webhook_base_urls)

    def _count(self, action: Action, record: Record, urn: str) -> None:
        with self._lock:
            self.counts[action] += 1
        name = urn.partition("#")[0].rpartition("::")[2]
        self._on_progress(Progress(action, record.type, name, record.region))


@dataclass(frozen=True)
class _Request:
    """One registration, checked."""

    urn: str
    resource: ResourceType
    context: ResourceContext
    arguments: Arguments
    options: Options


def _public(resource: ResourceType, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs that there are and that may be written down."""
    return {k: value for k, value in outputs.items() if k not in resource.secrets and value is not None}
