"""The settings of a running stack that tuning changes and puts back: mappings, and reserved concurrency.

All by AWS's own API, so that it works on the embedded AWS and on AWS.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clients.deployment import Deployment
from topology.functions import FUNCTIONS, FunctionSpec
from topology.limits import LAMBDA_POLLER_CONCURRENCY, LAMBDA_SQS_CONCURRENCY_MAX
from topology.queues import WORK_QUEUES, Queue


@dataclass(frozen=True, kw_only=True)
class MappingSettings:
    """A queue's event source mapping. `window_s`: how long it waits for a full batch.

    `maximum_concurrency` and `pollers` (the least and the most, in provisioned mode) exclude each other; with
    neither, AWS decides.
    """

    batch_size: int
    window_s: int = 0
    maximum_concurrency: int | None = None
    pollers: tuple[int, int] | None = None


@dataclass(frozen=True)
class StackSettings:
    """Of one region: each queue's mapping, and what each function has reserved, None for nothing."""

    mappings: Mapping[Queue, MappingSettings]
    reserved: Mapping[FunctionSpec, int | None]


class EventSources:
    """Reads and changes the settings of one region of a stack."""

    def __init__(self, deployment: Deployment, region: str) -> None:
        """Nothing is read yet."""
        self._names = deployment.names
        self._lambda: Final[Any] = deployment.clients.client("lambda", region)

    def read(self) -> StackSettings:
        """The settings as they are now."""
        return self._settings(self._mappings())

    def apply(self, settings: StackSettings) -> None:
        """Have these settings hold; what is so already is left alone.

        Reserved concurrency grows before mappings do and shrinks after them: mappings never have more.
        """
        found = self._mappings()
        now = self._settings(found)
        for spec, reserved in settings.reserved.items():
            if _least(reserved) > _least(now.reserved[spec]):
                self._reserve(spec, reserved)
        for queue, mapping in settings.mappings.items():
            if mapping != now.mappings[queue]:
                self._lambda.update_event_source_mapping(UUID=found[queue]["UUID"], **_request_of(mapping))
        for spec, reserved in settings.reserved.items():
            if _least(reserved) < _least(now.reserved[spec]):
                self._reserve(spec, reserved)

    @contextlib.contextmanager
    def put_back(self) -> Iterator[StackSettings]:
        """Put the settings back at the end of the block, however it ends; gives them."""
        before = self.read()
        try:
            yield before
        finally:
            self.apply(before)

    def _settings(self, found: Mapping[Queue, Any]) -> StackSettings:
        reserved = {spec: self._reserved(spec) for spec in FUNCTIONS}
        return StackSettings({queue: _settings_of(found[queue]) for queue in found}, reserved)

    def _mappings(self) -> dict[Queue, Any]:
        """What AWS says of each work queue's mapping."""
        by_arn_end = {self._names.queue(spec): Queue(spec.key) for spec in WORK_QUEUES}
        found: dict[Queue, Any] = {}
        pages = self._lambda.get_paginator("list_event_source_mappings").paginate()
        for mapping in (one for page in pages for one in page["EventSourceMappings"]):
            queue = by_arn_end.get(mapping["EventSourceArn"].rpartition(":")[2])
            if queue is not None:
                found[queue] = mapping
        return found

    def _reserved(self, spec: FunctionSpec) -> int | None:
        answer = self._lambda.get_function_concurrency(FunctionName=self._names.function(spec))
        reserved: int | None = answer.get("ReservedConcurrentExecutions")
        return reserved

    def _reserve(self, spec: FunctionSpec, reserved: int | None) -> None:
        name = self._names.function(spec)
        if reserved is None:
            self._lambda.delete_function_concurrency(FunctionName=name)
        else:
            self._lambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)


def concurrency_of(mapping: MappingSettings) -> int:
    """The invocations that a mapping may have under way at most."""
    if mapping.pollers is not None:
        return mapping.pollers[1] * LAMBDA_POLLER_CONCURRENCY
    return mapping.maximum_concurrency or LAMBDA_SQS_CONCURRENCY_MAX


def _settings_of(mapping: Mapping[str, Any]) -> MappingSettings:
    pollers = mapping.get("ProvisionedPollerConfig")
    return MappingSettings(
        batch_size=mapping["BatchSize"],
        window_s=mapping.get("MaximumBatchingWindowInSeconds") or 0,
        maximum_concurrency=(mapping.get("ScalingConfig") or {}).get("MaximumConcurrency"),
        pollers=(pollers["MinimumPollers"], pollers["MaximumPollers"]) if pollers else None,
    )


def _request_of(mapping: MappingSettings) -> dict[str, Any]:
    """For UpdateEventSourceMapping, to which an empty object says that a setting is to go.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
    """
    concurrency, pollers = mapping.maximum_concurrency, mapping.pollers
    return {
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.window_s,
        "ScalingConfig": {"MaximumConcurrency": concurrency} if concurrency else {},
        "ProvisionedPollerConfig": (
            {"MinimumPollers": pollers[0], "MaximumPollers": pollers[1]} if pollers else {}
        ),
    }


def _least(reserved: int | None) -> float:
    """What a function has at least for itself; nothing reserved is no bound at all."""
    return float("inf") if reserved is None else reserved
