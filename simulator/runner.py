"""Many seeds on all cores, and the mutants: what `make simulate` and `make simulate-mutants` do."""

import logging
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from typing import Any, Final

from simulator.drawing import scenario_of
from simulator.mutants.catalogue import planted
from simulator.mutants.mutant import Mutant
from simulator.scenario import Consistency, Mix, Scenario
from simulator.simulation import Outcome, run

CHUNK: Final = 20
"""Seeds that a process runs before it reports."""

MAX_KEPT: Final = 50
"""Violations that a report names; all are counted."""

MUTANT_SEEDS: Final = 2_000


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A seed that broke a promise. `mix`: which releases ran where, if not today's alone."""

    seed: int
    consistency: Consistency
    rule: str
    text: str
    mix: Mix | None = None

    @property
    def replay(self) -> str:
        """The command that replays it."""
        mixed = " --mixed" if self.mix else ""
        return f"responder simulate --seed {self.seed} --consistency {self.consistency}{mixed} --shrink"

    def as_json(self) -> dict[str, object]:
        """As the report has it."""
        return {
            "seed": self.seed,
            "consistency": self.consistency,
            "rule": self.rule,
            "text": self.text,
            "releases": str(self.mix) if self.mix else None,
            "replay": self.replay,
        }


@dataclass(kw_only=True)
class Report:
    """What came of many seeds. `counts`: faults that fired, and what came of the alerts.

    `releases`: runs by which releases ran where; empty where today's ran alone.
    """

    seeds: int = 0
    runs: int = 0
    seconds: float = 0.0
    violations: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    releases: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Whether no promise was broken."""
        return not self.violations

    def as_json(self) -> dict[str, object]:
        """What `reports/simulate.json` holds."""
        return {
            "ok": self.ok,
            "seeds": self.seeds,
            "runs": self.runs,
            "seconds": round(self.seconds, 1),
            "runs_per_s": round(self.runs / self.seconds, 1) if self.seconds else None,
            "unaccounted": self.violations["unaccounted"],
            "not_live": self.violations["not_live"],
            "safety_violations": self.violations.total() - self.violations["not_live"],
            "violations": dict(sorted(self.violations.items())),
            "releases": dict(self.releases),
            "found": [failure.as_json() for failure in self.failures],
            "counts": dict(sorted(self.counts.items())),
        }


@dataclass(frozen=True, kw_only=True)
class Caught:
    """A mutant and the first seed that caught it; `failure` None: it survived `seeds` of them.

    It holds the mutant's name, since its modules cannot go from one process to another.
    """

    name: str
    seeds: int
    failure: Failure | None

    @property
    def mutant(self) -> Mutant:
        """The mutant of this name."""
        return planted(self.name)

    def as_json(self) -> dict[str, object]:
        """What `reports/simulate-mutants.json` holds of it."""
        return {
            "mutant": self.mutant.name,
            "bug": self.mutant.bug,
            "consistency": self.mutant.consistency,
            "caught": self.failure is not None,
            "seeds": self.seeds,
            "seed": self.failure.seed if self.failure else None,
            "rule": self.failure.rule if self.failure else None,
            "text": self.failure.text if self.failure else None,
        }


def run_with(scenario: Scenario, mutant: Mutant | None, *, keep_history: bool = False) -> Outcome:
    """Run one scenario, with a mutant switched on or none."""
    with mutant.on() if mutant else nullcontext():
        return run(scenario, keep_history=keep_history)


def simulate(
    seeds: range,
    consistencies: Sequence[Consistency],
    *,
    mixes: Sequence[Mix | None] = (None,),
    mutant: Mutant | None = None,
    workers: int | None,
) -> Iterator[Report]:
    """Run every seed under each consistency and mix; gives the report so far after each chunk.

    `workers`: processes; None for one a core.
    """
    report, started = Report(), time.monotonic()
    tasks = (
        (seeds[start : start + CHUNK], consistency, mix, mutant.name if mutant else None)
        for start in range(0, len(seeds), CHUNK)
        for consistency in consistencies
        for mix in mixes
    )
    for part in _run_tasks(_chunk, tasks, workers or os.cpu_count() or 1):
        report.runs += part.runs
        report.seeds = report.runs // (len(consistencies) * len(mixes))
        report.seconds = time.monotonic() - started
        report.violations += part.violations
        report.counts += part.counts
        report.releases += part.releases
        report.failures = sorted(
            [*report.failures, *part.failures], key=lambda failure: (failure.seed, failure.consistency)
        )
        del report.failures[MAX_KEPT:]
        yield report


def hunt(mutants: Sequence[Mutant], *, seeds: int, workers: int | None) -> Iterator[Caught]:
    """Run each mutant until a seed catches it, at most `seeds` of them; gives each when it is done."""
    tasks = ((mutant.name, seeds) for mutant in mutants)
    yield from _run_tasks(_catch, tasks, workers or os.cpu_count() or 1)


def _run_tasks(function: Any, tasks: Iterable[tuple[Any, ...]], workers: int) -> Iterator[Any]:
    """The results of `function` for each task, as they come, with at most two tasks waiting a process."""
    if workers == 1:
        with quiet():
            for task in tasks:
                yield function(*task)
        return
    left = iter(tasks)
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_quiet) as pool:
        running: set[Future[Any]] = {pool.submit(function, *task) for task in islice(left, 2 * workers)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(function, *task) for task in islice(left, len(done))}
            for future in done:
                yield future.result()


def _quiet() -> None:
    logging.disable(logging.CRITICAL)


@contextmanager
def quiet() -> Iterator[None]:
    """The handlers log what they do; thousands of runs of that are of no use."""
    before = logging.root.manager.disable
    _quiet()
    try:
        yield
    finally:
        logging.disable(before)


def _chunk(seeds: range, consistency: Consistency, mix: Mix | None, mutant_name: str | None) -> Report:
    report, mutant = Report(), planted(mutant_name) if mutant_name else None
    for seed in seeds:
        outcome = run_with(scenario_of(seed, consistency, mix), mutant)
        report.runs += 1
        if mix is not None:
            report.releases[str(mix)] += 1
        report.counts += outcome.counts
        if failure := _failure_of(outcome):
            report.violations[failure.rule] += 1
            report.failures.append(failure)
    return report


def _catch(name: str, seeds: int) -> Caught:
    mutant = planted(name)
    for seed in range(seeds):
        if failure := _failure_of(run_with(scenario_of(seed, mutant.consistency), mutant)):
            return Caught(name=name, seeds=seed + 1, failure=failure)
    return Caught(name=name, seeds=seeds, failure=None)


def _failure_of(outcome: Outcome) -> Failure | None:
    violation = outcome.violation
    if violation is None:
        return None
    return Failure(
        seed=outcome.scenario.seed,
        consistency=outcome.scenario.consistency,
        rule=violation.rule,
        text=violation.text,
        mix=outcome.scenario.mix,
    )
