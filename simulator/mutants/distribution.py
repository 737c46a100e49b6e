"""Bugs around Slack: the rate limit, its failures, digests and follow-ups."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.delivery import distribution, outcomes
from handlers.domain.delivery.digests import Group, digest_of
from handlers.domain.delivery.distribution import DistributionWork
from handlers.domain.delivery.leases import Deadline
from handlers.domain.delivery.messages import Digest, Notification, notification_of
from handlers.domain.delivery.outcomes import Outcomes
from handlers.domain.delivery.rate_limit import RateLimiter
from handlers.domain.ports import (
    NotifierError,
    NotifierMisaddressedError,
)
from handlers.domain.states import deferred, notified, parked
from simulator.mutants.mutant import mutant
from topology.alerts import DuplicateCause, FollowUp

_digest = DistributionWork._digest
_failed = Outcomes.failed
_record = Outcomes.record
_refused = Outcomes.refused


def _no_slot(_self: RateLimiter, *, urgent: bool) -> int:
    return 0 * urgent


def _not_backed_off(_self: RateLimiter, *, until_ms: int) -> None:
    """Slack's Retry-After, `until_ms`, is dropped."""
    del until_ms


def _waited_for(self: DistributionWork, _alert: Alert, *, wait_s: float, urgent: bool) -> None:
    """The worker sleeps until it is worth trying again."""
    self.leases.sleeper.sleep(wait_s + 5 * (not urgent))


def _recorded_first(self: DistributionWork, alert: Alert, _rows: Any, deadline: Deadline) -> None:
    """NOTIFIED is written before the POST, so that nothing is posted twice."""
    after = notified(alert, at_ms=self.leases.clock.now_ms())
    if self.leases.still_mine([alert]) and self.leases.write(alert, after, until_ms=deadline.hard_ms):
        with suppress(NotifierError):
            self.channels.default.notifier.post(notification_of(alert), timeout_s=5)


def _refused_as_notified(self: Outcomes, alert: Alert, _reason: str, deadline: Deadline, **_: Any) -> None:
    after = notified(alert, at_ms=self.leases.clock.now_ms())
    self.leases.write(alert, after, until_ms=deadline.hard_ms)


def _refused_together(self: Outcomes, alert: Alert, reason: str, deadline: Deadline, **_: Any) -> None:
    """All of a digest are PARKED for the one that Slack refuses."""
    _refused(self, alert, reason, deadline, alone=True)


def _failed_without_limit(self: Outcomes, alert: Alert, _error: Any, deadline: Deadline) -> None:
    after = deferred(
        alert,
        not_before=self.leases.clock.now_ms() // 1000 + 4,
        lease_s=self.leases.lease_s,
        attempts=alert.attempts + 1,
        duplicate_cause=DuplicateCause.OUTCOME_UNKNOWN,
    )
    if self.leases.write(alert, after, until_ms=deadline.hard_ms):
        self.leases.send_wake_up(after, delay_s=4)


def _misaddressed_as_refused(self: Outcomes, alert: Alert, error: Any, deadline: Deadline) -> None:
    """The webhook of the next minute is not waited for."""
    if isinstance(error, NotifierMisaddressedError):
        _refused(self, alert, str(error), deadline, alone=True)
    else:
        _failed(self, alert, error, deadline)


def _uncounted(alert: Alert, **changes: Any) -> Alert:
    return deferred(alert, **{**changes, "duplicate_cause": None})


def _parked_uncounted(alert: Alert, **changes: Any) -> Alert:
    """It matters once an operator redrives it."""
    return parked(alert, **{**changes, "duplicate_cause": None})


def _digest_of_less(groups: Sequence[Group], **_: Any) -> Digest:
    """The last alert is left out of the message, and marked with the others."""
    return digest_of(groups[:-1] if len(groups) > 1 else groups)


def _half_recorded(self: Outcomes, before: Alert, after: Alert, deadline: Deadline) -> None:
    """Of a digest only some are marked; the others go out again."""
    if after.digest_id is None or int(before.alert_id[1:3], 16) % 2:
        _record(self, before, after, deadline)


def _digest_and_single(
    self: DistributionWork, claimed: Sequence[Alert], rows: Any, deadline: Deadline, *, more_wait: bool
) -> None:
    """One member of a digest is posted alone besides."""
    with suppress(NotifierError):
        self.channels.default.notifier.post(notification_of(claimed[-1]), timeout_s=5)
    _digest(self, claimed, rows, deadline, more_wait=more_wait)


def _as_alert(alert: Alert, **_: Any) -> Notification:
    return notification_of(alert)


def _unlisted(alert: Alert, **changes: Any) -> Alert:
    """A follow-up is wanted, but lies under no key where anybody looks."""
    after = notified(alert, **changes)
    return replace(after, open_key=None, due_at=None) if after.follow_up is FollowUp.WANTED else after


MUTANTS: Final = (
    mutant("no-rate-limit", "everybody posts at once", (RateLimiter, "reserve", _no_slot)),
    mutant("retry-after-ignored", "Slack's 429 closes nothing", (RateLimiter, "back_off", _not_backed_off)),
    mutant(
        "worker-waits", "a worker sleeps until there is a slot", (DistributionWork, "_postpone", _waited_for)
    ),
    mutant(
        "recorded-first",
        "NOTIFIED is written before the POST",
        (DistributionWork, "_single", _recorded_first),
    ),
    mutant(
        "refused-as-notified",
        "what Slack refuses counts as NOTIFIED",
        (Outcomes, "refused", _refused_as_notified),
    ),
    mutant(
        "refused-together",
        "a digest's refusal parks all its alerts",
        (Outcomes, "refused", _refused_together),
    ),
    mutant("failed-unlimited", "distribution never parks", (Outcomes, "failed", _failed_without_limit)),
    mutant(
        "misaddressed-as-refused",
        "an address that is away for a moment parks",
        (Outcomes, "failed", _misaddressed_as_refused),
    ),
    mutant(
        "possible-duplicate-unrecorded",
        "an unknown outcome leaves no possible duplicate",
        (outcomes, "deferred", _uncounted),
    ),
    mutant(
        "possible-duplicate-lost-in-parking",
        "PARKED forgets a possible duplicate",
        (outcomes, "parked", _parked_uncounted),
    ),
    mutant(
        "digest-marks-more", "a digest marks one it left out", (distribution, "digest_of", _digest_of_less)
    ),
    mutant(
        "digest-marks-less",
        "a digest marks half of its alerts",
        (Outcomes, "record", _half_recorded),
    ),
    mutant(
        "digest-and-single",
        "one of a digest goes out alone too",
        (DistributionWork, "_digest", _digest_and_single),
    ),
    mutant("follow-up-as-alert", "a follow-up is a second alert", (distribution, "follow_up_of", _as_alert)),
    mutant("follow-up-unlisted", "a wanted follow-up is under no key", (distribution, "notified", _unlisted)),
)
