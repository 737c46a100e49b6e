"""The supervisor's control API: HTTP on the loopback address, with the token of the run file.

`emulator.client.Emulator` is its only client.
"""

import hmac
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import hdrs, web

from emulator.aws_capacity import AwsCapacity
from emulator.aws_faults import AwsFault
from emulator.claude_latency import ClaudeLatency
from emulator.errors import EmulatorError
from emulator.protocol import NotedFault, PaceRequest, RateLimitRequest, WebhookRequest
from emulator.stand_ins.faults import Fault, FaultError
from emulator.stand_ins.slack import RateLimit

if TYPE_CHECKING:
    from emulator.supervisor.fleet import Fleet

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def control_application(fleet: "Fleet", token: str) -> web.Application:
    """The application; every route needs `Authorization: Bearer <token>`."""
    api = _Api(fleet)
    app = web.Application(middlewares=[_with_token(token), _with_errors])
    app.add_routes(
        [
            web.get("/status", api.status),
            web.get("/stand-ins", api.stand_ins),
            web.get("/slack/messages", api.slack_messages),
            web.post("/slack/webhooks", api.add_slack_webhook),
            web.put("/slack/rate-limit", api.limit_slack),
            web.get("/claude/calls", api.claude_calls),
            web.get("/claude/requests", api.claude_requests),
            web.put("/claude/latency", api.set_claude_latency),
            web.put("/claude/rate-limit", api.limit_claude),
            web.get("/health-checks", api.health_checks),
            web.put("/health-checks/pace", api.pace_health_checks),
            web.post("/faults", api.add_fault),
            web.delete("/faults", api.clear_faults),
            web.post("/aws-faults", api.add_aws_fault),
            web.put("/aws-capacity", api.limit_aws),
            web.get("/usage", api.usage),
            web.get("/fault-log", api.fault_log),
            web.post("/fault-log", api.note_fault),
            web.post("/regions/{region}/{action}", api.act),
            web.post("/regions/{region}/schedules/{name}/run", api.run_schedule),
            web.post("/checkpoint", api.checkpoint),
            web.post("/stop", api.stop),
        ]
    )
    return app


def _with_token(token: str) -> Any:
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get(hdrs.AUTHORIZATION, "").encode()
        if not hmac.compare_digest(given, expected):
            return web.json_response({"error": "RefusedError", "message": "wrong control token"}, status=401)
        return await handler(request)

    return check


@web.middleware
async def _with_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except EmulatorError as error:
        name, message = type(error).__name__, str(error)
    except (FaultError, msgspec.MsgspecError) as error:
        name, message = "RefusedError", str(error)
    return web.json_response({"error": name, "message": message}, status=409)


class _Api:
    def __init__(self, fleet: "Fleet") -> None:
        self._fleet = fleet

    async def status(self, _: web.Request) -> web.Response:
        return _json(self._fleet.status)

    async def stand_ins(self, _: web.Request) -> web.Response:
        return _json(self._fleet.stand_ins)

    async def slack_messages(self, request: web.Request) -> web.Response:
        return _json(self._fleet.slack.messages[int(request.query.get("after", "0")) :])

    async def add_slack_webhook(self, request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read(), type=WebhookRequest)
        return _json(self._fleet.slack.add_webhook(body.channel))

    async def limit_slack(self, request: web.Request) -> web.Response:
        self._fleet.slack.rate_limit = await _rate_limit(request)
        return _json(None)

    async def limit_claude(self, request: web.Request) -> web.Response:
        self._fleet.claude.rate_limit = await _rate_limit(request)
        return _json(None)

    async def set_claude_latency(self, request: web.Request) -> web.Response:
        self._fleet.claude.set_latency(msgspec.json.decode(await request.read(), type=ClaudeLatency))
        return _json(None)

    async def claude_calls(self, _: web.Request) -> web.Response:
        return _json(list(self._fleet.claude.calls))

    async def claude_requests(self, _: web.Request) -> web.Response:
        return _json(list(self._fleet.claude.requests))

    async def health_checks(self, _: web.Request) -> web.Response:
        return _json(self._fleet.names.statuses)

    async def pace_health_checks(self, request: web.Request) -> web.Response:
        self._fleet.names.set_pace(msgspec.json.decode(await request.read(), type=PaceRequest).factor)
        return _json(None)

    async def add_fault(self, request: web.Request) -> web.Response:
        self._fleet.faults.add(msgspec.json.decode(await request.read(), type=Fault))
        return _json(None)

    async def clear_faults(self, _: web.Request) -> web.Response:
        self._fleet.clear_faults()
        return _json(None)

    async def add_aws_fault(self, request: web.Request) -> web.Response:
        self._fleet.add_aws_fault(msgspec.json.decode(await request.read(), type=AwsFault))
        return _json(None)

    async def limit_aws(self, request: web.Request) -> web.Response:
        self._fleet.limit_aws(msgspec.json.decode(await request.read(), type=AwsCapacity))
        return _json(None)

    async def usage(self, _: web.Request) -> web.Response:
        return _json(await self._fleet.usage())

    async def fault_log(self, _: web.Request) -> web.Response:
        return _json(self._fleet.fault_log.entries())

    async def note_fault(self, request: web.Request) -> web.Response:
        noted = msgspec.json.decode(await request.read(), type=NotedFault)
        self._fleet.fault_log.add(
            service=noted.service, kind=noted.kind, region=noted.region, what=noted.what
        )
        return _json(None)

    async def act(self, request: web.Request) -> web.Response:
        await self._fleet.act(request.match_info["region"], request.match_info["action"])
        return _json(None)

    async def run_schedule(self, request: web.Request) -> web.Response:
        await self._fleet.run_schedule(request.match_info["region"], request.match_info["name"])
        return _json(None)

    async def checkpoint(self, _: web.Request) -> web.Response:
        await self._fleet.checkpoint()
        return _json(None)

    async def stop(self, _: web.Request) -> web.Response:
        self._fleet.stopping.set()
        return _json(None)


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


async def _rate_limit(request: web.Request) -> RateLimit | None:
    body = msgspec.json.decode(await request.read(), type=RateLimitRequest)
    return RateLimit(body.per_s, body.burst) if body.per_s else None
