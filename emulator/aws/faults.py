"""The faults of `emulator.aws_faults`, injected inside an AWS process: around its invocations and its calls.

`emulator.aws.host` installs them; without a fault in force they cost one stat of a file. A fault proxy
in front of the process (microburst was weighed) would see the calls, but neither the invocations by queue
mappings nor those by schedules, which never pass a socket.
"""

import json
import random
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import ministack.app
from ministack.services import lambda_svc

from emulator.aws_faults import PERCENT_MAX, AwsFault, AwsService, FaultFile
from emulator.fault_log import FaultLog
from emulator.sigv4 import scope_in

Invoke = Callable[[dict[str, Any], dict[str, Any], dict[str, Any], str, float], dict[str, Any]]
AsgiApp = Callable[[Any, Any, Callable[[dict[str, Any]], Awaitable[None]]], Awaitable[None]]

DYNAMODB_TARGET: Final = b"DynamoDB_20120810."
"""The start of X-Amz-Target; the operation follows.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html"""

THROTTLED: Final = json.dumps(
    {
        "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "message": "The level of configured provisioned throughput for the table was exceeded (injected)",
    }
).encode()
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html"""


def inject(faults: FaultFile, log: FaultLog) -> None:
    """Inject the faults in force into this process's invocations and calls."""
    lambda_svc._execute_function_dispatch = faulty_invocations(  # noqa: SLF001 - where each invocation passes once
        lambda_svc._execute_function_dispatch,  # noqa: SLF001 - as above
        faults,
        log,
    )
    ministack.app.app = faulty_calls(ministack.app.app, faults, log)


def faulty_invocations(invoke: Invoke, faults: FaultFile, log: FaultLog) -> Invoke:
    """Return `invoke` with failures before it runs, or after it ran with all its effects."""

    def faulty(
        func: dict[str, Any], config: dict[str, Any], event: dict[str, Any], request_id: str, started: float
    ) -> dict[str, Any]:
        name = str(config.get("FunctionName", ""))
        region = str(config.get("FunctionArn", ":::")).split(":")[3]
        fault = _met(faults, "lambda", region, name)
        if fault is None:
            return invoke(func, config, event, request_id, started)
        if fault.kind == "error_after":
            invoke(func, config, event, request_id, started)
        log.add(service="lambda", kind=fault.kind, region=region, what=name)
        message = f"injected: the invocation failed ({fault.kind})"
        return {"body": {"errorMessage": message, "errorType": "InjectedFault"}, "error": True, "log": ""}

    return faulty


def faulty_calls(app: AsgiApp, faults: FaultFile, log: FaultLog) -> AsgiApp:
    """Return `app`, in which some DynamoDB calls are throttled before they do anything."""

    async def faulty(scope: Any, receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        target = headers.get(b"x-amz-target", b"")
        if not target.startswith(DYNAMODB_TARGET) or not faults.read():
            await app(scope, receive, send)
            return
        signed_for = scope_in(headers.get(b"authorization", b"").decode("latin-1"))
        region = signed_for.region if signed_for else ""
        if _met(faults, "dynamodb", region) is None:
            await app(scope, receive, send)
            return
        operation = target.removeprefix(DYNAMODB_TARGET).decode("latin-1")
        log.add(service="dynamodb", kind="throttled", region=region, what=operation)
        await _answer_throttled(receive, send)

    return faulty


async def _answer_throttled(receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """Read the whole request, as a server must that keeps its connections, and answer."""
    while (await receive()).get("more_body"):
        pass
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "content-length": str(len(THROTTLED)),
        "x-amz-crc32": str(zlib.crc32(THROTTLED)),
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 400, "headers": raw})
    await send({"type": "http.response.body", "body": THROTTLED})


def _met(faults: FaultFile, service: AwsService, region: str, function: str = "") -> AwsFault | None:
    """The first fault that this call or invocation meets; each is drawn by its own percentage."""
    for fault in faults.read():
        fits = (
            fault.service == service
            and fault.region in {None, region}
            and function.endswith(fault.function or "")
        )
        if fits and random.random() * PERCENT_MAX < fault.percent:  # noqa: S311 - whether a fault fires is no secret
            return fault
    return None
