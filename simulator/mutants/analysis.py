"""Bugs in how long an alert waits for its analysis."""

from typing import Final

from handlers.domain.alert import Alert
from handlers.domain.delivery.analysis import AnalysisWork
from handlers.domain.delivery.leases import Deadline
from handlers.domain.limits import ANALYSIS_PATIENCE_S
from simulator.mutants.mutant import mutant


def _patient(self: AnalysisWork, alert: Alert, deadline: Deadline) -> None:
    """As any other alert."""
    self._send_on(alert, self._outcome(alert, deadline, within_s=ANALYSIS_PATIENCE_S), deadline)


MUTANTS: Final = (
    mutant(
        "critical-waits",
        "a CRITICAL alert waits for the model as long as others",
        (AnalysisWork, "_work_on_critical", _patient),
    ),
)
