"""Which region works on which alert.

Under a `strong` ledger each may work on all: conditional writes hold across regions. Under an `eventual` one
they hold within a region only, so an alert belongs to the region that took it in, until a **takeover**: by
itself after the other region has been silent for a configured time, or by an operator who turns on this
region's switch (`handlers.domain.regions.switch`).

Each region writes one record, its own, and reads the other's:

| value | meaning |
|---|---|
| `heartbeat_ms` | when this region's Recovery last ran |
| `since_ms` | when it first ran |
| `epoch` | carried by new alerts; counted up when a takeover of this region is seen, and on its return |
| `term` | of its latest takeover; the highest term wins |
| `own_through`, `peer_through` | the epochs of its own alerts and of the other's that this takeover covers |
| `returned_ms` | when it came back from a silence of its own |
| `switched_ms` | when the switch was turned on that it last took over for |

A takeover covers one epoch more than it has seen, which a region whose Recovery alone is silent gives its new
alerts; a region that returns begins above that.

A region that was silent itself is **fenced** when it comes back: it leaves every older alert alone until it
has read a record of the other that is newer than its return (so a takeover in between has been seen), or
until the other has been silent for the whole time too. What it accepts meanwhile carries a new epoch, which
no takeover can have covered, and is worked on at once.

During a partition both regions may take over; terms are then equal, and each keeps its own. What both worked
on may be notified twice, and is counted (`DuplicateCause.OWNERSHIP_TRANSFERRED`).
"""

from collections.abc import Mapping
from typing import ClassVar, Final, Protocol

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.limits import REMEMBERED_MS
from handlers.domain.ports import (
    Clock,
    Coordination,
    CoordinationUnavailableError,
    LedgerUnavailableError,
    Record,
)
from handlers.domain.regions.switch import Switch
from topology.records import ownership_record

_NO_EPOCH: Final = -1


class _Region(msgspec.Struct, frozen=True, kw_only=True):
    """One region's record, as the table in this module's text describes it."""

    heartbeat_ms: int
    since_ms: int
    epoch: int = 0
    term: int = 0
    own_through: int = _NO_EPOCH
    peer_through: int = _NO_EPOCH
    returned_ms: int = 0
    switched_ms: int = 0

    @classmethod
    def of(cls, record: Record | None, *, unseen_since_ms: int) -> "_Region":
        """The region, or one that has never run and is taken to be silent since `unseen_since_ms`."""
        if record is None:
            return cls(heartbeat_ms=unseen_since_ms, since_ms=unseen_since_ms)
        values = record.values
        return cls(**{name: values[name] for name in cls.__struct_fields__ if name in values})

    def values(self, **changes: int) -> Mapping[str, int]:
        """The record's values with these `changes`."""
        return {name: getattr(self, name) for name in self.__struct_fields__} | changes


class OwnershipView(Protocol):
    """What a region may work on, as far as it knows."""

    @property
    def epoch(self) -> int:
        """What a new alert carries."""

    @property
    def owners(self) -> tuple[str, ...]:
        """The regions whose keys may hold work for this one."""

    @property
    def seen_through_ms(self) -> int:
        """Until when what the other region wrote has come here, give or take a minute; epoch milliseconds."""

    def owns(self, alert: Alert, /) -> bool:
        """Whether this region is the one to work on `alert`."""

    def transferred(self, alert: Alert, /) -> bool:
        """Whether `alert` has changed hands, so that its former holder's last writes may be unseen."""


class Ownership(Protocol):
    """How a handler comes by its region's view."""

    @property
    def shared(self) -> bool:
        """Whether each region sees the other's writes at once, so that they agree on what came first."""

    def view(self) -> OwnershipView:
        """The view now.

        Raises:
            LedgerUnavailableError: it is unknown. Leave the alert to Recovery.
        """

    def epoch(self) -> int:
        """What a new alert carries; the lowest where that is unknown, as either region then finds it."""

    def heartbeat(self) -> None:
        """Say that this region runs, and take over from the other or give way to it where that is due.

        Raises:
            LedgerUnavailableError: the records cannot be read or written.
        """


class SharedOwnershipView(msgspec.Struct, frozen=True, kw_only=True):
    """`OwnershipView` under a strong ledger: everything is everybody's."""

    owners: tuple[str, ...]
    epoch: int = 0
    seen_through_ms: int = 1 << 62

    def owns(self, alert: Alert) -> bool:  # noqa: ARG002 - everything, so also this one
        """See `OwnershipView`."""
        return True

    def transferred(self, alert: Alert) -> bool:  # noqa: ARG002 - nothing ever does
        """See `OwnershipView`."""
        return False


class SharedOwnership(msgspec.Struct, frozen=True, kw_only=True):
    """`Ownership` under a strong ledger, with nothing to read or write."""

    owners: tuple[str, ...]
    shared: bool = True

    def view(self) -> SharedOwnershipView:
        """See `Ownership`."""
        return SharedOwnershipView(owners=self.owners)

    def epoch(self) -> int:
        """See `Ownership`."""
        return 0

    def heartbeat(self) -> None:
        """See `Ownership`."""


class RegionOwnershipView(msgspec.Struct, frozen=True, kw_only=True):
    """`OwnershipView` under an eventual ledger."""

    region: str
    peer: str
    own: _Region
    other: _Region
    fenced: bool
    epoch: int
    seen_through_ms: int
    """As the other's latest heartbeat; 0 if it never came here."""

    @property
    def owners(self) -> tuple[str, ...]:
        """See `OwnershipView`."""
        return (self.region, self.peer) if self.own.peer_through > _NO_EPOCH else (self.region,)

    def owns(self, alert: Alert) -> bool:
        """See `OwnershipView`."""
        if self.fenced:
            return alert.owner == self.region and alert.epoch >= self.epoch
        return self._holder(alert) == self.region

    def transferred(self, alert: Alert) -> bool:
        """See `OwnershipView`."""
        return any(term for term, _ in self._takeovers(alert))

    def _holder(self, alert: Alert) -> str:
        """The region of the latest takeover that covers it; with none, or two of one term, its owner."""
        takeovers = self._takeovers(alert)
        latest = max((term for term, _ in takeovers), default=0)
        holders = {region for term, region in takeovers if term == latest}
        return alert.owner if alert.owner in holders or not holders else holders.pop()

    def _takeovers(self, alert: Alert) -> list[tuple[int, str]]:
        of_own = alert.owner == self.region
        by_own = self.own.own_through if of_own else self.own.peer_through
        by_other = self.other.peer_through if of_own else self.other.own_through
        sides = ((by_own, self.own.term, self.region), (by_other, self.other.term, self.peer))
        return [(term, region) for through, term, region in sides if term and alert.epoch <= through]


class MovingOwnership(msgspec.Struct, kw_only=True):
    """`Ownership` under an eventual ledger. `takeover_after_s`: of the other's silence."""

    coordination: Coordination
    clock: Clock
    region: str
    peer: str
    takeover_after_s: int
    shared: ClassVar[bool] = False
    _remembered: tuple[int, RegionOwnershipView] | None = None

    def view(self) -> RegionOwnershipView:
        """See `Ownership`. Read again after a few seconds."""
        now_ms = self.clock.now_ms()
        if self._remembered is not None and 0 <= now_ms - self._remembered[0] < REMEMBERED_MS:
            return self._remembered[1]
        try:
            _, view = self._read(now_ms)
        except CoordinationUnavailableError as error:
            raise LedgerUnavailableError(f"whose alerts these are is unknown: {error}") from error
        self._remembered = (now_ms, view)
        return view

    def epoch(self) -> int:
        """See `Ownership`."""
        try:
            return self.view().epoch
        except LedgerUnavailableError:
            return 0

    def heartbeat(self) -> None:
        """See `Ownership`. A write that is lost to another run in this region says the same."""
        now_ms = self.clock.now_ms()
        try:
            record, view = self._read(now_ms)
            switched_ms = Switch(coordination=self.coordination, region=self.region).since_ms()
            after = self._next(view, now_ms, switched_ms)
            self.coordination.write(ownership_record(self.region), record, after)
        except CoordinationUnavailableError as error:
            raise LedgerUnavailableError(f"this region's record was not written: {error}") from error
        self._remembered = None

    def _read(self, now_ms: int) -> tuple[Record | None, RegionOwnershipView]:
        record = self.coordination.read(ownership_record(self.region))
        own = _Region.of(record, unseen_since_ms=now_ms)
        # The other's record is read after ours: what it says is at least as new as our own view of ourselves.
        peers_record = self.coordination.read(ownership_record(self.peer))
        other = _Region.of(peers_record, unseen_since_ms=own.since_ms)
        away = self._silent(own.heartbeat_ms, now_ms)
        fenced = away or (
            own.returned_ms > 0
            and other.heartbeat_ms <= own.returned_ms
            and not self._silent(own.returned_ms, now_ms)
        )
        view = RegionOwnershipView(
            region=self.region,
            peer=self.peer,
            own=own,
            other=other,
            fenced=fenced,
            epoch=own.epoch + 1 if away else own.epoch,
            seen_through_ms=other.heartbeat_ms if peers_record else 0,
        )
        return record, view

    def _next(self, view: RegionOwnershipView, now_ms: int, switched_ms: int) -> Mapping[str, int]:
        """This region's record after a heartbeat; `switched_ms`: since when its switch is on, or 0."""
        own, other = view.own, view.other
        now_ms = max(
            now_ms, own.heartbeat_ms
        )  # one that stood still since it looked at its clock is no earlier
        if self._silent(own.heartbeat_ms, now_ms):
            # Workers without a Recovery have given new alerts the epoch between, see `view`.
            return own.values(heartbeat_ms=now_ms, epoch=own.epoch + 2, returned_ms=now_ms)
        if view.fenced:
            return own.values(heartbeat_ms=now_ms)
        if other.term > own.term and other.peer_through >= own.epoch:
            return own.values(heartbeat_ms=now_ms, epoch=other.peer_through + 1)
        taken = own.term > other.term and own.peer_through >= other.epoch
        asked = switched_ms > own.switched_ms
        if asked or (self._silent(other.heartbeat_ms, now_ms) and not taken):
            return own.values(
                heartbeat_ms=now_ms,
                switched_ms=max(switched_ms, own.switched_ms),
                epoch=own.epoch + 1,
                term=max(own.term, other.term) + 1,
                own_through=own.epoch,
                peer_through=other.epoch + 1,
            )
        return own.values(heartbeat_ms=now_ms)

    def _silent(self, heartbeat_ms: int, now_ms: int) -> bool:
        return now_ms - heartbeat_ms > self.takeover_after_s * 1000
