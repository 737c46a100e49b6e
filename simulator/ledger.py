"""The ledger: the alerts table with its indexes, and the port by which one machine's handler reaches it."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.moves import Actor
from handlers.domain.ports import FaultEvent, IncidentRow, LedgerUnavailableError, MalformedRowError
from handlers.domain.states import VERSION, IllegalMoveError, check
from simulator.history import short
from simulator.machine import Machine
from simulator.scenario import REGIONS, Kind
from simulator.tables import Table
from simulator.world import World
from topology.alerts import FaultState, Status

T = TypeVar("T")

Change = Callable[[Alert | None], Alert | None]
"""What a conditional write makes of the stored row; None if its condition does not hold."""

_INDEX_LAGS_MS: Final = (3_000, 15_000, 60_000)
_INDEX_DELAY_MS: Final = 20
_TIMEOUT_MS: Final = (2_500, 3_500)
"""When the client, with its two tries, gives up."""

_LATE_MS: Final = (200, 8_000)
_ATTRIBUTES: Final = Alert.__struct_fields__


@dataclass
class _Index:
    """What one replica's indexes show: each entry a while after its row."""

    _now_ms: Callable[[], int]
    _shown: dict[str, tuple[int, Alert]] = field(default_factory=dict)
    _by_open_key: dict[str, dict[str, Alert]] = field(default_factory=dict)
    _children: dict[str, dict[str, Alert]] = field(default_factory=dict)
    _faults: dict[str, dict[str, Alert]] = field(default_factory=dict)
    _incidents: dict[str, dict[str, Alert]] = field(default_factory=dict)
    _coming: list[tuple[int, int, Alert]] = field(default_factory=list)
    _order: int = 0

    def update(self, row: Alert, *, lag_ms: int) -> None:
        """Show `row` in `lag_ms`."""
        self._order += 1
        heapq.heappush(self._coming, (self._now_ms() + lag_ms, self._order, row))

    def under(self, key: str) -> list[Alert]:
        """The entries of a key, the longest due first."""
        self._catch_up()
        entries = self._by_open_key.get(key)
        if not entries:
            return []
        return sorted(entries.values(), key=lambda row: (row.due_at or 0, row.alert_id))

    def children(self, parent_id: str) -> list[Alert]:
        """The entries of a parent's repeats, by id."""
        self._catch_up()
        return [row for _, row in sorted(self._children.get(parent_id, {}).items())]

    def of_fault(self, fault_key: str) -> list[Alert]:
        """The entries of a fault, by time."""
        self._catch_up()
        entries = self._faults.get(fault_key, {})
        return sorted(entries.values(), key=lambda row: (row.changed_at_ms or 0, row.alert_id))

    def of_incident(self, incident_id: str) -> list[Alert]:
        """The entries of an incident, by the time of their acceptance."""
        self._catch_up()
        entries = self._incidents.get(incident_id, {})
        return sorted(entries.values(), key=lambda row: (row.accepted_at_ms, row.alert_id))

    def _catch_up(self) -> None:
        now_ms = self._now_ms()
        while self._coming and self._coming[0][0] <= now_ms:
            _, order, row = heapq.heappop(self._coming)
            alert_id = row.alert_id
            old_order, old = self._shown.get(alert_id, (0, None))
            if old_order > order:
                continue
            if old is not None and old.open_key is not None:
                del self._by_open_key[old.open_key][alert_id]
            self._shown[alert_id] = (order, row)
            if row.open_key is not None:
                self._by_open_key.setdefault(row.open_key, {})[alert_id] = row
            if row.parent_id is not None:
                self._children.setdefault(row.parent_id, {})[alert_id] = row
            if row.fault_key is not None:
                self._faults.setdefault(row.fault_key, {})[alert_id] = row
            if row.incident_id is not None:
                self._incidents.setdefault(row.incident_id, {})[alert_id] = row


class Store:
    """The table, in both regions. `guards`: the attributes that a conditional write compares."""

    guards: tuple[str, ...] = VERSION

    def __init__(self, world: World) -> None:
        """Begin without rows."""
        self.world = world
        self._shared = world.scenario.consistency == "strong"
        self._indexes = {region: _Index(lambda: world.scheduler.now_ms) for region in REGIONS}
        self._random = world.random("ledger")
        self._writes = 0
        self.table: Table[Alert] = Table(
            world, name="alerts", replicated=not self._shared, on_write=self._index
        )
        world.checker.posts.read = self.table.read

    def change(self, region: str, alert_id: str, change: Change) -> tuple[Alert | None, Alert] | None:
        """Write what `change` makes of the stored row; what was stored and what is, or None if it refused."""
        stored = self.table.read(region, alert_id)
        new = change(stored)
        if new is None:
            return None
        self.table.write(region, alert_id, new)
        return stored, new

    def replaced(self, stored: Alert | None, before: Alert, after: Alert) -> Alert | None:
        """What a conditional write of `after` makes of the stored row; None if that is not `before` any more.

        As in DynamoDB, it changes only what differs.
        """
        if stored is None or any(getattr(stored, name) != getattr(before, name) for name in self.guards):
            return None
        if stored is before or stored == before:
            return after
        return replace(stored, **differences(before, after))

    def under(self, region: str, key: str) -> list[Alert]:
        """What the open index shows in `region`."""
        return self._indexes[region].under(key)

    def children(self, region: str, parent_id: str) -> list[Alert]:
        """What the children index shows in `region`."""
        return self._indexes[region].children(parent_id)

    def of_fault(self, region: str, fault_key: str) -> list[Alert]:
        """What the fault index shows in `region`."""
        return self._indexes[region].of_fault(fault_key)

    def of_incident(self, region: str, incident_id: str) -> list[Alert]:
        """What the incident index shows in `region`."""
        return self._indexes[region].of_incident(incident_id)

    def _index(self, region: str, alert_id: str, row: Alert) -> None:
        self._writes += 1
        for replica in REGIONS if self._shared else (region,):
            lag_ms = _INDEX_DELAY_MS
            odds = self.world.odds.get("index_lag")
            key = f"index:{replica}:{alert_id}:{self._writes}:index_lag"
            if odds and self._random.random() < odds and self.world.fires("index_lag", key):
                lag_ms = self._random.choice(_INDEX_LAGS_MS)
            self._indexes[replica].update(row, lag_ms=lag_ms)


class LedgerPort:
    """`Ledger` for what runs in `machine`."""

    def __init__(self, machine: Machine, store: Store) -> None:
        """Its calls are made from the machine's region."""
        self._machine = machine
        self._store = store
        self._world = machine.world
        self._region = machine.region

    def probe(self) -> None:
        """See `Ledger`."""
        self.call("ledger.probe", lambda: None)

    def get(self, alert_id: str) -> Alert | None:
        """See `Ledger`."""
        invocation = self._machine.invocation

        def effect() -> Alert | None:
            row = self._store.table.read(self._region, alert_id)
            invocation.held[alert_id] = row is not None and row.lease_token in invocation.tokens
            return row

        return self.call(f"ledger.get {short(alert_id)}", effect)

    def get_many(self, alert_ids: Sequence[str]) -> dict[str, Alert | MalformedRowError]:
        """See `Ledger`."""
        invocation = self._machine.invocation

        def effect() -> dict[str, Alert | MalformedRowError]:
            rows = {alert_id: self._store.table.read(self._region, alert_id) for alert_id in alert_ids}
            for alert_id, row in rows.items():
                invocation.held[alert_id] = row is not None and row.lease_token in invocation.tokens
            return {alert_id: row for alert_id, row in rows.items() if row is not None}

        return self.call(f"ledger.get_many {len(alert_ids)}", effect)

    def history(
        self, fault_key: str, state: FaultState, *, until_ms: int, limit: int
    ) -> Sequence[FaultEvent]:
        """See `Ledger`."""

        def effect() -> list[FaultEvent]:
            rows = [row for row in self._store.of_fault(self._region, fault_key) if row.state is state]
            events = [FaultEvent(alert_id=row.alert_id, changed_at_ms=row.changed_at_ms or 0) for row in rows]
            return [event for event in reversed(events) if event.changed_at_ms < until_ms][:limit]

        return self.call(f"ledger.history {fault_key[:6]} {state}", effect)

    def create(self, alert: Alert, *, actor: Actor) -> bool:
        """See `Ledger`."""
        self._check(actor, None, alert)
        return self.write(
            f"ledger.create {short(alert.alert_id)} {alert.status}",
            alert.alert_id,
            lambda stored: alert if stored is None else None,
            actor=actor,
        )

    def replace(self, before: Alert, after: Alert, *, actor: Actor) -> bool:
        """See `Ledger`."""
        self._check(actor, before, after)
        return self.write(
            f"ledger.replace {short(before.alert_id)} {before.status} -> {after.status}"
            f"{_shown_changes(before, after) if self._world.history.kept else ''}",
            before.alert_id,
            lambda stored: self._store.replaced(stored, before, after),
            actor=actor,
        )

    def overdue(self, key: str, *, now_s: int, limit: int, since_s: int = 0) -> Sequence[str]:
        """See `Ledger`."""

        def effect() -> list[str]:
            due = self._store.under(self._region, key)
            return [row.alert_id for row in due if since_s <= (row.due_at or 0) <= now_s][:limit]

        return self.call(f"ledger.overdue {key}", effect)

    def waiting(self, key: str, *, until_s: int, limit: int) -> Sequence[str]:
        """See `Ledger`."""

        def effect() -> list[str]:
            shown = self._store.under(self._region, key)
            due = [row for row in shown if (row.due_at or 0) <= until_s]
            waiting = [row for row in due if row.status is Status.ANALYZED and not row.alone]
            return [row.alert_id for row in waiting if row.lease_token is None][:limit]

        return self.call(f"ledger.waiting {key}", effect)

    def count(self, key: str, *, limit: int) -> int:
        """See `Ledger`."""
        return self.call(f"ledger.count {key}", lambda: min(len(self._store.under(self._region, key)), limit))

    def count_children(self, parent_id: str, *, limit: int) -> int:
        """See `Ledger`."""
        what = f"ledger.count_children {short(parent_id)}"
        return self.call(what, lambda: min(len(self._store.children(self._region, parent_id)), limit))

    def suppressed_children(self, parent_id: str, *, limit: int) -> Sequence[str]:
        """See `Ledger`."""

        def effect() -> list[str]:
            rows = self._store.children(self._region, parent_id)
            return [row.alert_id for row in rows if row.status is Status.SUPPRESSED][:limit]

        return self.call(f"ledger.suppressed_children {short(parent_id)}", effect)

    def incident(self, incident_id: str, *, limit: int) -> Sequence[IncidentRow]:
        """See `Ledger`."""

        def effect() -> list[IncidentRow]:
            rows = self._store.of_incident(self._region, incident_id)
            return [
                IncidentRow(**{name: getattr(row, name) for name in IncidentRow.__struct_fields__})
                for row in rows[:limit]
            ]

        return self.call(f"ledger.incident {incident_id[:6]}", effect)

    def _check(self, actor: Actor, before: Alert | None, after: Alert) -> None:
        try:
            check(actor, before, after)
        except IllegalMoveError as error:
            self._world.checker.rows.illegal(after.alert_id, str(error))
            raise

    def write(self, what: str, alert_id: str, change: Change, *, actor: Actor) -> bool:
        """A conditional write, with the faults that leave its outcome unknown. Whether its condition held."""
        invocation = self._machine.invocation

        def effect() -> bool:
            written = self._store.change(self._region, alert_id, change)
            if written is not None:
                self._world.checker.rows.wrote(invocation, actor, *written)
            return written is not None

        if invocation.fires("ledger_lost_answer"):
            return self.call(what, effect, failure="no answer")
        if invocation.fires("ledger_late_write"):
            late_ms = _TIMEOUT_MS[1] + invocation.random.randint(*_LATE_MS)
            return self.call(what, effect, failure="no answer yet", out_ms=late_ms)
        if invocation.fires("ledger_unseen_write"):
            # The client's second try meets what its first has written.
            self.call(what, effect)
            return False
        return self.call(what, effect)

    def call(
        self, what: str, effect: Callable[[], T], *, failure: str | None = None, out_ms: int | None = None
    ) -> T:
        """A call, with the faults that every call may have. `failure`: why its outcome is unknown."""
        invocation = self._machine.invocation
        draw = invocation.random
        sent: Callable[[], T] | None = effect
        quick = False
        if self._down():
            sent, failure, quick = None, "out of reach", draw.random() < 0.3  # noqa: PLR2004 - some refuse at once
        elif failure is None and invocation.fires("ledger_throttled"):
            sent, failure, quick = None, "throttled", True
        elif failure is None and invocation.fires("ledger_lost_request"):
            sent, failure = None, "no answer"
        instead = None
        if failure is not None:
            after_ms = draw.randint(20, 200) if quick else draw.randint(*_TIMEOUT_MS)
            instead = (after_ms, LedgerUnavailableError(f"simulated: {failure}"))
            invocation.ledger_errors += 1
        return invocation.call(
            what,
            sent,
            out_ms=draw.randint(2, 30) if out_ms is None else out_ms,
            back_ms=draw.randint(1, 10),
            instead=instead,
        )

    def _down(self) -> bool:
        """A strong table is out of reach for the region that a partition leaves without a majority."""
        world, region = self._world, self._region
        if world.active(Kind.LEDGER_DOWN, region):
            return True
        return world.scenario.consistency == "strong" and bool(world.active(Kind.PARTITION, region))


def differences(before: Alert, after: Alert) -> dict[str, Any]:
    """The attributes in which two rows differ, as `after` has them."""
    return {
        name: getattr(after, name) for name in _ATTRIBUTES if getattr(after, name) != getattr(before, name)
    }


def _shown_changes(before: Alert, after: Alert) -> str:
    """What a write changes besides the status, for the history."""
    names = (
        "attempts",
        "not_before",
        "due_at",
        "follow_up",
        "digest_id",
        "possible_duplicates",
        "epoch",
        "owner",
    )
    changed = {n: getattr(after, n) for n in names if getattr(after, n) != getattr(before, n)}
    if before.lease_token != after.lease_token:
        changed["lease"] = (after.lease_token or "given up")[:8]
    return f" {changed}" if changed else ""
