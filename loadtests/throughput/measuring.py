"""From what became of each alert of a probe to its measures, and to what the stack served a second."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.throughput.measures import Measures

LEAD_IN: Final = 0.25
"""The part of a probe that is not measured: queues fill, workers start."""

_CONFIDENCE: Final = 0.995
"""How sure it has to be that latency grows; what the slope exceeds its uncertainty by is what counts. By
Student's t, since a probe may have a handful of digests."""

_LEAST_POINTS: Final = 4
"""Of a line that is fitted; through fewer it says nothing."""

_ACCEPTED: Final = 202
_PERCENT: Final = 100.0


@dataclass(frozen=True, kw_only=True)
class AlertOutcome:
    """What became of one alert that was due. Times in seconds since the probe began.

    `status`: of the answer, None if nothing came; `accepted_s` and `told_s` by the ledger, None for never.
    """

    due_s: float
    ended_s: float
    status: int | None
    critical: bool
    accepted_s: float | None = None
    told_s: float | None = None
    digest_id: str | None = None
    analysed: bool = True

    @property
    def accepted(self) -> bool:
        """Whether it was answered 202."""
        return self.status == _ACCEPTED


def measure(outcomes: Sequence[AlertOutcome], *, slack_refused_percent: float, seconds: float) -> Measures:
    """Measure the alerts that were due in the steady part of a probe of `seconds`."""
    steady = [one for one in outcomes if one.due_s >= LEAD_IN * seconds]
    accepted = [one for one in steady if one.accepted]
    told = [(one, one.told_s, one.accepted_s) for one in accepted if one.told_s is not None]
    latency_s: dict[bool, list[float]] = {True: [], False: []}
    for one, told_s, accepted_s in told:
        latency_s[one.critical].append(told_s - (one.ended_s if accepted_s is None else accepted_s))
    growth = _growth([(one, told_s) for one, told_s, _ in told])
    return Measures(
        error_percent=_percent(len(steady) - len(accepted), len(steady)) or 0.0,
        http_p95_s=_p95([one.ended_s - one.due_s for one in steady]),
        critical_p95_s=_p95(latency_s[True]),
        ordinary_p95_s=_p95(latency_s[False]),
        untold_percent=_percent(len(accepted) - len(told), len(accepted)),
        growth_percent=None if growth is None else growth * _PERCENT,
        alone_percent=_percent(sum(one.digest_id is None for one, *_ in told), len(told)),
        analysed_percent=_percent(sum(one.analysed for one, *_ in told), len(told)),
        slack_refused_percent=slack_refused_percent,
    )


def served_per_s(outcomes: Sequence[AlertOutcome], *, seconds: float, analysed_only: bool) -> float:
    """Alerts a second that came to Slack in the steady part: the slope of their count over time.

    `analysed_only`: those without their analysis were not served as they should be. 0.0 for too few to say.
    """
    at_s = sorted(
        one.told_s
        for one in outcomes
        if one.told_s is not None
        and LEAD_IN * seconds <= one.told_s <= seconds
        and (one.analysed or not analysed_only)
    )
    if len(at_s) < _LEAST_POINTS or at_s[0] == at_s[-1]:
        return 0.0
    return statistics.linear_regression(at_s, range(len(at_s))).slope


def _growth(told: Sequence[tuple[AlertOutcome, float]]) -> float | None:
    """The growth of CRITICAL or of other alerts, which have queues of their own: the larger one.

    A digest is one point, the mean of its alerts: within it, who came first waited longest.
    """
    messages: dict[bool, dict[object, list[tuple[float, float]]]] = {True: {}, False: {}}
    for number, (one, told_s) in enumerate(told):
        messages[one.critical].setdefault(one.digest_id or number, []).append((one.due_s, told_s - one.due_s))
    growths = []
    for of_class in messages.values():
        means = [[statistics.fmean(part) for part in zip(*pairs, strict=True)] for pairs in of_class.values()]
        growths.append(growth_of([mean[0] for mean in means], [mean[1] for mean in means]))
    return max((growth for growth in growths if growth is not None), default=None)


def growth_of(times: Sequence[float], latencies: Sequence[float]) -> float | None:
    """By how much latency surely grows with time, in seconds a second: the slope less its uncertainty.

    0.0 where it may as well not grow; None for too few points to say.
    """
    from scipy.stats import t as student_t  # noqa: PLC0415 - slow to load

    count = len(times)
    if count < _LEAST_POINTS or max(times) == min(times):
        return None
    line = statistics.linear_regression(times, latencies)
    left = [y - line.slope * x - line.intercept for x, y in zip(times, latencies, strict=True)]
    spread = math.sqrt(sum((x - statistics.fmean(times)) ** 2 for x in times))
    error = math.sqrt(sum(one**2 for one in left) / (count - 2)) / spread
    return max(0.0, line.slope - float(student_t.ppf(_CONFIDENCE, count - 2)) * error)


def _p95(seconds: Sequence[float]) -> float | None:
    """The 95th percentile, by the nearest rank: a value that was measured."""
    return sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1] if seconds else None


def _percent(count: int, of: int) -> float | None:
    return _PERCENT * count / of if of else None
