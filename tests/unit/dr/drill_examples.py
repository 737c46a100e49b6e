"""A drill as a test wants it: instants, tries, receipts and an audit that fit together."""

from collections.abc import Mapping
from typing import Any

from audit.outcome import Audit
from clients.receipts import Receipt
from clients.sender import Attempt
from dr.drill.prober import ProbeLog
from dr.drill.record import DrillFacts, DrillState, Moment, PhaseRun, StepRun
from dr.drill.report import (
    DrillReport,
    HistoryEntry,
    Objectives,
    ReportContext,
    ReportInputs,
    Rollback,
    make_report,
)

EAST, WEST = "us-east-1", "us-west-2"
BEGAN_MS = 1_800_000_000_000
ROLES = {EAST: "primary", WEST: "failover"}

MOMENTS = {
    Moment.FAULT: 20_000,
    Moment.DETECTED: 41_500,
    Moment.DECIDED: 46_500,
    Moment.ACTED: 47_000,
    Moment.DRAINED: 51_000,
    Moment.VERIFIED: 52_500,
    Moment.STARTED: 70_000,
    Moment.FAILED_BACK: 95_000,
    Moment.LOAD_ENDED: 100_000,
    Moment.RESTED: 110_000,
}
"""Milliseconds after the beginning."""


def at(offset_ms: int) -> int:
    """Epoch milliseconds."""
    return BEGAN_MS + offset_ms


def attempt(region: str, offset_ms: int, status: int | None = 202, *, took_ms: int = 50) -> Attempt:
    """A try that was sent at `offset_ms`."""
    return Attempt(region, at(offset_ms), at(offset_ms + took_ms), status)


def receipt(alert_id: str, region: str, offset_ms: int) -> Receipt:
    """Of an alert that was accepted right after `offset_ms`."""
    return Receipt(alert_id, "RECEIVED", region, at(offset_ms), at(offset_ms + 50))


def audit(*, problems: Mapping[str, str] | None = None, unexplained: int = 0) -> Audit:
    """An audit of 600 alerts."""
    found = dict(problems or {})
    return Audit(
        consistency="strong",
        accepted=600,
        notified=600 - len(found),
        in_digests=100,
        suppressed=0,
        parked=0,
        digests=10,
        digests_verified=10,
        unaccounted=len(found),
        unreceipted=0,
        by_region={},
        duplicates_by_cause={"lease_expired": 2, "unexplained": unexplained},
        problems=found,
        unexplained={f"twice-{n}": "in Slack 2 times" for n in range(unexplained)},
    )


def state(**changes: Any) -> DrillState:
    """A drill that lost a region and got to its end."""
    given: dict[str, Any] = {
        "drill_id": "20270115T080000-abc123",
        "scenario": "region-killed",
        "stack": "local",
        "began_ms": BEGAN_MS,
        "decide_after_s": 5.0,
        "moments": {moment: at(offset) for moment, offset in MOMENTS.items()},
        "phases": (
            PhaseRun(name="load", began_ms=at(0), ended_ms=at(15_000), detail="100 alerts accepted"),
            PhaseRun(name="fault", began_ms=at(20_000), ended_ms=at(20_400), detail=f"{EAST} is killed"),
            PhaseRun(
                name="failover",
                began_ms=at(46_500),
                ended_ms=at(52_500),
                detail="done",
                steps=(StepRun(name="switch", began_ms=at(46_600), ended_ms=at(47_000), detail="on"),),
            ),
        ),
        "facts": DrillFacts(alerts_drained=12),
    }
    return DrillState(**{**given, **changes})


def context(**changes: Any) -> ReportContext:
    """Two regions on an emulator, with objectives that the example meets."""
    given: dict[str, Any] = {
        "title": "the primary region is killed",
        "regions": ROLES,
        "lost_to": WEST,
        "emulated": True,
        "objectives": Objectives(rto_s=60, rpo_alerts=0, accepted_least=500),
    }
    return ReportContext(**{**given, **changes})


def inputs(**changes: Any) -> ReportInputs:
    """600 alerts, 8 a second: the primary's before the fault and after the failback, the other's between."""
    tries, receipts = [], []
    for number in range(600):
        sent = number * 125
        region = WEST if MOMENTS[Moment.FAULT] <= sent < MOMENTS[Moment.FAILED_BACK] else EAST
        if region == WEST and sent < MOMENTS[Moment.VERIFIED]:
            tries.append(attempt(EAST, sent, None, took_ms=5))
        tries.append(attempt(region, sent + 5))
        receipts.append(receipt(f"alert-{number}", region, sent + 5))
    given: dict[str, Any] = {
        "log": ProbeLog(posted=600, attempts=tuple(tries)),
        "receipts": receipts,
        "audit": audit(),
        "rollback": Rollback(done=("switch turned off",)),
        "ended_ms": at(112_000),
    }
    return ReportInputs(**{**given, **changes})


def report(
    *,
    of: DrillState | None = None,
    on: ReportContext | None = None,
    found: ReportInputs | None = None,
    history: tuple[HistoryEntry, ...] = (),
) -> DrillReport:
    """The example's report, with what a test changes."""
    return make_report(of or state(), on or context(), found or inputs(), history=history)
