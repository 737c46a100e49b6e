"""The ledger and the analysis cache in memory, with the same rules as the real ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from handlers.domain.alert import Alert, Analysis
from handlers.domain.moves import Actor
from handlers.domain.ports import (
    CacheUnavailableError,
    CoordinationUnavailableError,
    FaultEvent,
    IncidentRow,
    LedgerUnavailableError,
    MalformedRowError,
    Record,
)
from handlers.domain.states import VERSION, check
from topology.alerts import FaultState, Status
from topology.limits import DYNAMODB_BATCH_GET_MAX


def _no_fault(_operation: str) -> None:
    """The default of the fault hooks."""


@dataclass
class FakeLedger:
    """`Ledger` over a dict. `before` and `after` get the name of each operation, and may raise."""

    rows: dict[str, Alert] = field(default_factory=dict)
    before: Callable[[str], None] = _no_fault
    after: Callable[[str], None] = _no_fault
    queried_keys: list[str] = field(default_factory=list)
    writes: list[Alert] = field(default_factory=list)
    malformed: set[str] = field(default_factory=set)

    def probe(self) -> None:
        """See `Ledger`."""
        self.before("probe")

    def get(self, alert_id: str) -> Alert | None:
        """See `Ledger`."""
        self.before("get")
        return self.rows.get(alert_id)

    def get_many(self, alert_ids: Sequence[str]) -> Mapping[str, Alert | MalformedRowError]:
        """See `Ledger`. A row that `malformed` names cannot be read."""
        self.before("get_many")
        assert len(alert_ids) <= DYNAMODB_BATCH_GET_MAX
        found = {alert_id: self.rows[alert_id] for alert_id in alert_ids if alert_id in self.rows}
        return found | {a: MalformedRowError(a) for a in alert_ids if a in self.malformed}

    def create(self, alert: Alert, *, actor: Actor) -> bool:
        """See `Ledger`."""
        self.before("create")
        check(actor, None, alert)
        if alert.alert_id in self.rows:
            return False
        self._store(alert)
        self.after("create")
        return True

    def replace(self, before: Alert, after: Alert, *, actor: Actor) -> bool:
        """See `Ledger`. As the real one, it writes what differs between `before` and `after`, and no more."""
        self.before("replace")
        check(actor, before, after)
        stored = self.rows.get(before.alert_id)
        if stored is None or any(getattr(stored, name) != getattr(before, name) for name in VERSION):
            return False
        changes = {name: getattr(after, name) for name in Alert.__struct_fields__}
        self._store(replace(stored, **{n: v for n, v in changes.items() if v != getattr(before, n)}))
        self.after("replace")
        return True

    def overdue(self, key: str, *, now_s: int, limit: int, since_s: int = 0) -> Sequence[str]:
        """See `Ledger`."""
        self.before("overdue")
        self.queried_keys.append(key)
        rows = self.rows.values()
        due = [row for row in rows if row.open_key == key and since_s <= (row.due_at or 0) <= now_s]
        return [row.alert_id for row in sorted(due, key=lambda row: row.due_at or 0)][:limit]

    def waiting(self, key: str, *, until_s: int, limit: int) -> Sequence[str]:
        """See `Ledger`."""
        self.before("waiting")
        self.queried_keys.append(key)
        found = [
            row
            for row in self.rows.values()
            if row.open_key == key
            and row.status is Status.ANALYZED
            and row.lease_token is None
            and not row.alone
            and (row.due_at or 0) <= until_s
        ]
        return [row.alert_id for row in sorted(found, key=lambda row: row.due_at or 0)][:limit]

    def count(self, key: str, *, limit: int) -> int:
        """See `Ledger`."""
        self.before("count")
        self.queried_keys.append(key)
        return min(sum(row.open_key == key for row in self.rows.values()), limit)

    def count_children(self, parent_id: str, *, limit: int) -> int:
        """See `Ledger`."""
        self.before("count_children")
        return min(sum(row.parent_id == parent_id for row in self.rows.values()), limit)

    def suppressed_children(self, parent_id: str, *, limit: int) -> Sequence[str]:
        """See `Ledger`."""
        self.before("suppressed_children")
        rows = self.rows.values()
        found = [r.alert_id for r in rows if r.parent_id == parent_id and r.status is Status.SUPPRESSED]
        return sorted(found)[:limit]

    def history(
        self, fault_key: str, state: FaultState, *, until_ms: int, limit: int
    ) -> Sequence[FaultEvent]:
        """See `Ledger`."""
        self.before("history")
        rows = [r for r in self.rows.values() if (r.fault_key, r.state) == (fault_key, state)]
        events = [FaultEvent(alert_id=r.alert_id, changed_at_ms=r.changed_at_ms or 0) for r in rows]
        events = [event for event in events if event.changed_at_ms < until_ms]
        return sorted(events, key=lambda event: -event.changed_at_ms)[:limit]

    def incident(self, incident_id: str, *, limit: int) -> Sequence[IncidentRow]:
        """See `Ledger`."""
        self.before("incident")
        rows = sorted(
            (row for row in self.rows.values() if row.incident_id == incident_id),
            key=lambda row: (row.accepted_at_ms, row.alert_id),
        )
        return [
            IncidentRow(**{name: getattr(row, name) for name in IncidentRow.__struct_fields__})
            for row in rows[:limit]
        ]

    def _store(self, alert: Alert) -> None:
        self.rows[alert.alert_id] = alert
        self.writes.append(alert)


def ledger_down(*operations: str) -> Callable[[str], None]:
    """A fault hook: these operations fail, or all when none is named."""

    def fail(operation: str) -> None:
        if not operations or operation in operations:
            raise LedgerUnavailableError(f"{operation} failed on purpose")

    return fail


@dataclass
class FakeCoordination:
    """`Coordination` over a dict. Additions to the records of `unreachable` names fail."""

    records: dict[str, Record] = field(default_factory=dict)
    unreachable: set[str] = field(default_factory=set)
    expiries: dict[str, int | None] = field(default_factory=dict)
    down: bool = False
    reads: int = 0

    def read(self, name: str) -> Record | None:
        """See `Coordination`."""
        self._check()
        self.reads += 1
        return self.records.get(name)

    def read_many(self, names: Sequence[str]) -> Mapping[str, Record]:
        """See `Coordination`."""
        self._check()
        assert len(names) <= DYNAMODB_BATCH_GET_MAX
        return {name: self.records[name] for name in names if name in self.records}

    def write(
        self, name: str, before: Record | None, values: Mapping[str, int], *, expires_at: int | None = None
    ) -> bool:
        """See `Coordination`."""
        self._check()
        stored = self.records.get(name)
        if (stored.version if stored else 0) != (before.version if before else 0):
            return False
        version = max(stored.version, 0) + 1 if stored else 1
        self.records[name] = Record(version=version, values=dict(values))
        self.expiries[name] = expires_at
        return True

    def add(self, name: str, number: int, *, window: int, expires_at: int) -> int:
        """See `Coordination`."""
        self._check()
        if name in self.unreachable:
            raise CoordinationUnavailableError(f"{name} is out of reach on purpose")
        stored = self.records.get(name)
        if stored is None or stored.values["window"] < window:
            stored = Record(version=1, values={"window": window, "count": 0})
            self.expiries[name] = expires_at
        values = {**stored.values, "count": stored.values["count"] + number}
        self.records[name] = Record(version=stored.version, values=values)
        return values["count"]

    def delete_expired(self, name: str, *, now_s: int) -> None:
        """See `ExpiringRecords`."""
        self._check()
        expires_at = self.expiries.get(name)
        if expires_at is not None and expires_at <= now_s:
            del self.records[name], self.expiries[name]

    def _check(self) -> None:
        if self.down:
            raise CoordinationUnavailableError("the coordination table is down on purpose")


@dataclass
class FakeAnalysisCache:
    """`AnalysisCache` over a dict of signature to analysis and expiry."""

    entries: dict[str, tuple[Analysis, int]] = field(default_factory=dict)
    evicted_ms: dict[str, int] = field(default_factory=dict)
    down: bool = False

    def get(self, signature: str, *, now_s: int) -> Analysis | None:
        """See `AnalysisCache`."""
        self._check()
        analysis, expires_at = self.entries.get(signature, (None, 0))
        return analysis if expires_at > now_s else None

    def put(self, signature: str, analysis: Analysis, *, asked_ms: int, expires_at: int) -> None:
        """See `AnalysisCache`."""
        self._check()
        if asked_ms >= self.evicted_ms.get(signature, 0):
            self.entries[signature] = (analysis, expires_at)

    def _check(self) -> None:
        if self.down:
            raise CacheUnavailableError("the cache is down on purpose")
