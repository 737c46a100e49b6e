"""A stand-in for Anthropic's Messages API: structured answers, token counts, and the real failures.

Protocol: https://platform.claude.com/docs/en/api/messages, .../api/models/retrieve and .../api/errors, and
the types of the `anthropic` SDK 2.12, which the tests drive it with.
"""

import asyncio
import json
import math
import secrets
import time
from collections import deque
from contextlib import suppress
from typing import Any, Final

from aiohttp import hdrs, web

from emulator.claude_latency import QUICK, ClaudeLatency
from emulator.protocol import ClaudeCall
from emulator.stand_ins.faults import Fault, Faults
from emulator.stand_ins.schema_sample import SchemaError, sample, title_of
from emulator.stand_ins.slack import RateLimit, drop

BODY_MAX_BYTES: Final = 32 * 1024 * 1024
"""https://platform.claude.com/docs/en/api/errors (request size limits)"""

CHARS_PER_TOKEN: Final = 4
CALLS_KEPT: Final = 10_000
REQUESTS_KEPT: Final = 1_000
REQUEST_KEPT_CHARS: Final = 131_072
"""Of a body: more than the handlers send, with all escapes."""

_GARBLED: Final = r"\ud83d \u00g1 "
"""Half of a surrogate pair, and an escape that is none: what a model writes now and then in JSON's text."""

_ERRORS: Final = {
    200: "overloaded_error",
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
_FAULTS: Final = {
    "rate_limited": (429, "This request would exceed your organization's rate limit"),
    "overloaded": (529, "Overloaded"),
    "error_as_200": (200, "Overloaded"),
    "server_error": (500, "Internal server error"),
    "spend_limit": (
        400,
        "You have reached your specified API usage limits. You will regain access next month.",
    ),
}


class _Refused(Exception):  # noqa: N818 - a refusal of this API, not an error of this program
    def __init__(self, status: int, message: str, *, retry_after_s: int | None = None) -> None:
        self.status = status
        self.retry_after_s = retry_after_s
        super().__init__(message)


class ClaudeStandIn:
    """One API with one key, the calls it took, and what it was sent."""

    def __init__(self, faults: Faults, *, latency: ClaudeLatency = QUICK) -> None:
        """Answers take as long as `latency` says."""
        self.api_key = f"sk-ant-local-{secrets.token_hex(16)}"
        self.calls: deque[ClaudeCall] = deque(maxlen=CALLS_KEPT)
        self.requests: deque[str] = deque(maxlen=REQUESTS_KEPT)
        """The bodies that came, as they came, whatever was answered."""
        self._faults = faults
        self.rate_limit: RateLimit | None = None
        self.set_latency(latency)

    def set_latency(self, latency: ClaudeLatency) -> None:
        """From now on, answers take as long as `latency` says, from its first sample on."""
        self._latencies_s = latency.samples()

    def application(self, region: str) -> web.Application:
        """The application that `region` calls."""

        async def handle(request: web.Request) -> web.Response:
            return await self._messages(request, region)

        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_post("/v1/messages", handle)
        app.router.add_get("/v1/models/{model}", self._model)
        return app

    async def _messages(self, request: web.Request, region: str) -> web.Response:
        model, fault = "unknown", None
        try:
            body = await self._checked(request)
            model = body["model"]
            self._hold_limit(model)
            cleared, fault = self._faults.cleared, self._faults.meet("claude", region)
            if delay_s := _delay_s(fault):
                with suppress(TimeoutError):
                    await asyncio.wait_for(cleared.wait(), delay_s)
            else:
                await asyncio.sleep(next(self._latencies_s))
            if fault is not None and fault.kind in {"hang", "reset"}:
                return drop(request)
            message = _message(body, fault)
        except _Refused as error:
            self._keep(region, model, error.status)
            retry_after = fault.retry_after_s if error.status == 429 and fault else error.retry_after_s  # noqa: PLR2004 - HTTP
            return _error(error.status, str(error), retry_after)
        self._keep(region, model, 200, message)
        headers = {"request-id": _id("req_")}
        if fault is not None and fault.kind == "event_stream":
            return web.Response(
                body=_event_stream(message), content_type="text/event-stream", headers=headers
            )
        return web.json_response(message, headers=headers)

    async def _model(self, request: web.Request) -> web.Response:
        """What there is to know of a model; a key that is not this API's knows none."""
        model = request.match_info["model"]
        try:
            self._check_caller(request)
        except _Refused as error:
            return _error(error.status, str(error), None)
        if not model.startswith("claude-"):
            return _error(404, f"model: {model}", None)
        made = {"type": "model", "id": model, "display_name": model, "created_at": "2026-01-01T00:00:00Z"}
        return web.json_response(made, headers={"request-id": _id("req_")})

    def _check_caller(self, request: web.Request) -> None:
        # SDK 2.12 sends the key as a bearer token, the API reference shows x-api-key: both are right.
        bearer = request.headers.get(hdrs.AUTHORIZATION, "").removeprefix("Bearer ")
        if self.api_key not in {request.headers.get("x-api-key"), bearer}:
            raise _Refused(401, "invalid x-api-key")
        if "anthropic-version" not in request.headers:
            raise _Refused(400, "anthropic-version: header is required")

    async def _checked(self, request: web.Request) -> dict[str, Any]:
        self._check_caller(request)
        received = await request.read()
        self.requests.append(received.decode(errors="replace")[:REQUEST_KEPT_CHARS])
        try:
            body = json.loads(received)
        except (ValueError, RecursionError):
            raise _Refused(400, "The request body is not valid JSON") from None
        if not isinstance(body, dict):
            raise _Refused(400, "The request body must be an object")
        for name, kind in (("model", str), ("max_tokens", int), ("messages", list)):
            if not isinstance(body.get(name), kind) or not body[name]:
                raise _Refused(400, f"{name}: Field required")
        if body.get("stream"):
            raise _Refused(400, "stream: this stand-in does not stream; ask for a whole message")
        return body

    def _hold_limit(self, model: str) -> None:
        """Refuse a call beyond the rate limit at once, and say when one would be within it."""
        if self.rate_limit is not None and (wait_s := self.rate_limit.take(model)):
            raise _Refused(*_FAULTS["rate_limited"], retry_after_s=math.ceil(wait_s))

    def _keep(self, region: str, model: str, status: int, message: dict[str, Any] | None = None) -> None:
        usage = message["usage"] if message else {"input_tokens": 0, "output_tokens": 0}
        self.calls.append(
            ClaudeCall(
                received_at_ms=time.time_ns() // 1_000_000, region=region, model=model, status=status,
                stop_reason=message["stop_reason"] if message else None,
                input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"],
            )
        )  # fmt: skip


def _delay_s(fault: Fault | None) -> float:
    return fault.delay_s if fault is not None and fault.kind in {"slow", "hang"} else 0.0


def _message(body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
    """The `Message` that answers `body`, spoiled by `fault` if it is of that kind, or `_Refused` by it."""
    kind = fault.kind if fault else ""
    if kind in _FAULTS:
        raise _Refused(*_FAULTS[kind])
    text, stop_reason = _text(body), "end_turn"
    if kind == "malformed":
        text = text[: len(text) // 2] + "…"
    elif kind == "truncated":
        text, stop_reason = text[: len(text) // 2], "max_tokens"
    elif kind == "refusal":
        text, stop_reason = "", "refusal"
    elif kind == "empty_content":
        text = ""
    elif kind == "garbled_escape":
        text = text.replace(': "', ': "' + _GARBLED, 1)
    elif kind == "empty_action":
        text = text.replace('["', '["", "', 1)
    return {
        "id": _id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": _tokens(json.dumps([body.get("system"), body["messages"]])),
            "output_tokens": _tokens(text),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def _event_stream(message: dict[str, Any]) -> bytes:
    """A message as the stream of events that `stream: true` asks for.

    https://platform.claude.com/docs/en/build-with-claude/streaming
    """
    begun = {**message, "content": [], "stop_reason": None}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(message["content"]):
        delta = {"type": "text_delta", "text": block["text"]}
        events += [
            {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    events += [
        {"type": "message_delta", "delta": ending, "usage": message["usage"]},
        {"type": "message_stop"},
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def _text(body: dict[str, Any]) -> str:
    prompt = _prompt(body["messages"])
    output_format = (body.get("output_config") or {}).get("format")
    if output_format is None:
        return f"Analysis of “{title_of(prompt)}”: the component is degraded; check its latest deployment."
    if output_format.get("type") != "json_schema" or not isinstance(output_format.get("schema"), dict):
        raise _Refused(400, "output_config.format: a json_schema with its schema is needed")
    try:
        return json.dumps(sample(output_format["schema"], prompt), ensure_ascii=False)
    except SchemaError as error:
        raise _Refused(400, f"output_config.format.schema: {error}") from error


def _prompt(messages: list[Any]) -> str:
    """The text of the last message of the user."""
    of_user = [m for m in messages if isinstance(m, dict) and m.get("role") == "user"]
    if not of_user:
        raise _Refused(400, "messages: at least one message of the user is needed")
    content = of_user[-1].get("content")
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or [] if isinstance(part, dict))


def _tokens(text: str) -> int:
    return math.ceil(len(text) / CHARS_PER_TOKEN)


def _id(prefix: str) -> str:
    return prefix + secrets.token_hex(12)


def _error(status: int, message: str, retry_after_s: int | None) -> web.Response:
    request_id = _id("req_")
    headers = {"request-id": request_id}
    if retry_after_s is not None:
        headers["retry-after"] = str(retry_after_s)
    error = {"type": _ERRORS[status], "message": message}
    return web.json_response(
        {"type": "error", "error": error, "request_id": request_id}, status=status, headers=headers
    )
