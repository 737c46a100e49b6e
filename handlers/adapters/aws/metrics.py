"""The metrics of our own that alarms and the dashboard watch.

Recovery's each minute, reception's of what it refuses, distribution's of routes that lead nowhere, and what a
batch of alerts took.

They are a log line in CloudWatch's embedded metric format, so they cost no call and need no permission.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import sys
from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import Final

import msgspec

from handlers.domain.ports import Clock
from topology.metrics import (
    ACCEPTED_TO_SLACK,
    FORMAT_DIMENSION,
    IGNORED,
    NAMESPACE,
    OLDEST_EXPIRED,
    PARKED_ALERTS,
    REASON_DIMENSION,
    REFUSALS,
    ROUTE_DIMENSION,
    STACK_DIMENSION,
    UNUSABLE_ROUTES,
)

_VALUES_MAX: Final = 100
"""Of one metric in a line; the specification has it."""

_UNITS: Final = {ACCEPTED_TO_SLACK: "Milliseconds"}


def put_gauges(*, parked: int, oldest_expired_s: int, stack: str, at_ms: int) -> None:
    """Write how many alerts are PARKED and the age of the oldest expired row, as one line on standard output.

    `at_ms`: epoch milliseconds.
    """
    _put(
        {PARKED_ALERTS: ("Count", parked), OLDEST_EXPIRED: ("Seconds", oldest_expired_s)},
        {STACK_DIMENSION: stack},
        by=[[STACK_DIMENSION]],
        at_ms=at_ms,
    )


class RefusalMetric(msgspec.Struct, frozen=True, kw_only=True):
    """`RefusalMeter` by a metric of a stack: one line on standard output for each count."""

    stack: str
    clock: Clock

    def count(self, *, body_format: str, reason: str, number: int) -> None:
        """See `RefusalMeter`; counted in all, for the alarm, and by format and reason."""
        _put(
            {REFUSALS: ("Count", number)},
            {STACK_DIMENSION: self.stack, FORMAT_DIMENSION: body_format, REASON_DIMENSION: reason},
            by=[[STACK_DIMENSION], [STACK_DIMENSION, FORMAT_DIMENSION, REASON_DIMENSION]],
            at_ms=self.clock.now_ms(),
        )

    def count_ignored(self, *, body_format: str, number: int) -> None:
        """See `RefusalMeter`."""
        _put(
            {IGNORED: ("Count", number)},
            {STACK_DIMENSION: self.stack, FORMAT_DIMENSION: body_format},
            by=[[STACK_DIMENSION], [STACK_DIMENSION, FORMAT_DIMENSION]],
            at_ms=self.clock.now_ms(),
        )


class RouteMetric(msgspec.Struct, frozen=True, kw_only=True):
    """`RouteMeter` by a metric of a stack: one line on standard output for each count."""

    stack: str
    clock: Clock

    def count_unusable(self, route: str) -> None:
        """See `RouteMeter`; counted in all, for the alarm, and by route."""
        _put(
            {UNUSABLE_ROUTES: ("Count", 1)},
            {STACK_DIMENSION: self.stack, ROUTE_DIMENSION: route},
            by=[[STACK_DIMENSION], [STACK_DIMENSION, ROUTE_DIMENSION]],
            at_ms=self.clock.now_ms(),
        )


class BatchMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """`Meter` of a function that works on batches; its threads may add at any time."""

    stack: str
    clock: Clock
    added: deque[tuple[str, int]] = msgspec.field(default_factory=deque)

    def add(self, metric: str, value: int) -> None:
        """See `Meter`; it is written at the end of the batch."""
        self.added.append((metric, value))

    def write(self) -> None:
        """Write what was added since the last time, a line on standard output; none for nothing."""
        while self.added:
            values: dict[str, list[int]] = {}
            for metric, value in islice(iter(self._taken, None), _VALUES_MAX):
                values.setdefault(metric, []).append(value)
            _put(
                {name: (_UNITS.get(name, "Count"), added) for name, added in values.items()},
                {STACK_DIMENSION: self.stack},
                by=[[STACK_DIMENSION]],
                at_ms=self.clock.now_ms(),
            )

    def _taken(self) -> tuple[str, int] | None:
        return self.added.popleft() if self.added else None


def _put(
    metrics: Mapping[str, tuple[str, int | list[int]]],
    dimensions: Mapping[str, str],
    *,
    by: list[list[str]],
    at_ms: int,
) -> None:
    """Write (unit, value or values) by metric's name, `by` each of these sets of dimensions."""
    named = [{"Name": name, "Unit": unit} for name, (unit, _) in metrics.items()]
    line = {
        "_aws": {
            "Timestamp": at_ms,
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": by, "Metrics": named}],
        },
        **dimensions,
        **{name: value for name, (_, value) in metrics.items()},
    }
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()
