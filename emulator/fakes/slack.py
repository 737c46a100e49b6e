"""A stand-in for Slack's incoming webhooks: posts are checked, kept, and can be read.

Protocol: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (handling errors).
What was posted is what `responder audit` compares the ledger with, so it is written down before `ok` is said.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from emulator.egress import SLACK_HOST
from emulator.fakes import slack_page
from emulator.fakes.block_kit import RejectedError, checked
from emulator.fakes.faults import Fault, Faults
from emulator.wire import SlackMessage

ALERT_BLOCK: Final = "alert:"
"""What the id of a message's first block starts with; the alert's id follows."""

BODY_MAX_BYTES: Final = 1_000_000
SHOWN_MAX: Final = 200


class RateLimit:
    """A token bucket for each channel: `per_s` messages a second, bursts of `burst`.

    Slack allows about 1 a second and short bursts. https://docs.slack.dev/apis/web-api/rate-limits
    """

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start full."""
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._channels: dict[str, tuple[float, float]] = {}

    def take(self, channel: str) -> float:
        """Take one message's place; 0 if there was one, else the seconds until there is."""
        now = self._clock()
        tokens, at = self._channels.get(channel, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - at) * self._per_s)
        if tokens < 1:
            self._channels[channel] = (tokens, now)
            return (1 - tokens) / self._per_s
        self._channels[channel] = (tokens - 1, now)
        return 0.0


class FakeSlack:
    """Webhooks, the messages they brought, and a page to read them."""

    def __init__(self, record: Path, faults: Faults) -> None:
        """`record`: the JSON-lines file of accepted messages, made anew."""
        record.touch(mode=0o600)
        self._record = record.open("w", encoding="utf-8", buffering=1)
        self._faults = faults
        self._channels: dict[str, str] = {}
        self.messages: list[SlackMessage] = []
        self.rate_limit: RateLimit | None = None

    def add_webhook(self, channel: str) -> str:
        """Make another webhook for `channel`; return its URL, which is a secret."""
        path = f"T{secrets.token_hex(4).upper()}/B{secrets.token_hex(4).upper()}/{secrets.token_hex(12)}"
        self._channels[path] = channel
        return f"http://{SLACK_HOST}/services/{path}"

    def webhooks(self, region: str) -> web.Application:
        """The application that `region` posts to."""

        async def handle(request: web.Request) -> web.Response:
            return await self._post(request, region)

        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_post("/services/{path:.+}", handle)
        return app

    def reader(self) -> web.Application:
        """The application that a person reads: a page at `/`, JSON at `/messages`."""

        async def page(_: web.Request) -> web.Response:
            return slack_page.response(self.messages[-SHOWN_MAX:], total=len(self.messages))

        async def messages(_: web.Request) -> web.Response:
            return web.Response(body=msgspec.json.encode(self.messages), content_type="application/json")

        app = web.Application()
        app.router.add_get("/", page)
        app.router.add_get("/messages", messages)
        return app

    def close(self) -> None:
        """Close the record."""
        self._record.close()

    async def _post(self, request: web.Request, region: str) -> web.Response:
        fault = self._faults.meet("slack", region)
        if fault is not None and (answer := await _answer(fault, request)):
            return answer
        channel = self._channels.get(request.match_info["path"])
        if channel is None:
            return web.Response(status=403, text="invalid_token")
        try:
            payload = checked(await request.read())
        except RejectedError as error:
            return web.Response(status=400, text=error.code)
        if self.rate_limit is not None and (wait_s := self.rate_limit.take(channel)):
            return _rate_limited(wait_s)
        self._keep(payload, channel, region)
        if fault is not None and fault.kind == "reset_after_accept":
            return drop(request)
        return web.Response(text="ok")

    def _keep(self, payload: dict[str, Any], channel: str, region: str) -> None:
        ids = [block.get("block_id") or "" for block in payload.get("blocks") or []]
        message = SlackMessage(
            received_at_ms=time.time_ns() // 1_000_000,
            channel=channel,
            alert_ids=tuple(one.removeprefix(ALERT_BLOCK) for one in ids if one.startswith(ALERT_BLOCK)),
            region=region,
            payload=payload,
        )
        self._record.write(msgspec.json.encode(message).decode() + "\n")
        self.messages.append(message)


def drop(request: web.Request) -> web.Response:
    """Close the connection without an answer; the response is only what aiohttp asks for."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


async def _answer(fault: Fault, request: web.Request) -> web.Response | None:
    """What the fault answers in the place of Slack; None if Slack goes on."""
    answers = {
        "server_error": (500, "rollup_error"),
        "invalid_token": (403, "invalid_token"),
        "no_active_hooks": (404, "no_active_hooks"),
        "channel_is_archived": (410, "channel_is_archived"),
    }
    if fault.kind in answers:
        status, text = answers[fault.kind]
        return web.Response(status=status, text=text)
    if fault.kind == "rate_limited":
        return _rate_limited(fault.retry_after_s)
    if fault.kind in {"slow", "hang"}:
        await asyncio.sleep(fault.delay_s)
    return drop(request) if fault.kind in {"hang", "reset"} else None


def _rate_limited(wait_s: float) -> web.Response:
    return web.Response(status=429, text="rate_limited", headers={"Retry-After": str(math.ceil(wait_s))})
