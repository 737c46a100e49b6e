"""A stand-in for Slack: incoming webhooks, and the methods of the Web API that post, edit and test a token.

Posts are checked, kept, and can be read. Protocols:
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (handling errors),
https://docs.slack.dev/reference/methods/chat.postMessage, https://docs.slack.dev/reference/methods/chat.update
and https://docs.slack.dev/reference/methods/auth.test
What was posted is what `responder audit` compares the ledger with, so it is written down before `ok` is said.
"""

import asyncio
import math
import re
import secrets
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import hdrs, web

from emulator.protocol import SlackMessage
from emulator.stand_ins import slack_marks, slack_page
from emulator.stand_ins.block_kit import RejectedError, checked
from emulator.stand_ins.faults import Fault, Faults
from emulator.supervisor.egress import SLACK_HOST

BODY_MAX_BYTES: Final = 1_000_000

_TS: Final = re.compile(r"\d{10}\.\d{6}")


class RateLimit:
    """A token bucket for each channel: `per_s` messages a second, bursts of `burst`. Claude's is by model.

    Slack allows about 1 a second and short bursts. https://docs.slack.dev/apis/web-api/rate-limits
    Claude's limits are buckets too. https://platform.claude.com/docs/en/api/rate-limits
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


class SlackStandIn:
    """Webhooks, a bot, the messages and edits they brought, and a page to read them."""

    def __init__(self, record: Path, faults: Faults) -> None:
        """`record`: the JSON-lines file of accepted messages, made anew; an edit is a line of its own."""
        record.touch(mode=0o600)
        self._record = record.open("w", encoding="utf-8", buffering=1)
        self._faults = faults
        self._webhooks: dict[str, str] = {}
        self._channels: dict[str, str] = {}
        self.bot_token = f"xoxb-local-{secrets.token_hex(16)}"
        self._threads: dict[tuple[str, str], str] = {}
        self._editable: dict[tuple[str, str], SlackMessage] = {}
        self.messages: list[SlackMessage] = []
        self.rate_limit: RateLimit | None = None
        self.rate_limited = 0

    def add_webhook(self, channel: str) -> str:
        """Make another webhook for `channel`; return its URL, which is a secret."""
        path = f"T{secrets.token_hex(4).upper()}/B{secrets.token_hex(4).upper()}/{secrets.token_hex(12)}"
        self._webhooks[path] = channel
        return f"http://{SLACK_HOST}/services/{path}"

    def add_channel(self, channel: str) -> str:
        """Give the bot a seat in `channel`; return the channel's id."""
        channel_id = f"C{secrets.token_hex(5).upper()}"
        self._channels[channel_id] = channel
        return channel_id

    def application(self, region: str) -> web.Application:
        """The application that `region` posts to: webhooks and Web API."""

        async def to_webhook(request: web.Request) -> web.Response:
            return await self._to_webhook(request, region)

        async def call(request: web.Request) -> web.Response:
            return await self._call(request, region)

        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_post("/services/{path:.+}", to_webhook)
        app.router.add_post("/api/{method}", call)
        return app

    def reader(self) -> web.Application:
        """The application that a person reads: a page at `/`, JSON at `/messages`."""

        async def page(request: web.Request) -> web.Response:
            return slack_page.response(self.messages, channel=request.query.get("channel"))

        async def messages(_: web.Request) -> web.Response:
            return web.Response(body=msgspec.json.encode(self.messages), content_type="application/json")

        app = web.Application()
        app.router.add_get("/", page)
        app.router.add_get("/messages", messages)
        return app

    def close(self) -> None:
        """Close the record."""
        self._record.close()

    async def _to_webhook(self, request: web.Request, region: str) -> web.Response:
        fault = self._faults.meet("slack", region)
        if fault is not None and (answer := await _answer(fault, request, _WEBHOOK_FAULTS)):
            return answer
        channel = self._webhooks.get(request.match_info["path"])
        if channel is None:
            return web.Response(status=403, text="invalid_token")
        try:
            payload = checked(await request.read())
            _refuse_layout(fault, payload)
        except RejectedError as error:
            return web.Response(status=400, text=error.code)
        if wait_s := self._wait_s(channel):
            return _rate_limited(wait_s, "rate_limited")
        self._post(payload, channel, region)
        return _after_accept(fault, request, _WEBHOOK_FAULTS) or web.Response(text="ok")

    async def _call(self, request: web.Request, region: str) -> web.Response:
        """One call of the Web API, which answers 200 to nearly everything and says more in its body."""
        fault = self._faults.meet("slack", region)
        if fault is not None and (answer := await _answer(fault, request, _API_FAULTS)):
            return answer
        try:
            answered = self._called(request, await request.read(), region, fault)
        except RejectedError as error:
            code = "invalid_json" if error.code == "invalid_payload" else error.code
            return web.json_response({"ok": False, "error": code})
        accepted = answered.status == HTTPStatus.OK
        return (_after_accept(fault, request, _API_FAULTS) if accepted else None) or answered

    def _called(self, request: web.Request, body: bytes, region: str, fault: Fault | None) -> web.Response:
        method = request.match_info["method"]
        if method not in {"auth.test", "chat.postMessage", "chat.update"}:
            raise RejectedError("unknown_method", f"this stand-in has no {method}")
        bearer = request.headers.get(hdrs.AUTHORIZATION, "").removeprefix("Bearer ")
        if bearer != self.bot_token:
            raise RejectedError("invalid_auth" if bearer else "not_authed", "not the bot's token")
        if method == "auth.test":
            return web.json_response({"ok": True, "team": "stand-in", "user": "responder"})
        payload = checked(body)
        _refuse_layout(fault, payload)
        channel_id = payload.get("channel")
        channel = self._channels.get(channel_id) if isinstance(channel_id, str) else None
        if channel is None:
            raise RejectedError("channel_not_found", "the bot has no seat in this channel")
        edits = method == "chat.update"
        if wait_s := self._wait_s(method if edits else channel):
            return _rate_limited(wait_s, '{"ok":false,"error":"ratelimited"}')
        if edits:
            message = self._edit(payload, channel, region)
        else:
            message = self._post(payload, channel, region)
            self._editable[channel, message.ts] = message
        shown = {name: value for name, value in payload.items() if name != "thread_ts"}
        if message.thread_ts:
            shown["thread_ts"] = message.thread_ts
        return web.json_response({"ok": True, "channel": channel_id, "ts": message.ts, "message": shown})

    def _wait_s(self, limited: str) -> float:
        """0 if the limit of a channel or method has room for one more, else the seconds until it has.

        Posts are limited by channel, edits by method. https://docs.slack.dev/apis/web-api/rate-limits
        """
        wait_s = 0.0 if self.rate_limit is None else self.rate_limit.take(limited)
        self.rate_limited += wait_s > 0
        return wait_s

    def _post(self, payload: dict[str, Any], channel: str, region: str) -> SlackMessage:
        """Take a message; one that replies to what is not there stands alone, as Slack has it.

        https://github.com/slack-go/slack/issues/1571
        """
        thread_ts = payload.get("thread_ts") or ""
        if thread_ts and (not isinstance(thread_ts, str) or not _TS.fullmatch(thread_ts)):
            raise RejectedError("invalid_thread_ts", "thread_ts is the ts of a message")
        at_us = time.time_ns() // 1_000
        return self._take(
            SlackMessage(
                received_at_ms=at_us // 1_000,
                channel=channel,
                region=region,
                payload=payload,
                ts=f"{at_us // 1_000_000}.{at_us % 1_000_000:06}",
                thread_ts=self._threads.get((channel, thread_ts), ""),
                **slack_marks.marks_of(payload),
            )
        )

    def _edit(self, payload: dict[str, Any], channel: str, region: str) -> SlackMessage:
        """Take an edit: it is received now, and read in the place of the bot's message that it is of."""
        key = (channel, str(payload.get("ts")))
        if key not in self._threads:
            raise RejectedError("message_not_found", "no message of this channel has this ts")
        if key not in self._editable:
            raise RejectedError("cant_update_message", "it was not posted by this bot")
        return self._take(
            SlackMessage(
                received_at_ms=time.time_ns() // 1_000_000,
                channel=channel,
                region=region,
                payload=payload,
                ts=key[1],
                thread_ts=self._editable[key].thread_ts,
                edited=True,
                **slack_marks.marks_of(payload),
            )
        )

    def _take(self, message: SlackMessage) -> SlackMessage:
        """Keep it, on disk first. The thread of a message that is a reply is that of what it replies to."""
        self._record.write(msgspec.json.encode(message).decode() + "\n")
        self._threads[message.channel, message.ts] = message.thread_ts or message.ts
        self.messages.append(message)
        return message


def drop(request: web.Request) -> web.Response:
    """Close the connection without an answer; the response is only what aiohttp asks for."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


_WEBHOOK_FAULTS: Final = {
    "server_error": (500, "rollup_error"),
    "invalid_token": (403, "invalid_token"),
    "no_active_hooks": (404, "no_active_hooks"),
    "channel_is_archived": (410, "channel_is_archived"),
    "invalid_payload": (400, "invalid_payload"),
    "rate_limited": (429, "rate_limited"),
}
_API_FAULTS: Final = {
    "server_error": (500, '{"ok":false,"error":"internal_error"}'),
    "invalid_token": (200, '{"ok":false,"error":"invalid_auth"}'),
    "no_active_hooks": (200, '{"ok":false,"error":"channel_not_found"}'),
    "channel_is_archived": (200, '{"ok":false,"error":"is_archived"}'),
    "invalid_payload": (200, '{"ok":false,"error":"invalid_blocks"}'),
    "rate_limited": (429, '{"ok":false,"error":"ratelimited"}'),
}
"""How each way in says it: status and body."""


async def _answer(
    fault: Fault, request: web.Request, answers: Mapping[str, tuple[int, str]]
) -> web.Response | None:
    """What the fault answers in the place of Slack; None if Slack goes on."""
    if fault.kind == "rate_limited":
        return _rate_limited(fault.retry_after_s, answers[fault.kind][1])
    if fault.kind in answers:
        status, text = answers[fault.kind]
        return web.Response(status=status, text=text)
    if fault.kind in {"slow", "hang"}:
        await asyncio.sleep(fault.delay_s)
    return drop(request) if fault.kind in {"hang", "reset"} else None


def _refuse_layout(fault: Fault | None, payload: Mapping[str, Any]) -> None:
    """Refuse a message with blocks if that is the fault; one of text alone has no layout."""
    if fault is not None and fault.kind == "invalid_blocks" and payload.get("blocks"):
        raise RejectedError("invalid_blocks", "as the fault asks")


def _after_accept(
    fault: Fault | None, request: web.Request, answers: Mapping[str, tuple[int, str]]
) -> web.Response | None:
    """What the fault answers for a message that was posted; None if Slack says so."""
    if fault is not None and fault.kind == "reset_after_accept":
        return drop(request)
    if fault is not None and fault.kind == "server_error_after_accept":
        status, text = answers["server_error"]
        return web.Response(status=status, text=text)
    return None


def _rate_limited(wait_s: float, text: str) -> web.Response:
    return web.Response(status=429, text=text, headers={"Retry-After": str(math.ceil(wait_s))})
