"""From a scenario that breaks a promise to a short one that breaks the same: fewer alerts, incidents, faults.

Everything in a scenario has a stream of randomness of its own, so that leaving something out changes nothing
else; what is left out is tried by halves at first, then one by one (delta debugging).
https://www.st.cs.uni-saarland.de/papers/tse2002/tse2002.pdf
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from simulator.scenario import Scenario
from simulator.scheduler import START_MS
from simulator.simulation import Outcome, run

T = TypeVar("T")

MAX_RUNS: Final = 600
"""After so many runs what was reached is good enough."""

_ROUNDS: Final = 4

_PLAIN: Final[tuple[dict[str, Any], ...]] = (
    {"skew_ms": (0, 0)},
    {"incident_window_s": 0},
    {"hold_back_s": 0},
    {"escalate_after_s": 0},
    {"routed": None},
    {"can_edit": False},
)
"""What a short scenario has, unless the rule needs it otherwise."""


def shrink(outcome: Outcome, *, progress: Callable[[int, Scenario], None] | None = None) -> Outcome:
    """The outcome, with its history, of the smallest scenario found that breaks the same rule.

    `progress` is called with the runs done and the smallest scenario so far. An `outcome` that broke nothing
    is only run again with its history.
    """
    if outcome.violation is None:
        return run(outcome.scenario, keep_history=True)
    return _Shrinker(outcome, outcome.violation.rule, progress).shrink()


class _Shrinker:
    def __init__(self, outcome: Outcome, rule: str, progress: Callable[[int, Scenario], None] | None) -> None:
        self._rule = rule
        self._best = outcome
        self._runs = 0
        self._progress = progress

    def shrink(self) -> Outcome:
        self._try(replace(self._best.scenario, canary=False))
        for _ in range(_ROUNDS):
            before = self._size()
            self._few(lambda s: s.arrivals, lambda s, kept: replace(s, arrivals=tuple(kept)))
            self._few(lambda s: s.incidents, lambda s, kept: replace(s, incidents=tuple(kept)))
            self._few(lambda s: s.silences, lambda s, kept: replace(s, silences=tuple(kept)))
            self._few(lambda _: self._best.fired, lambda s, kept: replace(s, allowed=frozenset(kept)))
            self._narrow()
            for plain in _PLAIN:
                self._try(replace(self._best.scenario, **plain))
            if self._size() == before or self._runs >= MAX_RUNS:
                break
        return run(self._best.scenario, keep_history=True)

    def _few(
        self,
        parts_of: Callable[[Scenario], Sequence[T]],
        with_parts: Callable[[Scenario, Sequence[T]], Scenario],
    ) -> None:
        """Leave out as many parts as can be, in ever smaller pieces."""
        size = len(parts_of(self._best.scenario))
        while size:
            start = 0
            while start < len(parts := parts_of(self._best.scenario)):
                kept = [*parts[:start], *parts[start + size :]]
                if not self._try(with_parts(self._best.scenario, kept)):
                    start += size
            size //= 2

    def _narrow(self) -> None:
        """End the faults soon after the violation, if they last longer."""
        violation, scenario = self._best.violation, self._best.scenario
        if violation is None:
            return
        at_ms = violation.at_ms - START_MS
        for horizon_ms in (at_ms // 2, at_ms + 1):
            if 0 < horizon_ms < scenario.horizon_ms and self._try(replace(scenario, horizon_ms=horizon_ms)):
                return

    def _try(self, scenario: Scenario) -> bool:
        """Whether the same rule is broken still; then this is the best so far."""
        if self._runs >= MAX_RUNS or scenario == self._best.scenario:
            return False
        self._runs += 1
        outcome = run(scenario)
        if outcome.violation is None or outcome.violation.rule != self._rule:
            return False
        self._best = outcome
        if self._progress is not None:
            self._progress(self._runs, scenario)
        return True

    def _size(self) -> tuple[int, ...]:
        scenario = self._best.scenario
        return (
            len(scenario.arrivals),
            len(scenario.incidents),
            len(scenario.silences),
            len(self._best.fired),
            scenario.horizon_ms,
        )
