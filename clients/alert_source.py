"""The alerts that demos, drills, experiments and load tests send: each is made from its number alone.

So processes can share a load, and a load that is resumed repeats none. What a real shop sends, it is made of:
few causes, since most analyses come from the cache; faults that come and go; several formats.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from zlib import crc32

from clients.load import Post
from clients.receipts import Tells
from clients.sender import Webhook
from topology.alerts import FaultState, Severity

SERVICES: Final = ("checkout", "orders-db", "search", "payments", "mail", "images", "login", "warehouse")
SYMPTOMS: Final = (
    "connection pool is exhausted", "p99 latency is over its objective", "disk is almost full",
    "certificate expires soon", "replica lags behind", "queue depth grows", "error rate is over 1 %",
    "memory is close to its limit",
)  # fmt: skip
CAUSES_MAX: Final = len(SERVICES) * len(SYMPTOMS)

_OTHER_SEVERITIES: Final = (
    *(Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.HIGH, Severity.MEDIUM),
    *(Severity.INFO, Severity.HIGH, Severity.MEDIUM, Severity.LOW),
)
_HOSTS: Final = 60
_FLAPPING_EACH: Final = 10
_FLAPPING: Final = 8
"""Faults that come and go: each is told of every 80 alerts, so that what clocks cannot order is rare."""


def new_run() -> str:
    """A text that no other run has: it makes a run's alerts new, on the same stack too."""
    return f"{time.time_ns():x}"


@dataclass(frozen=True)
class MadeAlert:
    """One alert, whatever format it is to be sent in."""

    source: str
    event_id: str
    state: FaultState
    severity: Severity
    service: str
    symptom: str
    host: str
    text: str


def _generic(alert: MadeAlert) -> dict[str, object]:
    return {
        "source": alert.source,
        "event_id": alert.event_id,
        "status": str(alert.state),
        "title": f"{alert.service}: {alert.symptom}",
        "message": alert.text,
        "severity": str(alert.severity),
        "component": alert.service,
        "host": alert.host,
    }


def _alertmanager(alert: MadeAlert) -> dict[str, object]:
    """https://prometheus.io/docs/alerting/latest/configuration/#webhook_config."""
    now = datetime.now(UTC).isoformat()
    labels = {
        "alertname": alert.service,
        "severity": str(alert.severity).lower(),
        "service": alert.service,
        "instance": alert.host,
        "event": alert.event_id,
    }
    member = {
        "status": str(alert.state),
        "labels": labels,
        "annotations": {"summary": alert.symptom, "description": alert.text},
        "startsAt": now,
        "endsAt": "0001-01-01T00:00:00Z" if alert.state is FaultState.FIRING else now,
        "generatorURL": "",
        "fingerprint": alert.event_id[-16:],
    }
    group = {"alertname": labels["alertname"]}
    return {
        "version": "4",
        "groupKey": f"{{}}:{alert.event_id}",
        "truncatedAlerts": 0,
        "status": str(alert.state),
        "receiver": alert.source,
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": member["annotations"],
        "externalURL": "",
        "alerts": [member],
    }


FORMATS: Final[Mapping[str, Callable[[MadeAlert], dict[str, object]]]] = {
    "generic": _generic,
    "alertmanager": _alertmanager,
}
"""The formats of the webhook whose alerts carry a severity."""


@dataclass(frozen=True, kw_only=True)
class AlertSource:
    """Makes alerts of `causes` causes, 1 to `CAUSES_MAX`, or each of its own cause with `distinct_causes`.

    Causes of their own are no other run's: what was analysed before answers for none of them.
    `source` is the name under which they come in, `run` makes them new. `flapping`: every tenth tells of one
    of a few faults that come and go, each time of a change. `repeats_percent` are sent again as an earlier
    one was, as sources do that hear of no change. `formats` are mixed evenly.
    """

    source: str
    run: str = field(default_factory=new_run)
    causes: int = len(SYMPTOMS)
    distinct_causes: bool = False
    critical_percent: float = 10.0
    flapping: bool = False
    repeats_percent: float = 0.0
    formats: tuple[str, ...] = ("generic",)

    def post(self, number: int, webhooks: tuple[Webhook, ...]) -> Post:
        """Alert `number`, to the first of these webhooks that takes it."""
        while number and scattered(number) % 1_000 < self.repeats_percent * 10:
            number //= 2
        alert = self.alert(number)
        body = FORMATS[self.formats[scattered(number) % len(self.formats)]](alert)
        return Post(body, webhooks, (Tells(fault=alert.event_id, state=alert.state),), alert.severity)

    def alert(self, number: int) -> MadeAlert:
        """Alert `number`. No two are alike."""
        event, state, fault = f"{self.run}-{number:06d}", FaultState.FIRING, number
        turn, rest = divmod(number, _FLAPPING_EACH)
        if self.flapping and rest == 0:
            changes, fault = divmod(turn, _FLAPPING)
            event = f"{self.run}-flapping-{fault}"
            state = FaultState.RESOLVED if changes % 2 else FaultState.FIRING
        causes = 1 if self.distinct_causes else self.causes
        # Moved by one each round, so that no cause has all of a severity.
        kind, place = divmod((fault + fault // causes) % causes, len(SERVICES))
        own = _word(crc32(self.run.encode()) + fault)
        service = f"service-{own}" if self.distinct_causes else SERVICES[place]
        symptom = SYMPTOMS[(kind + place) % len(SYMPTOMS)]
        return MadeAlert(
            source=self.source,
            event_id=event,
            state=state,
            severity=self._severity(fault),
            service=service,
            symptom=symptom,
            host=f"{service}-{fault % _HOSTS}",
            text=f"{symptom} (alert {number} of {self.source})",
        )

    def _severity(self, number: int) -> Severity:
        """CRITICAL as often as asked for, evenly spread and the last of each interval."""
        share = self.critical_percent / 100
        if int((number + 1) * share + 1e-9) > int(number * share + 1e-9):
            return Severity.CRITICAL
        return _OTHER_SEVERITIES[number % len(_OTHER_SEVERITIES)]


def scattered(number: int) -> int:
    """A number to choose by: the same for the same `number`, in step with nothing that comes at intervals.

    Every second alert of a format or to a region would give one of them all CRITICAL ones.
    """
    return crc32(number.to_bytes(8))


def in_turn(webhooks: tuple[Webhook, ...]) -> Sequence[tuple[Webhook, ...]]:
    """The orders in which sources try these webhooks, each of them first once."""
    return [webhooks[first:] + webhooks[:first] for first in range(len(webhooks))]


def _word(number: int) -> str:
    """Spell a number in letters, since an alert's signature leaves numbers out."""
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(4))
