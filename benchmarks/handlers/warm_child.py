"""Runs one handler and its floor in turns, for `benchmarks.handlers.warm`: what it takes of both, as JSON.

It is run by its path, with the handler's unpacked package first on the import path, so that handler and
floor use the same botocore. The floor makes the calls of `MUST` with boto3's own clients, with what the
handler sent when it made them.
"""

import importlib
import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import boto3
from botocore import client as botocore_client

MUST: Final[Mapping[str, Sequence[str]]] = {
    # Fault and earlier row, in one read each; the source's count; row; wake-up.
    "reception": ("BatchGetItem", "BatchGetItem", "UpdateItem", "PutItem", "SendMessageBatch"),
    # The row, its lease, the cache, the analysis, the wake-up.
    "analysis": ("GetItem", "UpdateItem", "GetItem", "UpdateItem", "SendMessageBatch"),
    # The row, a slot of Slack's, its lease, whether that still holds, and that it was posted.
    "distribution": ("GetItem", "GetItem", "PutItem", "UpdateItem", "BatchGetItem", "POST", "UpdateItem"),
    # Sixteen keys of what is due, two of what is parked, and what has expired of each severity.
    "recovery": ("Query",) * 23,
}
"""What a handler cannot do without, for one alert."""

_BLOCK: Final = 10
_SAID: Final = {"source": "billing", "title": "Disk almost full", "message": "93 %", "severity": "HIGH"}

Call = Callable[[], object]


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def main(function: str, blocks: int) -> None:
    """Print the processor seconds and the seconds of each block of the handler's, and of the floor's."""
    handle = importlib.import_module(f"handlers.{function}").handler
    events = _events(function)

    def invoke() -> None:
        answer = handle(next(events), _Context())
        if answer.get("statusCode", 202) != 202 or answer.get("batchItemFailures"):  # noqa: PLR2004 - accepted
            raise RuntimeError(f"{function} did not do its work: {answer}")

    invoke()  # what a first alert loads is a cold start's
    floor = _floor(function, invoke)
    for call in floor:
        call()

    def all_calls() -> None:
        for call in floor:
            call()

    taken: dict[str, list[tuple[float, float]]] = {"handler": [], "floor": []}
    for _ in range(blocks):
        taken["handler"].append(_taken(invoke))
        taken["floor"].append(_taken(all_calls))
    sys.stdout.write(json.dumps(taken))


def _taken(call: Call) -> tuple[float, float]:
    """Processor seconds of all threads, and seconds by the clock, of one alert, over a block."""
    cpu, begun = time.process_time(), time.perf_counter()
    for _ in range(_BLOCK):
        call()
    return (time.process_time() - cpu) / _BLOCK, (time.perf_counter() - begun) / _BLOCK


def _events(function: str) -> Iterator[Mapping[str, Any]]:
    """An event for each invocation, about an alert of its own."""
    number = 0
    while True:
        number += 1
        if function == "reception":
            body = json.dumps({**_SAID, "id": f"event-{number}"})
            headers = {"content-type": "application/json"}
            yield {"httpMethod": "POST", "path": "/alerts", "headers": headers, "body": body}
        elif function == "recovery":
            yield {}
        else:
            status = "known" if function == "analysis" else "analyzed"
            yield {"Records": [{"messageId": "m", "body": json.dumps({"alert_id": f"{status}-{number}"})}]}


def _floor(function: str, invoke: Call) -> list[Call]:
    """The calls of `MUST`, each with the request that the handler made.

    Raises:
        RuntimeError: the handler does without one of them, so the floor is to be mended.
    """
    made = recorded(invoke)
    clients = {service: boto3.client(service) for service in ("dynamodb", "sqs")}
    floor: list[Call] = []
    for name in MUST[function]:
        if name == "POST":
            floor.append(_post)
            continue
        found = next((call for call in made if call[1] == name), None)
        if found is None:
            raise RuntimeError(f"{function} makes no {name} any more; correct MUST")
        made.remove(found)
        service, operation, request = found
        floor.append(_bound(clients[service], operation, request))
    return floor


def _bound(client: Any, operation: str, request: Mapping[str, Any]) -> Call:
    (method,) = (name for name, made in client.meta.method_to_api_mapping.items() if made == operation)
    return lambda: getattr(client, method)(**request)


def _post() -> None:
    """Slack's POST, at the size of a message with an analysis."""
    url = os.environ["SLACK_WEBHOOK_ORIGIN"] + "services/T000/B000/bench"
    body = json.dumps({"text": "x" * 1_500}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body)) as answer:  # noqa: S310 - our own server
        answer.read()


def recorded(invoke: Call) -> list[tuple[str, str, Mapping[str, Any]]]:
    """The service, operation and request of each call of an invocation."""
    made: list[tuple[str, str, Mapping[str, Any]]] = []
    every_client: Any = botocore_client.BaseClient
    original = every_client._make_api_call  # noqa: SLF001 - what every method of a client goes through

    def record(client: Any, operation: str, request: Mapping[str, Any]) -> Any:
        made.append((client.meta.service_model.service_name, operation, request))
        return original(client, operation, request)

    every_client._make_api_call = record  # noqa: SLF001 - as above
    try:
        invoke()
    finally:
        every_client._make_api_call = original  # noqa: SLF001 - as above
    return made


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
