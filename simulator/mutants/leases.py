"""Bugs in how workers get hold of an alert, and in what the ledger compares."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.delivery import leases
from handlers.domain.delivery.leases import Deadline, Leases
from handlers.domain.delivery.posting import Posting
from simulator.ledger import Store
from simulator.mutants.mutant import mutant


def _unclaimed(self: Leases, alert: Alert, _deadline: Deadline) -> Alert:
    """Work begins on the row as it was read."""
    return replace(alert, lease_token=self.randomness.hex(32), due_at=(alert.due_at or 0) + 9_999)


def _always_free(_alert: Alert, *, now_s: int) -> bool:
    return now_s > 0


def _always_mine(_self: Leases, alerts: Sequence[Alert]) -> list[Alert]:
    return [*alerts]


def _time_enough(_self: Posting, _until_ms: int) -> int:
    return 20_000


def _send_wake_up(self: Leases, alert: Alert, *, delay_s: int = 0) -> None:
    self.queue_sender.send(alert.queue, [alert], delay_s=delay_s)


MUTANTS: Final = (
    mutant("no-lease", "work begins without a claim", (Leases, "claim", _unclaimed)),
    mutant("lease-ignored", "a live lease keeps nobody off", (leases, "is_free", _always_free)),
    mutant(
        "wakes-and-posts",
        "no look at claim or time right before the POST",
        (Leases, "still_mine", _always_mine),
        (Posting, "_ms_until", _time_enough),
    ),
    mutant("unconditional-write", "rows are overwritten unseen", (Store, "guards", ())),
    mutant("lease-only", "a write compares the lease alone", (Store, "guards", ("lease_token",))),
    mutant(
        "wake-up-raises",
        "a wake-up that cannot be sent fails the message",
        (Leases, "send_wake_up", _send_wake_up),
    ),
)
