"""The one check that writes: it posts an alert of severity LOW and follows it until people have it."""

import secrets
import threading
from collections.abc import Mapping
from typing import Any, Final

from clients.checks import Check, Finding, failed, ok, unknown
from deploy.checks.subject import Subject
from dr.operations.environment import ACCEPTED, Clock
from dr.operations.rows import read_rows
from topology.alerts import Severity, Status

SOURCE: Final = "responder-deploy-check"
FOLLOWED_S: Final = 120.0
"""A LOW alert waits for its place in Slack's rate and may go out in a digest."""

INJECTION_WITHIN_S: Final = FOLLOWED_S + 40.0
_TRIES: Final = 2
_POLL_S: Final = 0.25
_TIMES: Final = ("accepted_at_ms", "notified_at_ms")
_READ: Final = ("status", "parked_reason", *_TIMES)


def injection(subject: Subject, clock: Clock, stopped: threading.Event) -> Check:
    """The check; `run` takes up to `INJECTION_WITHIN_S`, and follows nothing once `stopped` is set."""
    return Check(
        id="alert-reaches-slack",
        category="injection",
        title="an alert of severity LOW is accepted and reaches Slack",
        regions=subject.regions,
        actions=("apigateway:GET", "dynamodb:BatchGetItem"),
        run=lambda region: _inject(subject, region, clock, stopped),
    )


def _inject(subject: Subject, region: str, clock: Clock, stopped: threading.Event) -> Finding:
    """A hop's time is how long after the post it was seen; `pipeline` is by the ledger's own times."""
    deployment, endpoints = subject.deployment, subject.endpoints(region)
    key, begun_ms = deployment.api_key(endpoints), clock.now_ms()
    body = {
        "source": SOURCE,
        "event_id": secrets.token_hex(8),
        "title": f"{region} delivers",
        "message": f"A check of stack {deployment.names.stack} after its deployment; nothing is to be done.",
        "severity": Severity.LOW,
    }
    for _ in range(_TRIES):  # the same body again is answered with the same alert
        answer = subject.web.post(endpoints.webhook_url, body, api_key=key)
        if answer is not None and answer.status == ACCEPTED:
            break
    if answer is None:
        return failed("the webhook does not answer", "`responder dr status` says how both regions stand")
    alerts = answer.body.get("alerts")
    if answer.status != ACCEPTED or not isinstance(alerts, list) or not alerts:
        why = answer.body.get("hint") or answer.body.get("message") or "no reason given"
        return failed(
            f"the webhook answers {answer.status}: {why}", "see to the API's key and its deployment"
        )
    alert_id, hops = str(alerts[0]["alert_id"]), {"answered": clock.now_ms() - begun_ms}

    def elapsed_ms() -> int:
        return clock.now_ms() - begun_ms

    row: Mapping[str, Any] = {}
    while not stopped.is_set() and elapsed_ms() < FOLLOWED_S * 1_000:
        row = read_rows(subject.deployment, region, [alert_id], attributes=list(_READ)).get(alert_id, {})
        if _at_rest(row, hops, elapsed_ms()):
            break
        clock.sleep(_POLL_S)
    return _concluded(alert_id, row, hops)


def _at_rest(row: Mapping[str, Any], hops: dict[str, int], elapsed_ms: int) -> bool:
    """Note in `hops` when the row was first seen in its status, and tell whether it stays there."""
    status = row.get("status", {}).get("S", "")
    if status:
        hops.setdefault(status.lower(), elapsed_ms)
    return status in {Status.NOTIFIED, Status.PARKED}


def _concluded(alert_id: str, row: Mapping[str, Any], hops: dict[str, int]) -> Finding:
    status = row.get("status", {}).get("S")
    if status == Status.NOTIFIED:
        times = [int(row[name]["N"]) for name in _TIMES if name in row]
        if len(times) == len(_TIMES):
            hops["pipeline"] = times[1] - times[0]
        shown = ", ".join(f"{hop} {ms / 1_000:.1f} s" for hop, ms in hops.items())
        return ok(f"{alert_id}: {shown}", hops)
    show = f"`responder parked show {alert_id}` says why"
    if status == Status.PARKED:
        reason = row.get("parked_reason", {}).get("S", "no reason given")
        return failed(f"{alert_id} is PARKED: {reason}", show)
    if status is None:
        return unknown(f"{alert_id} was accepted, and no row of it was seen within {FOLLOWED_S:g} s")
    hint = "see the log of the function that has it next; Recovery tries it again each minute"
    return failed(f"{alert_id} is still {status} after {FOLLOWED_S:g} s", hint)
