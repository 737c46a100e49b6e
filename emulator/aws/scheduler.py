"""EventBridge Scheduler beyond ministack: universal targets, context attributes, a run out of turn.

`emulator.aws.host` installs it in each region's process; `Emulator.run_schedule` asks for a run.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

import ministack.app
from ministack.core.responses import get_region, request_scope
from ministack.services import eventbridge, scheduler

from emulator.aws import sdk_calls
from emulator.supervisor.processes import SCHEDULE_RUNS

AsgiApp = Callable[[Any, Any, Callable[[dict[str, Any]], Awaitable[None]]], Awaitable[None]]

UNIVERSAL: Final = "arn:aws:scheduler:::aws-sdk:"
SOURCE: Final = "aws.scheduler"

log = logging.getLogger(__name__)


class NoScheduleError(Exception):
    """The region has no schedule of that name."""


def install() -> None:
    """Have schedules call universal targets, and take requests to run one now."""
    invoke = eventbridge._invoke_target

    def invoked(
        target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None
    ) -> None:
        if event.get("Source") != SOURCE:
            invoke(target, event, rule, view)
            return
        try:
            _fire(invoke, event, rule, scheduled_s=_scheduled_s(rule, event["Time"]))
        except sdk_calls.SdkCallError as error:
            log.warning("schedule %s: %s: %s", rule.get("Name"), error.code, error)

    eventbridge._invoke_target = invoked
    ministack.app.app = _with_runs(ministack.app.app, invoke)


def _fire(
    invoke: Callable[..., None], event: dict[str, Any], schedule: dict[str, Any], *, scheduled_s: int
) -> None:
    """Call a schedule's target once, in its role.

    Raises:
        SdkCallError: a universal target or a state machine refused. Other targets' errors are in ministack's
            log, which looks at no role.
    """
    attributes = {
        "schedule-arn": schedule["Arn"],
        "scheduled-time": f"{datetime.fromtimestamp(scheduled_s, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "execution-id": str(uuid.uuid4()),
        "attempt-number": "1",
    }
    target = schedule["Target"]
    payload = target.get("Input") or ""
    for name, value in attributes.items():
        payload = payload.replace(f"<{SOURCE}.{name}>", value)
    if target["Arn"].startswith(UNIVERSAL):
        service, action = target["Arn"].removeprefix(UNIVERSAL).split(":")
        arguments = json.loads(payload or "{}")
    elif ":stateMachine:" in target["Arn"]:
        service, action = "sfn", "startExecution"
        arguments = {"stateMachineArn": target["Arn"], "input": payload or "{}"}
    else:
        invoke({**target, "Input": payload}, event, schedule)
        return
    sdk_calls.call(service, action, arguments, region=get_region(), role_arn=target["RoleArn"])


def _scheduled_s(schedule: dict[str, Any], now_s: float) -> int:
    """The time a schedule that fires now was due: ministack checks each ten seconds, a cron has minutes."""
    cron = schedule["ScheduleExpression"].startswith("cron(")
    return int(now_s // 60 * 60 if cron else now_s)


def _run(invoke: Callable[..., None], region: str, name: str) -> None:
    """Call the target of a schedule now, as if its time had come; it need not be enabled.

    Raises:
        NoScheduleError: there is none of that name in the region.
        SdkCallError: its target refused.
    """
    matches = [
        (account, schedule)
        for (account, schedule_region, _), schedule in list(scheduler._schedules._data.items())
        if schedule_region == region and schedule["Name"] == name
    ]
    if not matches:
        raise NoScheduleError(f"no schedule {name!r} in {region}")
    account, schedule = matches[0]
    event = {
        "EventId": str(uuid.uuid4()),
        "Source": SOURCE,
        "DetailType": "Scheduled Event",
        "Detail": "{}",
        "Time": datetime.now(UTC).timestamp(),
        "Resources": [schedule["Arn"]],
        "Account": account,
        "Region": region,
    }
    with request_scope(account, region):
        _fire(invoke, event, schedule, scheduled_s=int(event["Time"]))


def _with_runs(app: AsgiApp, invoke: Callable[..., None]) -> AsgiApp:
    """Return `app` with requests to run a schedule besides; the answer has `error` if that failed."""

    async def serve(scope: Any, receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        if scope["type"] != "http" or scope["path"] != SCHEDULE_RUNS:
            await app(scope, receive, send)
            return
        query = parse_qs(scope["query_string"].decode())
        answer = {}
        try:
            # In a thread, as the target may be in this very process.
            await asyncio.to_thread(_run, invoke, query["region"][0], query["name"][0])
        except NoScheduleError as error:
            answer = {"error": str(error)}
        except sdk_calls.SdkCallError as error:
            answer = {"error": f"its target refused: {error.code}: {error}"}
        body = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return serve
