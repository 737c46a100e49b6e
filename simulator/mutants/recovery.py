"""Bugs in what Recovery finds and does, in the attempts, and in follow-ups."""

from collections.abc import Iterator
from typing import Any, Final

from handlers.domain import states
from handlers.domain.alert import Alert
from handlers.domain.delivery.breaker import Breaker
from handlers.domain.limits import MAX_RECOVERED_PER_RUN
from handlers.domain.ports import CoordinationUnavailableError
from handlers.domain.regions import recovery
from handlers.domain.regions.ownership import OwnershipView
from handlers.domain.regions.recovery import Recovery
from simulator.mutants.mutant import mutant
from topology.alerts import Severity, Status, follow_up_key, open_key

_LATER_S: Final = 9_999

_due = Recovery._due
_recover = Recovery._recover


def _overdue(self: Recovery, key: str, *, early_s: int = 0) -> list[str]:
    now_s = self.clock.now_ms() // 1000 + early_s
    return list(self.ledger.overdue(key, now_s=now_s, limit=MAX_RECOVERED_PER_RUN))


def _due_but_analyzed(self: Recovery, view: OwnershipView) -> Iterator[str]:
    for alert_id in _due(self, view):
        row = self.ledger.get(alert_id)
        if row is None or row.status is not Status.ANALYZED:
            yield alert_id


def _due_of_two_keys(self: Recovery, view: OwnershipView) -> Iterator[str]:
    for owner in view.owners:
        for severity in (Severity.CRITICAL, Severity.HIGH):
            yield from _overdue(self, open_key(owner, severity))


def _due_but_follow_ups(self: Recovery, view: OwnershipView) -> Iterator[str]:
    passed = [alert_id for owner in view.owners for alert_id in _overdue(self, follow_up_key(owner))]
    return (alert_id for alert_id in _due(self, view) if alert_id not in passed)


def _due_early(self: Recovery, view: OwnershipView) -> Iterator[str]:
    for severity in Severity:
        for owner in view.owners:
            yield from _overdue(self, open_key(owner, severity), early_s=_LATER_S)


def _seen_to_early(self: Recovery, alert_id: str, _view: OwnershipView) -> tuple[str, Alert | None]:
    alert = self.ledger.get(alert_id)
    if alert is None or alert.status.at_rest:
        return "passed_over", None
    return _recover(self, alert, self.clock.now_ms() // 1000)


def _unsent(_self: Recovery, _wake_ups: Any) -> None:
    """Rows are moved on, and no wake-up is sent."""


def _blank(_text: str, _limit: int) -> str:
    return " "


def _unclosed(_self: Breaker, **_: Any) -> None:
    """The breaker does not learn how a call ended."""


def _open_for_good(self: Breaker) -> bool:
    """Once the breaker has opened, it stays open."""
    try:
        self._record.read()
    except CoordinationUnavailableError:
        return True
    return not self._record.value("open_until_ms")


MUTANTS: Final = (
    mutant("recovery-skips-analyzed", "ANALYZED is passed over", (Recovery, "_due", _due_but_analyzed)),
    mutant("recovery-skips-keys", "only CRITICAL and HIGH are found", (Recovery, "_due", _due_of_two_keys)),
    mutant("recovery-skips-follow-ups", "follow-ups are not found", (Recovery, "_due", _due_but_follow_ups)),
    mutant(
        "recovery-steals",
        "Recovery takes alerts whose lease runs",
        (Recovery, "_due", _due_early),
        (Recovery, "_see_to", _seen_to_early),
    ),
    mutant("recovery-unsent", "Recovery moves rows and sends no wake-up", (Recovery, "_send", _unsent)),
    mutant("recovery-unlimited", "Recovery never parks", (recovery, "MAX_ATTEMPTS", 1_000_000)),
    mutant("recovery-impatient", "Recovery parks after one attempt", (recovery, "MAX_ATTEMPTS", 1)),
    mutant("parked-without-reason", "PARKED does not say why", (states, "cut", _blank)),
    mutant(
        "breaker-never-closes",
        "once open, Claude is never asked again",
        (Breaker, "succeeded", _unclosed),
        (Breaker, "allows", _open_for_good),
    ),
)
