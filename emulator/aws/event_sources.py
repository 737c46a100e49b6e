"""Queues' event source mappings beyond ministack: batching windows, and provisioned pollers.

`emulator.aws.host` installs it. ministack records a batching window and waits for none, and drops the
configuration of provisioned pollers.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc

from topology.limits import (
    LAMBDA_POLLER_CONCURRENCY,
    LAMBDA_POLLERS_MAX,
    LAMBDA_POLLERS_MIN,
    LAMBDA_POLLERS_MIN_MAX,
    SQS_BATCH_MAX,
)

Mapping = dict[str, Any]

_POLLERS: Final = "ProvisionedPollerConfig"
_WINDOW: Final = "MaximumBatchingWindowInSeconds"


def install() -> None:
    """Have mappings of queues wait for their window and poll with what is provisioned."""
    create, update = lambda_svc._create_esm, lambda_svc._update_esm
    concurrency = lambda_svc._sqs_esm_concurrency

    def created(data: Mapping) -> Any:
        if problem := _problem(data):
            return _invalid(problem)
        answer = create(data)
        if data.get(_POLLERS) and answer[0] < 400:  # noqa: PLR2004 - HTTP
            lambda_svc._esms[json.loads(answer[2])["UUID"]][_POLLERS] = data[_POLLERS]
        return answer

    def updated(esm_id: str, data: Mapping) -> Any:
        esm = lambda_svc._esms.get(esm_id)
        if esm is not None and (problem := _problem({**esm, **data})):
            return _invalid(problem)
        if esm is not None and _POLLERS in data:
            esm.pop(_POLLERS, None)
            if data[_POLLERS]:
                esm[_POLLERS] = data[_POLLERS]
        return update(esm_id, data)

    lambda_svc._create_esm, lambda_svc._update_esm = created, updated
    lambda_svc._sqs_esm_concurrency = mapped_concurrency(concurrency, wake_after=_wake_after)


def mapped_concurrency(
    concurrency: Callable[..., int],
    *,
    wake_after: Callable[[float], object],
    clock: Callable[[], float] = time.time,
) -> Callable[..., int]:
    """Return how many batches of a mapping may be under way: none while its window is open.

    `wake_after` has the poller look again after so many seconds. A window begins with the oldest message
    that can be seen, and ends early with a full batch. AWS's begins with the first one that is received.
    """

    def of_mapping(esm: Mapping, func_rec: Mapping, config: Mapping, queue: Mapping | None = None) -> int:
        if window_s := esm.get(_WINDOW) or 0:
            now = clock()
            visible = [m["visible_at"] for m in (queue or {}).get("messages", ()) if m["visible_at"] <= now]
            wait_s = min(visible) + window_s - now if visible else 0.0
            if len(visible) < esm.get("BatchSize", SQS_BATCH_MAX) and wait_s > 0:
                wake_after(wait_s)
                return 0
        if not (pollers := esm.get(_POLLERS)):
            return concurrency(esm, func_rec, config, queue)
        limit = LAMBDA_POLLER_CONCURRENCY * int(pollers.get("MaximumPollers") or LAMBDA_POLLERS_MIN)
        reserved = lambda_svc._reserved_concurrency(func_rec, config)
        return limit if reserved is None else min(limit, reserved)

    return of_mapping


def _wake_after(seconds: float) -> None:
    timer = threading.Timer(seconds, lambda_svc._esm_wake.set)
    timer.daemon = True
    timer.start()


def _problem(data: Mapping) -> str | None:
    """What AWS would refuse of a mapping of a queue, as it is to be."""
    if data.get("BatchSize", 1) > SQS_BATCH_MAX and not data.get(_WINDOW):
        return f"MaximumBatchingWindowInSeconds must be above 0 for a BatchSize above {SQS_BATCH_MAX}"
    if not (pollers := data.get(_POLLERS)):
        return None
    if (data.get("ScalingConfig") or {}).get("MaximumConcurrency"):
        return "ScalingConfig and ProvisionedPollerConfig exclude each other"
    least = pollers.get("MinimumPollers", LAMBDA_POLLERS_MIN)
    most = pollers.get("MaximumPollers", LAMBDA_POLLERS_MAX)
    if not LAMBDA_POLLERS_MIN <= least <= LAMBDA_POLLERS_MIN_MAX or not least <= most <= LAMBDA_POLLERS_MAX:
        return f"ProvisionedPollerConfig {pollers} is not within its bounds"
    return None


def _invalid(message: str) -> Any:
    return error_response_json("InvalidParameterValueException", message, 400)
