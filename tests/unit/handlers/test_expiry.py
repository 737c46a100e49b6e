"""Rows whose time is over go, in bounds, and nothing else does."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from handlers.domain.limits import MAX_EXPIRED_PER_RUN
from handlers.domain.ports import ExpiredRow, LedgerUnavailableError
from handlers.domain.regions.expiry import Expiry, ExpiryReport
from tests.fakes.ledger import FakeCoordination
from tests.fakes.machine import FakeClock, SerialExecutor
from topology.alerts import Severity
from topology.records import fault_record


@dataclass
class FakeExpiringLedger:
    """`ExpiringLedger` over a list; `failing` ids cannot be deleted, `moved` ones have changed since."""

    clock: FakeClock
    rows: list[ExpiredRow]
    failing: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    down: bool = False
    delete_s: float = 0
    records: FakeCoordination = field(default_factory=FakeCoordination)

    def expired(self, severity: Severity, *, now_s: int, limit: int) -> Sequence[ExpiredRow]:
        """See `ExpiringLedger`; all are HIGH."""
        if self.down:
            raise LedgerUnavailableError("on purpose")
        found = self.rows if severity is Severity.HIGH else []
        return [row for row in found if row.expires_at <= now_s][:limit]

    def delete_expired(self, row: ExpiredRow) -> bool:
        """See `ExpiringLedger`."""
        self.clock.advance(self.delete_s)
        if row.alert_id in self.failing:
            raise LedgerUnavailableError("on purpose")
        if row.alert_id in self.moved:
            return False
        self.rows.remove(row)
        return True


def expired(count: int, *, clock: FakeClock, ago_s: int = 100) -> list[ExpiredRow]:
    """So many rows, the first expired the longest ago."""
    return [
        ExpiredRow(alert_id=f"a{number:04}", expires_at=clock.s - ago_s - count + number)
        for number in range(count)
    ]


def run(ledger: FakeExpiringLedger, *, seconds: float = 30) -> ExpiryReport:
    """One run with so much time."""
    expiry = Expiry(ledger=ledger, records=ledger.records, clock=ledger.clock, executor=SerialExecutor())
    return expiry.run(until_ms=ledger.clock.ms + round(seconds * 1000))


def test_expired_rows_are_deleted_and_others_stay() -> None:
    """By their own expiry."""
    clock = FakeClock()
    fresh = ExpiredRow(alert_id="fresh", expires_at=clock.s + 1)
    ledger = FakeExpiringLedger(clock, [*expired(3, clock=clock), fresh])
    assert run(ledger) == ExpiryReport(deleted=3, oldest_s=0)
    assert ledger.rows == [fresh]


def test_run_is_bounded_and_says_how_far_behind_it_is() -> None:
    """The oldest go first; the next run takes the rest."""
    clock = FakeClock()
    ledger = FakeExpiringLedger(clock, expired(MAX_EXPIRED_PER_RUN, clock=clock))
    ledger.moved = {"a0007"}
    assert run(ledger).deleted == MAX_EXPIRED_PER_RUN - 1
    ledger = FakeExpiringLedger(clock, expired(30, clock=clock, ago_s=50), delete_s=1)
    assert run(ledger, seconds=5) == ExpiryReport(deleted=10, oldest_s=50 + 20)
    assert run(ledger).deleted == 20


def test_row_that_cannot_be_deleted_costs_no_other_and_is_told() -> None:
    """Its age is in the metric until it goes."""
    clock = FakeClock()
    ledger = FakeExpiringLedger(clock, expired(3, clock=clock), failing={"a0001"})
    assert run(ledger) == ExpiryReport(deleted=2, oldest_s=102)


def test_unreachable_ledger_ends_the_run_quietly() -> None:
    """Recovery's own work is done by then."""
    clock = FakeClock()
    assert run(FakeExpiringLedger(clock, expired(3, clock=clock), down=True)) == ExpiryReport()


def test_record_of_a_fault_goes_with_the_row_once_it_has_expired_too() -> None:
    """Nobody would find it again; one that has changed since is still needed."""
    clock = FakeClock()
    ledger = FakeExpiringLedger(clock, [])
    for fault_key, expires_at in (("old", clock.s), ("young", clock.s + 1)):
        ledger.rows.append(ExpiredRow(alert_id=fault_key, expires_at=clock.s, fault_key=fault_key))
        ledger.records.write(fault_record(fault_key), None, {}, expires_at=expires_at)
    assert run(ledger).deleted == 2
    assert list(ledger.records.records) == [fault_record("young")]
