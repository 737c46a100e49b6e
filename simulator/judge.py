"""The judge: watches a run, and says which promise was broken first. It ends the run with that.

It knows the truth: real time, what was really written and posted, and which worker was really disturbed. It
shares no code with the handlers but the state machine as data (`states.MOVES`) and the limits. Writes are
`row_judge`'s, posts `post_judge`'s, and `verdict` has what can only be judged at the end.
"""

from dataclasses import dataclass

from simulator.history import History
from simulator.post_judge import PostJudge
from simulator.row_judge import RowJudge
from simulator.scenario import Scenario
from simulator.scheduler import Scheduler


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A broken promise. `rule` names it in one word, the same for every seed that breaks it."""

    rule: str
    text: str
    at_ms: int

    def __str__(self) -> str:
        """As it is printed."""
        return f"{self.rule}: {self.text}"


class Judge:
    """Of one run. `violation` is the first one found."""

    def __init__(self, scenario: Scenario, scheduler: Scheduler, history: History) -> None:
        """Nothing has happened."""
        self.violation: Violation | None = None
        self._scheduler = scheduler
        self._history = history
        self.rows = RowJudge(scenario, scheduler, self.broken)
        self.posts = PostJudge(scenario, scheduler, self.broken)

    def broken(self, rule: str, text: str) -> None:
        """Note a violation, if it is the first."""
        if self.violation is None:
            self.violation = Violation(rule=rule, text=text, at_ms=self._scheduler.now_ms)
            self._history.add(self._scheduler.now_ms, "VIOLATION", str(self.violation))
