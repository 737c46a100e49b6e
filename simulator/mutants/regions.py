"""Bugs in who owns an alert under an eventual ledger."""

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.ports import CoordinationUnavailableError, LedgerUnavailableError
from handlers.domain.regions.ownership import MovingOwnership, RegionOwnershipView
from handlers.domain.regions.switch import Switch
from simulator.mutants.mutant import mutant
from topology.records import ownership_record


def _unfenced(read: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(self: MovingOwnership, now_ms: int) -> Any:
        record, view = read(self, now_ms)
        return record, replace(view, fenced=False, epoch=view.own.epoch)

    return wrapped


def _owns_all(_self: RegionOwnershipView, _alert: Alert) -> bool:
    return True


def _both_owners(self: RegionOwnershipView) -> tuple[str, str]:
    return (self.region, self.peer)


def _heartbeat(self: MovingOwnership) -> None:
    """The heartbeat is written, and no ownership is ever transferred."""
    now_ms = self.clock.now_ms()
    try:
        record, view = self._read(now_ms)
        self.coordination.write(ownership_record(self.region), record, view.own.values(heartbeat_ms=now_ms))
    except CoordinationUnavailableError as error:
        raise LedgerUnavailableError(str(error)) from error
    self._remembered = None


def _off(_self: Switch) -> int:
    return 0


MUTANTS: Final = (
    mutant(
        "fence-ignored",
        "a region that comes back works on everything at once",
        (MovingOwnership, "_read", _unfenced(MovingOwnership._read)),
        consistency="eventual",
    ),
    mutant(
        "owner-ignored",
        "each region works on the alerts of both",
        (RegionOwnershipView, "owns", _owns_all),
        (RegionOwnershipView, "owners", property(_both_owners)),
        consistency="eventual",
    ),
    mutant(
        "no-takeover",
        "nobody takes over from a silent region",
        (MovingOwnership, "heartbeat", _heartbeat),
        consistency="eventual",
    ),
    mutant(
        "switch-ignored",
        "an operator's failover moves no alert",
        (Switch, "since_ms", _off),
        consistency="eventual",
    ),
)
