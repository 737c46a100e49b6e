"""Holds the limits of `emulator.aws_capacity` inside an AWS process, and counts what it does.

`emulator.aws.host` installs it. Without a limit it costs a stat of a file for each invocation and write.
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

import json
import math
import threading
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

import ministack.app
import msgspec
from ministack.services import dynamodb, lambda_svc

from emulator.aws_capacity import USAGE_PATH, CapacityFile, FunctionUse, IndexUse, IndexWrites, Usage
from topology.limits import DYNAMODB_WRITE_UNIT_BYTES

AsgiApp = Callable[[Any, Any, Callable[[dict[str, Any]], Awaitable[None]]], Awaitable[None]]
Write = Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]]

_NAMESPACE: Final = "com.amazonaws.dynamodb.v20120810"


class Capacity:
    """The limits in force in this process, and its usage. Its threads share one."""

    def __init__(self, limits: CapacityFile, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing was used yet."""
        self.usage = Usage(functions={}, index_writes={})
        self._limits = limits
        self._clock = clock
        self._turn = threading.Lock()
        self._balances: dict[str, tuple[float, float]] = {}

    def install(self) -> None:
        """Hold the limits from now on, and answer what was used."""
        lambda_svc._execute_function_dispatch = self.padded(lambda_svc._execute_function_dispatch)
        lambda_svc._emit_lambda_metrics = self.counting_throttles(lambda_svc._emit_lambda_metrics)
        dynamodb._put_item = self.limited(dynamodb._put_item)
        dynamodb._update_item = self.limited(dynamodb._update_item)
        ministack.app.app = self.answering(ministack.app.app)

    def padded(self, invoke: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        """Return `invoke` that is counted, and takes as long as it has to."""

        def invoke_padded(
            func: dict[str, Any],
            config: dict[str, Any],
            event: dict[str, Any],
            request_id: str,
            started: float,
        ) -> dict[str, Any]:
            name, begun = str(config.get("FunctionName", "")), self._clock()
            result = invoke(func, config, event, request_id, started)
            for_alerts = _works_on_alerts(event)
            for function, seconds in self._limits.read().least_s.items() if for_alerts else ():
                if name.endswith(function):
                    time.sleep(max(0.0, begun + seconds - self._clock()))
            with self._turn:
                counts = self.usage.functions if for_alerts else self.usage.background
                use = counts.setdefault(name, FunctionUse())
                use.invocations += 1
                use.errors += bool(result.get("error"))
                use.busy_s += self._clock() - begun
            return result

        return invoke_padded

    def counting_throttles(self, emit: Callable[..., None]) -> Callable[..., None]:
        """Return what ministack calls for each invocation that it throttles, which counts these."""

        def emit_and_count(name: str, duration_ms: float, *, error: bool, throttle: bool) -> None:
            emit(name, duration_ms, error, throttle)
            if throttle and not duration_ms:  # a direct call is told of once more, with how long it took
                with self._turn:
                    self.usage.functions.setdefault(name, FunctionUse()).throttles += 1

        return emit_and_count

    def limited(self, write: Write) -> Write:
        """Return a DynamoDB write that is throttled where the index's key has no units left.

        The units are taken after the write, as then its size is known; a key may so be in debt by one write.
        """

        def write_limited(data: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
            limit = self._limits.read().index_writes
            table = (
                dynamodb._tables.get(dynamodb._normalize_table_name(data.get("TableName"))) if limit else None
            )
            hash_key = _hash_key(table, limit.index) if table and limit else None
            if limit is None or table is None or hash_key is None:
                return write(data)
            item = data.get("Item") or _stored(table, data.get("Key") or {})
            if (key := item.get(hash_key)) is None:
                return write(data)
            name = f"{data['TableName']}/index/{limit.index} {next(iter(key.values()))}"
            if not self._has_units(name, limit):
                return _throttled(limit.index)
            answer = write(data)
            if answer[0] == HTTPStatus.OK:
                written = data.get("Item") or _stored(table, data.get("Key") or {})
                self._take(name, math.ceil(len(json.dumps(written)) / DYNAMODB_WRITE_UNIT_BYTES))
            return answer

        return write_limited

    def answering(self, app: AsgiApp) -> AsgiApp:
        """Return `app` with requests for the usage besides."""

        async def serve(scope: Any, receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
            if scope["type"] != "http" or scope["path"] != USAGE_PATH:
                await app(scope, receive, send)
                return
            with self._turn:
                body = msgspec.json.encode(self.usage)
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        return serve

    def _has_units(self, name: str, limit: IndexWrites) -> bool:
        """Whether the key has units left now; if not, that is counted."""
        with self._turn:
            now = self._clock()
            units, at = self._balances.get(name, (limit.burst, now))
            units = min(limit.burst, units + (now - at) * limit.per_s)
            self._balances[name] = (units, now)
            if units <= 0:
                self.usage.index_writes.setdefault(name, IndexUse()).throttles += 1
            return units > 0

    def _take(self, name: str, units: float) -> None:
        with self._turn:
            left, at = self._balances[name]
            self._balances[name] = (left - units, at)
            self.usage.index_writes.setdefault(name, IndexUse()).units += units


def _works_on_alerts(event: Any) -> bool:
    return isinstance(event, dict) and ("Records" in event or event.get("httpMethod") == "POST")


def _hash_key(table: dict[str, Any], index: str) -> str | None:
    """The index's partition key attribute; None where the table has no such index."""
    for one in table.get("GlobalSecondaryIndexes") or ():
        if one["IndexName"] == index:
            return next(str(k["AttributeName"]) for k in one["KeySchema"] if k["KeyType"] == "HASH")
    return None


def _stored(table: dict[str, Any], key: dict[str, Any]) -> dict[str, Any]:
    partition = dynamodb._extract_key_val(key.get(table["pk_name"]))
    sort = dynamodb._extract_key_val(key.get(table["sk_name"])) if table["sk_name"] else "__no_sort__"
    item: dict[str, Any] = table["items"].get(partition, {}).get(sort) or {}
    return item


def _throttled(index: str) -> tuple[int, dict[str, str], bytes]:
    """As DynamoDB answers a write that an index has no capacity for.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    """
    message = f"The level of configured provisioned throughput for the index {index} was exceeded"
    body = {"__type": f"{_NAMESPACE}#ProvisionedThroughputExceededException", "message": message}
    return HTTPStatus.BAD_REQUEST, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(body).encode()
