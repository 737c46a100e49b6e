"""Runs one experiment by Chaos Toolkit's own engine; `responder chaos run` and the tests call it."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chaoslib.experiment import run_experiment

from chaos.catalogue import load
from chaos.control import INTERRUPTED
from chaos.target import ChaosRefusedError
from clients.receipts import write_report

SETTINGS: Final = {"runtime": {"rollbacks": {"strategy": "always"}}}
"""By default Chaos Toolkit leaves rollbacks out of an aborted run."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run. `journal` is Chaos Toolkit's, with `faults_fired` and `audit` besides."""

    name: str
    journal: Mapping[str, Any]

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it; it was rolled back."""
        return bool(self.journal["status"] == INTERRUPTED)

    @property
    def passed(self) -> bool:
        """Whether the hypothesis held before and after, each step could be done, and the audit is clean."""
        return (
            self.journal["status"] == "completed"
            and not self.journal["deviated"]
            and (self.journal["steady_states"]["after"] or {}).get("steady_state_met") is True
            and "audit" in self.journal
        )

    @property
    def figures(self) -> tuple[object, ...]:
        """Alerts accepted and not accounted for, the fewest in flight as a fault fired, and faults fired."""
        audit = self.journal.get("audit", {})
        outputs = [step["output"] for step in self.journal["run"] if step["status"] == "succeeded"]
        in_flight = [out["in_flight"] for out in outputs if isinstance(out, dict) and "in_flight" in out]
        fired = sum(
            fault["count"]
            for fault in self.journal.get("faults_fired", ())
            if fault["service"] != "bring-back"
        )
        return (
            audit.get("accepted", "unknown"),
            audit.get("unaccounted", "unknown"),
            min(in_flight, default="unknown"),
            fired,
        )


def variables_of(name: str, given: Sequence[str]) -> dict[str, object]:
    """Parse `KEY=VALUE` texts into values of an experiment's configuration, in the types of its defaults.

    Raises:
        ChaosRefusedError: no such experiment, no such key, or a value of the wrong type.
    """
    defaults = load(name)["configuration"]
    values: dict[str, object] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or key not in defaults:
            raise ChaosRefusedError(f"{name} has no setting {text!r}; KEY=VALUE, with {', '.join(defaults)}")
        kind = type(defaults[key])
        try:
            values[key] = kind(value) if kind in {int, float} else value
        except ValueError as error:
            raise ChaosRefusedError(f"{key} takes a number like {defaults[key]}, not {value!r}") from error
    return values


def run(name: str, *, journal_path: Path, variables: Mapping[str, object]) -> Outcome:
    """Run an experiment and write its journal, and Chaos Toolkit's log beside it.

    `variables` override its configuration by key.

    Raises:
        ChaosRefusedError: there is no such experiment.
    """
    experiment = load(name)
    journal_path.parent.mkdir(parents=True, exist_ok=True)
    with _logged_to(journal_path.with_suffix(".log")):
        journal = run_experiment(experiment, settings=SETTINGS, experiment_vars=(dict(variables), {}))
    write_report(journal_path, journal)
    return Outcome(name, journal)


@contextlib.contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """Write Chaos Toolkit's own log to a file; `chaos.control` prints what a person needs to see."""
    logger, handler = logging.getLogger("chaostoolkit"), logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    propagated, level, logger.propagate = logger.propagate, logger.level, False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.propagate = propagated
        logger.setLevel(level)
