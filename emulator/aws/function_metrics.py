"""What Lambda publishes of each invocation, whoever made it: ministack does so of direct calls only.

`emulator.aws.host` installs it. https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

import threading
import time
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any, Final

from ministack.services import cloudwatch, lambda_svc

from emulator.aws.lambda_ import timed

_NAMESPACE: Final = "AWS/Lambda"
_MINUTE_S: Final = 60
"""Lambda sends metrics at intervals of a minute.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics.html"""

_UNITS: Final = {"Duration": "Milliseconds"}
"""All others are counts."""

_turn: Final = threading.Lock()


def take_over() -> None:
    """Have ministack count nothing but what is throttled, and that once.

    It tells of an invocation that it throttles without a duration, and of a direct call once more, with one.
    """

    def told(name: str, duration_ms: float, error: object, throttle: object) -> None:  # noqa: ARG001 - its words
        if throttle and not duration_ms:
            _keep(name, {"Throttles": 1}, at_s=time.time())

    lambda_svc._emit_lambda_metrics = told


def measure_invocations() -> None:
    """Publish the metrics of each invocation from now on: around whatever else is installed there."""
    lambda_svc._execute_function_dispatch = measured(lambda_svc._execute_function_dispatch)


def measured(invoke: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return `invoke`, where each invocation passes once, with its metrics published.

    They are of the minute in which it began. Its duration has no start of a process in it, and is rounded to
    a millisecond.
    """

    def measure(
        func: dict[str, Any], config: dict[str, Any], event: Any, request_id: str, started: float
    ) -> dict[str, Any]:
        at_s = time.time()
        busy = lambda_svc.executions_in_flight()[1].get(lambda_svc._inflight_key(config), 1)
        result, duration_ms, _ = timed(lambda: invoke(func, config, event, request_id, started))
        values = {
            "Invocations": 1,
            "Errors": int(bool(result.get("error"))),
            "Throttles": 0,
            "Duration": round(duration_ms),
            "ConcurrentExecutions": busy,
        }
        _keep(config["FunctionName"], {"Throttles": 1} if result.get("throttle") else values, at_s=at_s)
        return result

    return measure


def _keep(function: str, values: Mapping[str, int], *, at_s: float) -> None:
    """Add one to how often each value was seen in its minute, so that a load test's fit into memory."""
    minute_s = at_s // _MINUTE_S * _MINUTE_S
    dimensions = {"FunctionName": function}
    with _turn:
        for name, value in values.items():
            points = cloudwatch._metric_bucket((_NAMESPACE, name, cloudwatch._dims_key(dimensions)))
            recent = takewhile(lambda point: point["Timestamp"] >= minute_s, reversed(points))
            seen = (point for point in recent if (point["Timestamp"], point["Value"]) == (minute_s, value))
            if point := next(seen, None):
                point["Count"] += 1
                continue
            points.append(
                {
                    "Timestamp": minute_s,
                    "Value": value,
                    "Count": 1,
                    "Unit": _UNITS.get(name, "Count"),
                    "Dimensions": dimensions,
                }
            )
