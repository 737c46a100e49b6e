"""Events for a function by itself, in the mix that a stack in use has, and whether it did its work."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clients.alert_source import FORMATS, AlertSource
from loadtests.isolated.canned_aws import ANALYZED, KNOWN, NEW
from topology.functions import ANALYSIS, DISTRIBUTION, RECEPTION, RECOVERY, FunctionSpec
from topology.queues import PROCESSING

Event = Mapping[str, Any]

_SOURCE: Final = AlertSource(source="isolated")
_GROUP: Final = 20
_BATCH: Final = PROCESSING.batch_size
_ACCEPTED: Final = 202


@dataclass(frozen=True)
class Payload:
    """One kind of event. `weight`: its share of a function's invocations; `event` makes one by its number.

    `asks_model`: Claude is asked for each, which costs money where it is the real one.
    """

    name: str
    weight: float
    event: Callable[[int], Event]
    alerts: int = 1
    asks_model: bool = False


def worked(spec: FunctionSpec, answer: Any) -> bool:
    """Whether the function's answer says that it did what the event asked for."""
    if not isinstance(answer, dict):
        return spec is RECOVERY and answer is None
    if spec is RECEPTION:
        return bool(answer.get("statusCode") == _ACCEPTED)
    return not answer.get("batchItemFailures") and "errorMessage" not in answer


def _post(body: object) -> Event:
    return {
        "httpMethod": "POST",
        "resource": "/alerts",
        "path": "/alerts",
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }


def _one_alert(number: int) -> Event:
    return _post(FORMATS["generic"](_SOURCE.alert(number)))


def _group(number: int) -> Event:
    """A notification of Alertmanager's, with a group of alerts."""
    alerts: list[Any] = []
    for member in range(_GROUP):
        group: Any = FORMATS["alertmanager"](_SOURCE.alert(number * _GROUP + member))
        alerts += group["alerts"]
    return _post({**group, "alerts": alerts})


def _wake_ups(kind: str, count: int = 1) -> Callable[[int], Event]:
    def event(number: int) -> Event:
        bodies = [json.dumps({"alert_id": f"{kind}-{number}-{member}"}) for member in range(count)]
        return {"Records": [{"messageId": f"m{place}", "body": body} for place, body in enumerate(bodies)]}

    return event


PAYLOADS: Final[Mapping[FunctionSpec, Sequence[Payload]]] = {
    RECEPTION: (
        Payload("one alert", 0.9, _one_alert),
        Payload(f"group of {_GROUP}", 0.1, _group, alerts=_GROUP),
    ),
    ANALYSIS: (
        Payload("known fault", 0.6, _wake_ups(KNOWN)),
        Payload(
            f"{PROCESSING.batch_size} known faults",
            0.3,
            _wake_ups(KNOWN, PROCESSING.batch_size),
            PROCESSING.batch_size,
        ),
        Payload("new fault", 0.1, _wake_ups(NEW), asks_model=True),
    ),
    DISTRIBUTION: (Payload("one alert", 1.0, _wake_ups(ANALYZED)),),
    RECOVERY: (Payload("nothing due", 1.0, lambda _number: {}),),
}
"""Assumed: no stack in use was measured. A function's weights add up to 1."""

WEIGHTS: Final[Mapping[str, Mapping[str, float]]] = {
    spec.key: {payload.name: payload.weight for payload in payloads} for spec, payloads in PAYLOADS.items()
}
"""By a function's key and a payload's name."""
