"""What the plugin does with resources: the handlers' operations on the engine's requests.

The in-process engine (`emulator.pulumi.engine`) keeps a state and decides; here the CLI's engine does both,
secrets included, so nothing is remembered between two requests.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import struct_pb2
from pulumi.output import UNKNOWN
from pulumi.runtime.proto import provider_pb2

from clients.aws import AwsClients, is_absent
from emulator.pulumi.plugin.properties import comparable, decode, encode
from emulator.pulumi.provider.arguments import Arguments, plain_value, wrapped_secret
from emulator.pulumi.provider.catalogue import handler_of
from emulator.pulumi.provider.changes import as_read, change_of
from emulator.pulumi.provider.errors import MissingArgumentError, ProviderError, UnknownResourceTypeError
from emulator.pulumi.provider.existence import exists
from emulator.pulumi.provider.outputs import absent_outputs, given_outputs
from emulator.pulumi.provider.resource import Existing, Inputs, ResourceContext, ResourceType

INCOMPLETE: Final = "__incomplete"
"""An output that only a resource has which was made and not completed: the next update replaces it."""

DETAIL: Final = provider_pb2.PropertyDiff


class PartlyMadeError(Exception):
    """A resource was made, and a step after that failed; the engine records it by `id` and `outputs`."""

    def __init__(self, id_: str, outputs: struct_pb2.Struct, reason: str) -> None:
        """Keep what the engine needs."""
        self.id = id_
        self.outputs = outputs
        super().__init__(reason)


@dataclass(frozen=True)
class Resources:
    """The handlers of `catalogue` on one embedded AWS; `webhook_base_urls` are its APIs' by region."""

    clients: AwsClients
    webhook_base_urls: Mapping[str, str]
    catalogue: Mapping[str, ResourceType]

    def check(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:
        """Take the arguments as they are, or say what is wrong with them."""
        response = provider_pb2.CheckResponse(inputs=request.news)
        try:
            resource = self._handler(request.type)
            arguments = Arguments.parse(decode(request.news), resource)
            if resource.regional and "region" not in arguments.inputs:
                raise MissingArgumentError(
                    "argument 'region' has no value; the default region is never meant"
                )
        except ProviderError as error:
            response.failures.add(property="", reason=str(error))
        return response

    def diff(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:
        """Say what a change of arguments does."""
        resource = self._handler(request.type)
        old = _known(resource, request.old_inputs, request.olds)
        new = _ignoring(comparable(request.news), old, request.ignoreChanges)
        change = change_of(resource, old, new)
        replaces = {name.partition(".")[0] for name in change.replaces}
        if INCOMPLETE in request.olds:
            replaces.add(INCOMPLETE)
        differs = provider_pb2.DiffResponse.DIFF_SOME if change.changed or replaces else None
        response = provider_pb2.DiffResponse(
            changes=differs or provider_pb2.DiffResponse.DIFF_NONE,
            diffs=sorted(change.changed | replaces),
            replaces=sorted(replaces),
            deleteBeforeReplace=bool(replaces) and (change.delete_first or INCOMPLETE in replaces),
            hasDetailedDiff=True,
        )
        for name in change.changed | replaces:
            of_inputs = name not in {*resource.read_back, INCOMPLETE}
            kind = _kind(name, old, new, replaces)
            response.detailedDiff[name].CopyFrom(DETAIL(kind=kind, inputDiff=of_inputs))
        return response

    def create(self, request: provider_pb2.CreateRequest) -> provider_pb2.CreateResponse:
        """Make a resource; a preview answers with what is known of it.

        Raises:
            PartlyMadeError: it was made, and is not whole.
        """
        resource = self._handler(request.type)
        arguments = Arguments.parse(decode(request.properties), resource)
        if request.preview:
            return provider_pb2.CreateResponse(
                properties=encode({**_unknown(given_outputs(resource.type), resource), **arguments.echoed()})
            )
        context = self._context(resource, arguments.inputs)
        created = resource.create(context, arguments.inputs)
        try:
            further = resource.complete(context, created, arguments.inputs)
        except (ProviderError, ClientError, BotoCoreError) as error:
            outputs = _outputs(resource, arguments, {**created.outputs, INCOMPLETE: True})
            raise PartlyMadeError(created.id, outputs, str(error)) from error
        outputs = _outputs(resource, arguments, {**created.outputs, **further})
        return provider_pb2.CreateResponse(id=created.id, properties=outputs)

    def update(self, request: provider_pb2.UpdateRequest) -> provider_pb2.UpdateResponse:
        """Change a resource in place; a preview answers with what is known of it then."""
        resource = self._handler(request.type)
        old = _known(resource, request.old_inputs, request.olds)
        changed = change_of(
            resource, old, _ignoring(comparable(request.news), old, request.ignoreChanges)
        ).changed
        arguments = Arguments.parse(_ignoring(decode(request.news), old, request.ignoreChanges), resource)
        recorded = request.old_inputs.fields
        kept = {name: value for name, value in decode(request.olds).items() if name not in recorded}
        if request.preview:
            unsettled = _unknown(resource.unsettled(arguments.inputs, changed), resource)
            return provider_pb2.UpdateResponse(properties=encode({**kept, **arguments.echoed(), **unsettled}))
        existing = _existing(request.id, request.old_inputs, request.olds)
        context = self._context(resource, arguments.inputs)
        outputs = resource.update(context, existing, arguments.inputs, changed) if changed else {}
        written = {**kept, **arguments.echoed(), **_wrapped(resource, outputs)}
        return provider_pb2.UpdateResponse(properties=encode(written))

    def delete(self, request: provider_pb2.DeleteRequest) -> None:
        """Remove a resource; one that is gone already counts as removed."""
        resource = self._handler(request.type)
        existing = _existing(request.id, request.old_inputs, request.properties)
        try:
            resource.delete(self._context(resource, existing.inputs), existing)
        except ClientError as error:
            if not is_absent(error):
                raise

    def read(self, request: provider_pb2.ReadRequest) -> provider_pb2.ReadResponse:
        """What was recorded of a resource, for a refresh, or an empty answer if it is gone.

        Raises:
            UnknownResourceTypeError: the program reads, or imports, a resource that it did not make.
        """
        resource = self._handler(request.type)
        if not request.inputs.fields:
            raise UnknownResourceTypeError(
                f"{request.type} {request.name!r}: reading or importing a resource of others is not supported"
            )
        existing = _existing(request.id, request.inputs, request.properties)
        if not exists(self._context(resource, existing.inputs), resource.type, existing):
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def _handler(self, type_: str) -> ResourceType:
        return handler_of(type_, self.catalogue)

    def _context(self, resource: ResourceType, inputs: Inputs) -> ResourceContext:
        return ResourceContext(self.clients, resource.region_of(inputs), self.webhook_base_urls)


def _known(resource: ResourceType, inputs: struct_pb2.Struct, outputs: struct_pb2.Struct) -> dict[str, Any]:
    """The recorded arguments, some of them as AWS has filled them in."""
    return as_read(resource, comparable(inputs), comparable(outputs))


def _ignoring(new: dict[str, Any], known: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """The new arguments, with those that `ignoreChanges` names as they are known.

    The engine has done so for what it had been given; what AWS filled in is known here alone, by plain names.
    """
    for name in paths:
        if name in known:
            new[name] = known[name]
        else:
            new.pop(name, None)
    return new


def _existing(id_: str, inputs: struct_pb2.Struct, outputs: struct_pb2.Struct) -> Existing:
    """A resource as handlers take it; secrets are as they are, since the engine keeps them encrypted."""
    recorded = {name: plain_value(value) for name, value in decode(outputs).items()}
    return Existing(id_, Inputs(comparable(inputs)), recorded)


def _outputs(resource: ResourceType, arguments: Arguments, outputs: Mapping[str, Any]) -> struct_pb2.Struct:
    """The outputs of a new resource; what the SDK promises and the handler does not give is marked."""
    given = given_outputs(resource.type)
    absent = {name: mark for name, mark in absent_outputs(resource.type).items() if name in given}
    return encode({**absent, **arguments.echoed(), **_wrapped(resource, outputs)})


def _wrapped(resource: ResourceType, outputs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: wrapped_secret(value) if name in resource.secrets else value for name, value in outputs.items()
    }


def _unknown(names: Collection[str], resource: ResourceType) -> dict[str, Any]:
    return _wrapped(resource, dict.fromkeys(names, UNKNOWN))


def _kind(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any], replaces: Collection[str]
) -> provider_pb2.PropertyDiff.Kind.ValueType:
    """The kind of one difference, as the engine shows it."""
    if name not in old and name != INCOMPLETE:
        return DETAIL.ADD_REPLACE if name in replaces else DETAIL.ADD
    if name not in new and name != INCOMPLETE:
        return DETAIL.DELETE_REPLACE if name in replaces else DETAIL.DELETE
    return DETAIL.UPDATE_REPLACE if name in replaces else DETAIL.UPDATE
