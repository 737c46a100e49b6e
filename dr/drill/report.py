"""A drill's report: one typed record, from which the JSON, the page and the summary are all written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from audit.outcome import Audit
from clients.lines import LinesFile, read_lines
from clients.receipts import Receipt, write_report
from dr.drill.measures import (
    Change,
    Failure,
    Load,
    Rpo,
    Rto,
    Timeline,
    changes,
    load_of,
    rpo_of,
    rto_of,
    timeline_of,
)
from dr.drill.prober import ProbeLog
from dr.drill.record import DrillFacts, DrillState, Moment, PhaseRun

REPORT_FILE: Final = "drill.json"
HISTORY_FILE: Final = "drill-history.jsonl"
"""One line for each drill in one go that measured an RTO: what the next one of its kind is compared with."""

RTO_MEANING: Final = (
    "From the fault (the instant before it was injected) to the later of two: the failover region answers "
    "202 to an alert that was sent after the fault, and the failover's test alert has reached people from "
    "there. Detect ends when the health check turns, decide with the decision, act when the switch is seen "
    "on, verify with the test alert, which comes after the drain of what was in flight."
)
REPAIR_MEANING: Final = (
    "From the instant before the bad writer's first write until every row is found to be as before in both "
    "regions. Detect ends when an alert that was answered 202 is found to have no row, decide with the "
    "decision, act with the last row that is rolled back, verify with that comparison."
)
RPO_MEANING: Final = (
    "Alerts that were answered 202 and are not accounted for by the audit after everything was back, by id; "
    "seconds are the age of the oldest of them at the fault."
)
EMULATED: Final = (
    "Measured on the embedded AWS, on one machine: it proves the procedure and finds what got slower, and "
    "does not predict AWS's times."
)


@dataclass(frozen=True, kw_only=True)
class Objectives:
    """What the stack's configuration asks of a drill."""

    rto_s: float
    rpo_alerts: int
    accepted_least: int


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """What was rolled back at the end, and what could not be."""

    done: tuple[str, ...] = ()
    not_done: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DrillReport:
    """The content of `reports/drill.json`. Times in epoch milliseconds, durations in seconds."""

    drill_id: str
    scenario: str
    title: str
    stack: str
    emulated: bool
    began_at: str
    took_s: float
    resumed: int
    passed: bool
    missed: tuple[str, ...]
    regions: Mapping[str, str]
    objectives: Objectives
    rto: Rto
    rto_meaning: str
    rpo: Rpo
    rpo_meaning: str
    load: Load
    duplicates_by_cause: Mapping[str, int] | None
    moments: Mapping[str, int]
    phases: tuple[PhaseRun, ...]
    facts: DrillFacts
    measures_s: Mapping[str, float | None]
    compared_with: str | None
    changes: tuple[Change, ...]
    rollback: Rollback
    audit: Audit | None
    timeline: Timeline

    @property
    def slower(self) -> tuple[Change, ...]:
        """What took longer than in the last drill of this scenario."""
        return tuple(change for change in self.changes if change.slower)


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One drill in the history: what the next one of its kind is compared with."""

    drill_id: str
    scenario: str
    stack: str
    began_at: str
    measures_s: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class ReportContext:
    """What a report needs to know of the scenario and the stack. `regions` maps a region to its role.

    `lost_to`: the region that took over, None where none was lost; `emulated`: not on AWS.
    """

    title: str
    regions: Mapping[str, str]
    lost_to: str | None
    emulated: bool
    objectives: Objectives


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """What a drill recorded. `audit` None: there was none; `stopped`: why it did not get to its end."""

    log: ProbeLog
    receipts: Sequence[Receipt]
    audit: Audit | None
    rollback: Rollback
    ended_ms: int
    stopped: str | None = None


def make_report(
    state: DrillState, context: ReportContext, inputs: ReportInputs, *, history: Sequence[HistoryEntry]
) -> DrillReport:
    """Join what the drill noted, the prober saw and the audit found; `history` has the drills before it."""
    audit = inputs.audit
    fault_ms = state.moments.get(Moment.FAULT)
    rto = rto_of(state.moments, inputs.log.attempts, lost_to=context.lost_to)
    problems = audit.problems if audit else {}
    rpo = rpo_of(audit.unaccounted if audit else None, problems, inputs.receipts, fault_ms=fault_ms)
    load = load_of(inputs.log, inputs.receipts, fault_ms=fault_ms)
    phases = _phases(state)
    measures_s = _measures(state, phases, rto, inputs.ended_ms)
    last = next((earlier for earlier in reversed(history) if _is_alike(earlier, state)), None)
    missed = (
        *([inputs.stopped] if inputs.stopped else []),
        *_missed(context, rto, rpo, load, audit),
        *(f"not rolled back: {what}" for what in inputs.rollback.not_done),
    )
    return DrillReport(
        drill_id=state.drill_id,
        scenario=state.scenario,
        title=context.title,
        stack=state.stack,
        emulated=context.emulated,
        began_at=datetime.fromtimestamp(state.began_ms / 1_000, UTC).isoformat(timespec="seconds"),
        took_s=round((inputs.ended_ms - state.began_ms) / 1_000, 1),
        resumed=state.resumed,
        passed=not missed,
        missed=missed,
        regions=context.regions,
        objectives=context.objectives,
        rto=rto,
        rto_meaning=RTO_MEANING if context.lost_to else REPAIR_MEANING,
        rpo=rpo,
        rpo_meaning=RPO_MEANING,
        load=load,
        duplicates_by_cause=audit.duplicates_by_cause if audit else None,
        moments={str(moment): at_ms for moment, at_ms in state.moments.items()},
        phases=phases,
        facts=msgspec.structs.replace(state.facts, background_ms={}),
        measures_s=measures_s,
        compared_with=last.began_at if last else None,
        changes=changes(measures_s, last.measures_s) if last else (),
        rollback=inputs.rollback,
        audit=audit,
        timeline=timeline_of(
            inputs.log.attempts,
            regions=context.regions,
            began_ms=state.began_ms,
            ended_ms=inputs.ended_ms,
            deaths=state.resumed,
        ),
    )


def write_json(report: DrillReport, folder: Path) -> Path:
    """Write `drill.json`; add the drill to the history, if it measured an RTO in one go; return the file."""
    path = folder / REPORT_FILE
    write_report(path, msgspec.to_builtins(report))
    if report.rto.total_s is not None and not report.resumed:
        line = HistoryEntry(
            drill_id=report.drill_id,
            scenario=report.scenario,
            stack=report.stack,
            began_at=report.began_at,
            measures_s=report.measures_s,
        )
        with LinesFile(folder / HISTORY_FILE) as history:
            history.add(line)
    return path


def read_history(folder: Path) -> list[HistoryEntry]:
    """The drills that were reported in this folder, oldest first; a line of another form is no drill."""
    try:
        file = (folder / HISTORY_FILE).open("rb")
    except FileNotFoundError:
        return []
    with file:
        lines = read_lines(file, msgspec.json.Decoder(HistoryEntry).decode)
        return [line for line in lines if isinstance(line, HistoryEntry)]


def _is_alike(earlier: HistoryEntry, state: DrillState) -> bool:
    """Whether `earlier` can be compared with; times that a dead process is part of compare with nothing."""
    alike = (earlier.scenario, earlier.stack) == (state.scenario, state.stack)
    return alike and earlier.drill_id != state.drill_id and not state.resumed


def _phases(state: DrillState) -> tuple[PhaseRun, ...]:
    """The phases; one that only collects what went on beside the others gets the times of that."""
    background = state.facts.background_ms

    def timed(run: PhaseRun) -> PhaseRun:
        if run.name not in background:
            return run
        began_ms, ended_ms = background[run.name]
        return replace(run, began_ms=began_ms, ended_ms=run.ended_ms and (ended_ms or run.ended_ms))

    return tuple(timed(run) for run in state.phases)


def _measures(
    state: DrillState, phases: Sequence[PhaseRun], rto: Rto, ended_ms: int
) -> Mapping[str, float | None]:
    """What two drills are compared by, in seconds: the parts of the RTO, then each phase."""
    took_s = {
        run.name: round((run.ended_ms - run.began_ms) / 1_000, 2)
        for run in phases
        if run.ended_ms is not None
    }
    return {
        "RTO": rto.total_s,
        **rto.parts_s,
        "served again": rto.served_again_s,
        **{f"phase: {name}": value for name, value in took_s.items()},
        "whole drill": round((ended_ms - state.began_ms) / 1_000, 2),
    }


def _missed(context: ReportContext, rto: Rto, rpo: Rpo, load: Load, audit: Audit | None) -> tuple[str, ...]:
    """Each objective that was not met, in words; unknown is missed."""
    asked = context.objectives
    missed = []
    if rto.total_s is None:
        missed.append("RTO: it was never served again, or nobody could verify it")
    elif rto.total_s > asked.rto_s:
        missed.append(f"RTO: {rto.total_s:g} s, and the objective is {asked.rto_s:g} s")
    if audit is None or rpo.alerts is None:
        missed.append("audit: there was none, so what became of the alerts is unknown")
    elif rpo.alerts > asked.rpo_alerts:
        missed.append(f"RPO: {rpo.alerts} alerts unaccounted, and the objective is {asked.rpo_alerts}")
    if audit is not None and audit.unread:
        parts = ", ".join(audit.unread_parts)
        missed.append(f"audit: what was answered 202 is unknown in {parts}")
    elif audit is not None and rpo.alerts == 0 and not audit.passed:
        missed.append(f"audit: {len(audit.unexplained)} duplicates in Slack that nothing explains")
    if load.accepted < asked.accepted_least:
        missed.append(f"load: {load.accepted} alerts accepted, and a drill needs {asked.accepted_least}")
    if not load.accepted_before_fault or not load.accepted_after_fault:
        missed.append("load: alerts have to be accepted on both sides of the fault")
    if errors := load.failed_before_fault[Failure.SERVER_ERROR]:
        missed.append(f"load: {errors} tries were answered 5xx before the fault, when nothing was broken")
    return tuple(missed)
