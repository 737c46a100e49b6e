"""The webhook: which request is answered how. Knows HTTP's words, not API Gateway's events.

Every error is `{"error", "field", "hint"}`; docs/architecture.md has the answers.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.formats import Format, parse
from handlers.domain.identity import body_hash_of
from handlers.domain.intake.heartbeats import Heartbeats
from handlers.domain.intake.reception import Reception, Submission
from handlers.domain.intake.refusals import Refusals
from handlers.domain.limits import MAX_IDEMPOTENCY_KEY_CHARS, MAX_REFUSED_NAMED
from handlers.domain.ports import CoordinationUnavailableError, Ledger, LedgerUnavailableError
from handlers.domain.refusal import RefusedError
from handlers.domain.regions.switch import Switch

_log = logging.getLogger(__name__)

RETRY_AFTER_S: Final = 5
_HINT: Final = "use POST /alerts, GET /health or GET /switch"
_KEY: Final = re.compile(rf"[\x21-\x7e]{{1,{MAX_IDEMPOTENCY_KEY_CHARS}}}")
_CONTENT_TYPE: Final = re.compile(r"application/json\s*(;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request; header names in lower case. `request_id` is the one that the API's log has."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    request_id: str = ""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer; `body` becomes JSON."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Routes requests. `probe` and `switch` have timeouts that suit a health check.

    `sources`: the formats of sources that the stack's configuration describes.
    """

    reception: Reception
    refusals: Refusals
    probe: Ledger
    switch: Switch
    heartbeats: Heartbeats
    sources: Sequence[Format] = ()

    def answer(self, request: Request, *, until_ms: int) -> Response:
        """Answer any request: a wrong one with 4xx, an unreachable ledger with 503. Input never raises."""
        try:
            match request.path.rstrip("/"), request.method:
                case "/alerts", "POST":
                    return self._take(request, until_ms)
                case "/health", "GET":
                    return self._health()
                case "/switch", "GET":
                    return self._switch()
                case path, _:
                    known = path in ("/alerts", "/health", "/switch")
                    status, code = (405, "method_not_allowed") if known else (404, "not_found")
                    return _refusal(RefusedError(status, code, hint=_HINT))
        except RefusedError as error:
            self.refusals.tell(
                "Refused a request",
                [error],
                body_format=error.body_format,
                body=request.body,
                request_id=request.request_id,
            )
            return _refusal(error)
        except LedgerUnavailableError:
            _log.exception("The ledger is unavailable, answering 503")
            return Response(
                status=503,
                headers={"Retry-After": str(RETRY_AFTER_S)},
                body={
                    "error": "ledger_unavailable",
                    "field": None,
                    "hint": f"nothing was promised: send it again in {RETRY_AFTER_S} s, or elsewhere",
                },
            )

    def _take(self, request: Request, until_ms: int) -> Response:
        key = _idempotency_key(request)
        _check_content(request)
        parsed = parse(
            request.body, request.headers, sources=self.sources, heartbeat_of=self.heartbeats.name_of
        )
        self.refusals.tell_ignored(parsed, body=request.body, request_id=request.request_id)
        if parsed.ignored_reason is not None:
            self.heartbeats.note(parsed.heartbeats)
            return Response(status=200, body={"ignored": parsed.ignored_reason, "format": parsed.format})
        submission = Submission(
            format=parsed.format,
            alerts=parsed.alerts,
            key=key,
            body_hash=body_hash_of(request.body),
        )
        rows = self.reception.accept(submission, until_ms=until_ms)
        self.heartbeats.note(parsed.heartbeats)
        for row in rows:
            _log.info(
                "Accepted an alert",
                extra={
                    "alert_id": row.alert_id,
                    "request_id": request.request_id,
                    "status": row.status,
                    "severity": row.severity,
                    "format": row.format,
                },
            )
        answer: dict[str, Any] = {
            "alerts": [_receipt(alert.index, row) for alert, row in zip(parsed.alerts, rows, strict=True)]
        }
        if parsed.refused:
            self.refusals.tell(
                "Refused members of a body",
                [member.error for member in parsed.refused],
                body_format=parsed.format,
                body=request.body,
                request_id=request.request_id,
            )
            answer["refused_count"] = len(parsed.refused)
            answer["refused"] = [
                {"index": member.index, **_refusal(member.error).body}
                for member in parsed.refused[:MAX_REFUSED_NAMED]
            ]
        if parsed.ignored:
            answer["ignored_members"] = [
                {"index": member.index, "reason": member.reason}
                for member in parsed.ignored[:MAX_REFUSED_NAMED]
            ]
        return Response(status=202, body=answer)

    def _health(self) -> Response:
        region = self.reception.region
        try:
            self.probe.probe()
        except LedgerUnavailableError:
            _log.exception("The health check failed")
            return Response(
                status=503,
                headers={"Retry-After": str(RETRY_AFTER_S)},
                body={"status": "ledger_unavailable", "region": region},
            )
        return Response(status=200, body={"status": "ok", "region": region})

    def _switch(self) -> Response:
        """200 while the switch is on; anything else leaves routing as it is, so an error counts as off."""
        region = self.reception.region
        try:
            since_ms = self.switch.since_ms()
        except CoordinationUnavailableError:
            _log.exception("The switch cannot be read")
            return Response(status=503, body={"switch": "unknown", "region": region})
        if not since_ms:
            return Response(status=404, body={"switch": "off", "region": region})
        return Response(status=200, body={"switch": "on", "region": region, "since_ms": since_ms})


def _receipt(index: int, row: Alert) -> dict[str, Any]:
    receipt = {
        "index": index,
        "alert_id": row.alert_id,
        "status": str(row.status),
        "fault_key": row.fault_key,
        "state": row.state,
    }
    if row.folded:
        receipt["folded"] = True
    return receipt | ({"parent_id": row.parent_id} if row.parent_id else {})


def _refusal(error: RefusedError) -> Response:
    return Response(
        status=error.http_status, body={"error": error.code, "field": error.field, "hint": error.hint}
    )


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise RefusedError(
            400,
            "bad_idempotency_key",
            field="Idempotency-Key",
            hint=f"send 1 to {MAX_IDEMPOTENCY_KEY_CHARS} visible ASCII characters",
        )
    return key


def _check_content(request: Request) -> None:
    if not _CONTENT_TYPE.fullmatch(request.headers.get("content-type", "").strip()):
        raise RefusedError(
            415,
            "unsupported_media_type",
            field="Content-Type",
            hint="send Content-Type: application/json in UTF-8",
        )
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise RefusedError(
            415, "unsupported_encoding", field="Content-Encoding", hint="send the body uncompressed"
        )
