"""The telemetry of a stack on the embedded AWS: what it counts where AWS has CloudWatch."""

import time
from typing import Any, Final

import psutil

from chaos.queues import work_queues
from clients.deployment import Deployment, RegionEndpoints
from clients.queues import WAITING, message_count
from emulator.aws_capacity import FunctionUse, Usage
from emulator.client import Emulator
from handlers.settings import variable
from loadtests.processor_time import WORKERS, ProcessorTime
from loadtests.throughput.event_sources import EventSources, concurrency_of
from loadtests.throughput.telemetry import FunctionFigures, QueueFigures, Telemetry
from topology.functions import DISTRIBUTION, FUNCTIONS, FunctionSpec
from topology.queues import WORK_QUEUES, Queue

_REFUSED: Final = 429


class EmbeddedTelemetry:
    """`TelemetryReader` of one region of the embedded AWS."""

    def __init__(self, emulator: Emulator, deployment: Deployment, endpoints: RegionEndpoints) -> None:
        """Nothing is read yet."""
        self._emulator = emulator
        self._deployment = deployment
        self._endpoints = endpoints

    def begin(self) -> None:
        """See `TelemetryReader`."""
        self._usage = self._emulator.usage()
        status = self._emulator.status()
        self._slack = (status.slack_messages, status.slack_rate_limited)
        self._processor = ProcessorTime(self._emulator)
        psutil.cpu_percent()
        self._begun_ms, self._begun = time.time_ns() // 1_000_000, time.monotonic()

    def end(self, *, posts: int, late_posts: int) -> Telemetry:
        """See `TelemetryReader`."""
        seconds, machine = time.monotonic() - self._begun, psutil.cpu_percent() / 100
        used_s = self._processor.used_s()
        usage, status = self._emulator.usage(), self._emulator.status()
        calls = [c for c in self._emulator.claude_calls() if c.received_at_ms >= self._begun_ms]
        return Telemetry(
            seconds=seconds,
            posts=posts,
            late_posts=late_posts,
            functions={spec.key: self._function(spec, usage) for spec in FUNCTIONS},
            queues=self._queues(),
            index_throttles=_index_throttles(self._usage, usage),
            model_calls=len(calls),
            model_refused=sum(call.status == _REFUSED for call in calls),
            slack_posts=status.slack_messages - self._slack[0],
            slack_refused=status.slack_rate_limited - self._slack[1],
            slack_interval_s=self._slack_interval_s(),
            own_processor=sum(used_s.values()) / seconds / (psutil.cpu_count() or 1),
            machine_processor=machine,
            processes={name: s / seconds for name, s in used_s.items() if not name.endswith(WORKERS)},
        )

    def _function(self, spec: FunctionSpec, usage: dict[str, Usage]) -> FunctionFigures:
        region, name = self._endpoints.region, self._deployment.names.function(spec)
        before = self._usage[region].functions.get(name, FunctionUse())
        now = usage[region].functions.get(name, FunctionUse())
        concurrency = self._client("lambda").get_function_concurrency(FunctionName=name)
        return FunctionFigures(
            invocations=now.invocations - before.invocations,
            errors=now.errors - before.errors,
            throttles=now.throttles - before.throttles,
            busy_s=now.busy_s - before.busy_s,
            reserved=concurrency.get("ReservedConcurrentExecutions"),
        )

    def _slack_interval_s(self) -> float:
        name = self._deployment.names.function(DISTRIBUTION)
        settings = self._client("lambda").get_function_configuration(FunctionName=name)
        return int(settings["Environment"]["Variables"][variable("slack_interval_ms")]) / 1000

    def _queues(self) -> dict[Queue, QueueFigures]:
        mappings = EventSources(self._deployment, self._endpoints.region).read().mappings
        figures = {}
        for spec, url in zip(WORK_QUEUES, work_queues(self._endpoints), strict=True):
            figures[Queue(spec.key)] = QueueFigures(
                waiting=message_count(self._client("sqs"), url, [WAITING]),
                concurrency=concurrency_of(mappings[Queue(spec.key)]),
                function=spec.consumer.key if spec.consumer else "",
            )
        return figures

    def _client(self, service: str) -> Any:
        return self._deployment.clients.client(service, self._endpoints.region)


def _index_throttles(before: dict[str, Usage], now: dict[str, Usage]) -> dict[str, int]:
    """By table, index and key, whichever process has the tables."""
    throttles: dict[str, int] = {}
    for process, usage in now.items():
        earlier = before.get(process, Usage()).index_writes
        for name, use in usage.index_writes.items():
            since = use.throttles - (earlier[name].throttles if name in earlier else 0)
            throttles[name] = throttles.get(name, 0) + since
    return {name: count for name, count in throttles.items() if count}
