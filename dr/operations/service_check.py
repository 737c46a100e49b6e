"""Checks that a region serves: it answers, it takes an alert, and the alert reaches people.

The alert is real and goes the whole way to Slack, at severity INFO and under a source of its own.
"""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from clients.deployment import Deployment, RegionEndpoints
from dr.operations.environment import ACCEPTED, NOT_FOUND, OK, Web
from dr.operations.facts import DeliveryFacts
from dr.operations.journal import OperationFailedError
from dr.operations.operation import StepContext, StepResult
from dr.operations.rows import read_rows
from topology.alerts import Severity, Status

SOURCE: Final = "responder-dr"
_FINAL: Final = range(400, 500)
_LATER: Final = frozenset({408, 429})
"""The answers to a wrong request, of which no later try is answered otherwise, and two that are not final.
https://www.rfc-editor.org/rfc/rfc9110#name-client-error-4xx"""


def healthy(web: Web, endpoints: RegionEndpoints) -> bool | None:
    """Whether the region's `/health` says that it is healthy; None if it does not answer."""
    answer = web.get(endpoints.health_url)
    if answer is None:
        return None
    return answer.status == OK and answer.body.get("region") == endpoints.region


def switch_shown(web: Web, endpoints: RegionEndpoints) -> bool | None:
    """Whether routing sees the region's switch on; None if it cannot tell."""
    answer = web.get(endpoints.switch_url)
    if answer is None or answer.status not in {OK, NOT_FOUND}:
        return None
    return answer.status == OK


def post_test_alert(
    deployment: Deployment, context: StepContext, *, endpoints: RegionEndpoints, web: Web
) -> StepResult:
    """Post a test alert to the region and follow it until people have it.

    The first answer may be lost and the alert posted again, which makes it a repeat: its parent is followed
    then, since a repeat is at rest at once and nobody is notified of it.

    Finds `DeliveryFacts`.

    Raises:
        OperationFailedError: it is refused or PARKED, or not accepted and delivered by the step's deadline.
        botocore.exceptions.ClientError, BotoCoreError: the region does not answer.
        IncompleteOutputsError: the region has no API key.
    """
    api_key = deployment.api_key(endpoints)
    begun_ms = context.clock.now_ms()
    mark = secrets.token_hex(8)
    body = {
        "source": SOURCE,
        "event_id": mark,
        "title": f"{endpoints.region} serves",
        "message": f"A check of disaster recovery on stack {deployment.names.stack}; nothing is to be done.",
        "severity": Severity.INFO,
    }

    def accepted() -> str | None:
        answer = web.post(endpoints.webhook_url, body, api_key=api_key)
        if answer is not None and answer.status in _FINAL and answer.status not in _LATER:
            why = answer.body.get("message") or answer.body.get("hint") or "no reason given"
            raise OperationFailedError(
                f"{endpoints.webhook_url} refuses an alert with {answer.status} ({why}): see to its API key "
                "and its deployment, then run it again"
            )
        if answer is None or answer.status != ACCEPTED:
            context.say(f"the webhook answers {answer.status if answer else 'nothing'}")
            return None
        alert_id = _first_id(answer.body)
        if alert_id is None:
            context.say(f"what answers at {endpoints.webhook_url} names no alert: it is not the webhook")
        return alert_id

    def ended() -> str | None:
        status = _status(deployment, endpoints.region, alert_id)
        context.say(f"it is {status or 'in no row'}")
        return status if status in {Status.NOTIFIED, Status.PARKED} else None

    alert_id = context.until(accepted, f"{endpoints.region} accepts an alert")
    status = context.until(ended, f"alert {alert_id} reaches people")
    if status != Status.NOTIFIED:
        raise OperationFailedError(
            f"alert {alert_id} is {status}: `responder parked show {alert_id}` says why; then run this again"
        )
    took_ms = context.clock.now_ms() - begun_ms
    return StepResult(
        f"{endpoints.region} took alert {alert_id}, {status} after {took_ms / 1_000:.1f} s",
        DeliveryFacts(alert_id=alert_id, status=status, took_ms=took_ms),
    )


def _first_id(body: Mapping[str, Any]) -> str | None:
    """The alert that a receipt is about: of a repeat its parent; None where it is no receipt."""
    try:
        receipt = body["alerts"][0]
        return str(receipt.get("parent_id") or receipt["alert_id"])
    except (AttributeError, IndexError, KeyError, TypeError):
        return None


def _status(deployment: Deployment, region: str, alert_id: str) -> str:
    """The alert's status by that region's ledger; empty without a row."""
    row = read_rows(deployment, region, [alert_id], attributes=["status"]).get(alert_id, {})
    return str(row.get("status", {}).get("S", ""))
