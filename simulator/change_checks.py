"""The check that each change of a fault's state was told: at its 202 under a strong ledger, else at rest.

It knows what the sources know: which fault each alert was about, what was said of it, when it was sent and
when it was answered. It does not know the handlers' fault keys, nor their records.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from handlers.domain.alert import Alert
from simulator.scenario import Arrival, Scenario
from simulator.scheduler import START_MS
from topology.alerts import CLOCK_ERROR_S, FaultState, Severity, Status

_ERROR_MS: Final = CLOCK_ERROR_S * 1000


@dataclass(frozen=True, kw_only=True)
class Told:
    """A source's receipt for one fault that an arrival told of: `alert_id` was answered with 202.

    In true milliseconds: the try that was answered was sent at `sent_ms`, and answered at `answered_ms`.
    """

    alert_id: str
    fault: int
    arrival: Arrival
    sent_ms: int
    answered_ms: int


def untold_change(
    receipt: Told,
    receipts: Iterable[Told],
    rows: Iterable[Alert],
    made_ms: Mapping[str, tuple[int, int]],
    made_last_ms: Mapping[str, int],
    scenario: Scenario,
) -> str | None:
    """What is wrong if, after the other state was accepted, nobody was told that the fault is in this one.

    `receipts` and `rows` are those of the fault. What is answered with the row of a retry, by its key or
    (under an eventual ledger) within seconds, says nothing new.
    """
    strong = scenario.consistency == "strong"
    doubt_ms = 0 if strong else _ERROR_MS + scenario.disagreement_ms
    if made_ms.get(receipt.alert_id, (0, 0))[0] < receipt.sent_ms and (receipt.arrival.keyed or not strong):
        return None
    before = _before(receipt, receipts, doubt_ms)
    if before is None:
        return None
    state = FaultState.RESOLVED if receipt.arrival.resolved else FaultState.FIRING
    for row in rows:
        if _is_told(row) and row.state is state and _after(row, before, made_last_ms, doubt_ms):
            return None
    return (
        f"fault {receipt.fault} is {state} by {receipt.arrival.label} ({receipt.alert_id}), after "
        f"{before.arrival.label} ({before.alert_id}) said otherwise, and nobody was told"
    )


def untold_severity(receipt: Told, rows: Iterable[Alert]) -> str | None:
    """What is wrong if nobody was told that the fault is as bad as a receipt says. `rows` are the fault's."""
    severity = receipt.arrival.severity
    as_bad = tuple(Severity)[: tuple(Severity).index(severity) + 1]
    told = {row.severity for row in rows if _is_told(row)}
    if receipt.arrival.resolved or not told.isdisjoint(as_bad):
        return None
    return f"fault {receipt.fault} is {severity} by {receipt.arrival.label}, and people were told of {told}"


def _is_told(row: Alert) -> bool:
    """Whether people are told of it, or will be; of what is folded by its fold (see `fold_checks`).

    What a silence hides has rules of its own (see `people_invariants`).
    """
    return row.status is not Status.SUPPRESSED or bool(row.folded) or row.silence_id is not None


def _before(receipt: Told, others: Iterable[Told], doubt_ms: int) -> Told | None:
    """The last one that said otherwise before `receipt`, by the source's own times where it has them."""
    arrival = receipt.arrival
    candidates = [other for other in others if other.arrival.resolved != arrival.resolved]
    candidates = [other for other in candidates if other.answered_ms + doubt_ms < receipt.sent_ms]
    if not arrival.by_source:
        return max(candidates, key=lambda other: other.answered_ms, default=None)
    candidates = [other for other in candidates if _may_precede(other.arrival, arrival)]
    return max(candidates, key=lambda other: other.arrival.since_ms, default=None)


def _may_precede(other: Arrival, arrival: Arrival) -> bool:
    """By the source's times. A resolution is of its own episode, and of no outage that began after it."""
    if arrival.resolved and other.episode_ms != arrival.episode_ms:
        return other.since_ms <= arrival.since_ms
    return other.since_ms <= arrival.since_ms + _ERROR_MS


def _after(row: Alert, before: Told, made_last_ms: Mapping[str, int], doubt_ms: int) -> bool:
    """Whether `row` was there, or began, after `before`."""
    if before.arrival.by_source:
        return (row.changed_at_ms or 0) >= START_MS + before.arrival.since_ms - _ERROR_MS - doubt_ms
    return made_last_ms[row.alert_id] >= before.sent_ms - doubt_ms
