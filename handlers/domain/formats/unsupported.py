"""Bodies of senders that are known and not taken yet: refused by their name, so that nobody guesses.

Some look like the generic body, and whoever obeyed its hints would send alerts without their severity.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from handlers.domain.formats import Identity
from handlers.domain.refusal import RefusedError

_MARKS: Final = (
    ("Grafana", frozenset({"alerts", "orgId"})),
    ("Grafana's alerting before version 8", frozenset({"ruleName", "evalMatches"})),
    ("PagerDuty", frozenset({"event_action", "routing_key"})),
    ("Opsgenie", frozenset({"action", "alert", "integrationId"})),
    ("New Relic", frozenset({"issueUrl", "workflowName"})),
    ("New Relic", frozenset({"incident_id", "condition_name"})),
    ("Datadog", frozenset({"alert_type", "alert_transition"})),
    ("Azure Monitor", frozenset({"schemaId", "data"})),
    ("Azure Monitor", frozenset({"status", "context", "properties"})),
    ("Google Cloud Monitoring", frozenset({"incident", "version"})),
    ("EventBridge", frozenset({"detail-type", "detail"})),
    ("Sentry", frozenset({"action", "data", "installation"})),
    ("Sentry", frozenset({"project_slug", "culprit"})),
    ("CloudWatch's Lambda action", frozenset({"alarmArn", "alarmData"})),
    ("GitHub", frozenset({"action", "repository", "sender"})),
    ("Kubernetes", frozenset({"involvedObject", "reason"})),
)
"""Fields that no other body has together."""


class UnsupportedFormat:
    """Whatever carries the marks of a sender that is known and not taken yet."""

    name = "unsupported"
    last_resort = False
    members = None
    identity = Identity(event_id="none", episode="none", sent_at="none", resolution="never")
    severity = "none"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """A sender's own fields; PagerDuty's webhook has all of them inside `event`."""
        return _sender(body) is not None

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> NoReturn:
        """Refuse it by its name.

        Raises:
            RefusedError: always.
        """
        sender = _sender(body)
        raise RefusedError(
            422,
            "unsupported_sender",
            hint=f"this is a body of {sender}, which is not known here yet; have the sender's template write "
            "`source`, `title` and, so that it keeps its urgency, `severity`",
        )


def _sender(body: dict[str, Any]) -> str | None:
    event = body.get("event")
    if isinstance(event, dict) and "event_type" in event:
        return "PagerDuty"
    return next((sender for sender, marks in _MARKS if marks <= body.keys()), None)


FORMAT: Final = UnsupportedFormat()
