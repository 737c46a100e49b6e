"""What a stack's own figures say of a probe: refusals, throttles, durations, queues, processor time.

They are figures that AWS has too. `TelemetryReader` is the one interface to them; the embedded AWS's is in
`embedded_telemetry`, and one by CloudWatch belongs beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from topology.queues import Queue


@dataclass(frozen=True, kw_only=True)
class FunctionFigures:
    """A function within a probe. `busy_s`: all durations together; `reserved`: its concurrency, if any."""

    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    busy_s: float = 0.0
    reserved: int | None = None


@dataclass(frozen=True, kw_only=True)
class QueueFigures:
    """A work queue when a probe ends. `concurrency`: the invocations that its mapping may have under way."""

    waiting: int
    concurrency: int
    function: str


@dataclass(frozen=True, kw_only=True)
class Telemetry:
    """The figures of a probe of `seconds`.

    `functions` by the keys of their specs; `index_throttles` by table, index and key; `slack_interval_s`: the
    stack's own pace, between two messages. `own_processor`: the part of the machine's processors that sender
    and embedded AWS used, `machine_processor` that everything did; None where there is no such machine.
    `processes`: by name, the part of one processor that those used whose threads share one.
    """

    seconds: float
    posts: int
    late_posts: int = 0
    functions: Mapping[str, FunctionFigures] = field(default_factory=dict)
    queues: Mapping[Queue, QueueFigures] = field(default_factory=dict)
    index_throttles: Mapping[str, int] = field(default_factory=dict)
    model_calls: int = 0
    model_refused: int = 0
    slack_posts: int = 0
    slack_refused: int = 0
    slack_interval_s: float | None = None
    own_processor: float | None = None
    machine_processor: float | None = None
    processes: Mapping[str, float] = field(default_factory=dict)


class TelemetryReader(Protocol):
    """Reads the figures of a probe."""

    def begin(self) -> None:
        """The probe begins."""

    def end(self, *, posts: int, late_posts: int) -> Telemetry:
        """The probe has ended: its figures since `begin`, and the queues as they are now."""
