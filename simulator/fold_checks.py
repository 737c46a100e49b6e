"""The checks of what is above a source's quota: when all is at rest, a fold tells of it, and counts it.

They know what the sources sent, and what Slack has; not what the handlers counted.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from handlers.domain.alert import Alert
from handlers.domain.limits import QUOTA_MINUTE_S
from simulator.checker import InvariantChecker
from simulator.scenario import Scenario
from topology.alerts import Severity, Status

_COUNT: Final = re.compile(r"at least ([\d,]+) more alerts")
_LATENESS_MS: Final = 120_000
"""How long after a request was sent its alerts are accepted at most, or counted by who posts a fold."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A request that reached a region's reception: `number` alerts of one source."""

    at_ms: int
    region: str
    source: str
    number: int


def check_folds(
    checker: InvariantChecker, rows: Mapping[str, Alert], requests: Iterable[Sent], scenario: Scenario
) -> None:
    """Check every fold, and every row that is folded."""
    requests = list(requests)
    for row in rows.values():
        if row.folded:
            _check_folded(checker, row, rows, requests, scenario)
    for fold in rows.values():
        if fold.folds and fold.status is Status.NOTIFIED and scenario.mix is None:
            _check_counts(checker, fold, scenario)


def _check_folded(
    checker: InvariantChecker,
    row: Alert,
    rows: Mapping[str, Alert],
    requests: Iterable[Sent],
    scenario: Scenario,
) -> None:
    if row.severity is Severity.CRITICAL:
        checker.broken("critical_folded", f"{row.alert_id} is CRITICAL, and folded")
    fold = rows.get(row.parent_id or "")
    if fold is None or not fold.folds or fold.source != row.source:
        checker.broken("fold_missing", f"{row.alert_id} is folded, and no alert tells of it")
    apart_ms = QUOTA_MINUTE_S * 1000 + scenario.disagreement_ms + _LATENESS_MS
    sent = sum(
        request.number
        for request in requests
        if (request.region, request.source) == (row.region, row.source)
        and abs(request.at_ms - row.accepted_at_ms) < apart_ms
    )
    if sent <= (scenario.source_quota_per_minute or 0):
        checker.broken("folded_below_quota", f"{row.alert_id} is folded, and {row.source} sent {sent}")


def _check_counts(checker: InvariantChecker, fold: Alert, scenario: Scenario) -> None:
    """Slack has no number that is higher than the ledger's, nor (where no index is behind) a lower one."""
    exact = scenario.consistency == "strong" and not scenario.faults.index_lag
    folded = checker.rows.folded.get(fold.alert_id, ())
    for post in checker.posts.alerts.get(fold.alert_id, ()):
        counted = _COUNT.search(post.message.text)
        number = int(counted[1].replace(",", "")) if counted else -1
        before_ms = post.at_ms - _LATENESS_MS
        there = sum(checker.rows.made_ms[alert_id][1] < before_ms for alert_id in folded)
        if number > len(folded) or number < (there if exact else 0):
            checker.broken("fold_miscounted", f"{fold.alert_id} tells of {number}, and has {len(folded)}")
