"""A whole drill on the running stack, and one that is stopped half way: nothing of either is left."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from clients.coordination import CoordinationRecords
from clients.interrupts import interrupt_on_ending
from dr.drill.record import DrillFile, DrillState, now_ms, only_drill
from dr.drill.run import DrillRun
from dr.drill.runner import Result, run_drill
from dr.drill.scenarios import REGION_KILLED, SCENARIOS
from dr.drill.target import LocalDrillTarget
from emulator.local_stack import LocalStack
from ops.local.running import local_config

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

CORRUPTED: Final = "table-corrupted"
ENOUGH: Final = 100
"""Accepted alerts that end the load; a drill wants more, which only take longer."""

FEW: Final = 20
"""For a drill that is stopped before it looks at them."""


@pytest.fixture
def target(stack: LocalStack) -> Iterator[LocalDrillTarget]:
    """The local stack, with health checks that look ten times as often."""
    emulator = stack.emulator
    emulator.pace_health_checks(0.1)
    yield LocalDrillTarget(emulator)
    emulator.pace_health_checks(1.0)


@pytest.fixture
def endings(from_terminal: None) -> None:  # noqa: ARG001 - it puts back what is set here
    """Signals that end a command, as in one."""
    interrupt_on_ending()


def drill(
    target: LocalDrillTarget,
    scenario: str,
    folder: Path,
    *,
    at: Callable[[str], None],
    accepted_least: int = ENOUGH,
) -> Result:
    """Run it as the command does, with less to wait for; `at` is told of each phase that begins."""
    began = DrillState(
        drill_id=scenario, scenario=scenario, stack="local", began_ms=now_ms(), decide_after_s=0.0
    )
    titles = {f"{phase.name}: {phase.title}": phase.name for phase in SCENARIOS[scenario].phases}

    def said(line: str) -> None:
        print(line)  # noqa: T201 - shown where the test fails
        if line in titles:
            at(titles[line])

    with only_drill(target.run_dir):
        run = DrillRun(target, DrillFile.create(target.run_dir, began), said, accepted_least=accepted_least)
        return run_drill(SCENARIOS[scenario], run, config=local_config(), folder=folder)


def loads() -> set[threading.Thread]:
    """The threads that post; a test that ran before in this process may have left one."""
    return {one for one in threading.enumerate() if one.name == "load"}


def left_behind(target: LocalDrillTarget) -> dict[str, Any]:
    """What a drill could leave: lost regions, a switch that is on, tables, processes; `loads` besides."""
    deployment = target.deployment
    switch = CoordinationRecords(deployment, deployment.failover.region).switched_on_ms()
    return {
        "lost": dict(target.lost_regions()),
        "switch": switch,
        "tables": [
            name
            for one in deployment.regions
            for name in deployment.clients.client("dynamodb", one.region).list_tables()["TableNames"]
            if "-drill-" in name
        ],
        "processes": len(psutil.Process().children()),
    }


def test_a_drill_passes_with_every_alert_accounted_for_and_leaves_nothing(
    target: LocalDrillTarget, tmp_path: Path
) -> None:
    """A bad writer, its detection, a restore, a repair, under load; the report has the RTO in parts."""
    before, others = left_behind(target), loads()
    report = drill(target, CORRUPTED, tmp_path, at=lambda _: None).report
    assert report.missed == ()
    assert report.passed
    assert report.audit is not None
    assert (report.rpo.alerts, report.audit.unaccounted) == (0, 0)
    parts = {name: part for name, part in report.rto.parts_s.items() if part is not None}
    assert list(parts) == ["detect", "decide", "act", "verify"]
    assert [run.name for run in report.phases] == [phase.name for phase in SCENARIOS[CORRUPTED].phases]
    assert report.rollback.not_done == ()
    assert left_behind(target) == before
    assert loads() <= others


def test_a_drill_that_is_stopped_brings_its_region_back(
    target: LocalDrillTarget,
    tmp_path: Path,
    endings: None,  # noqa: ARG001 - as a command has them
) -> None:
    """Told to stop while the region is lost: the load ends, the region answers, and nothing stays."""
    before, others = left_behind(target), loads()

    def stop(phase: str) -> None:
        if phase == "detection":
            os.kill(os.getpid(), signal.SIGTERM)

    result = drill(target, REGION_KILLED, tmp_path, at=stop, accepted_least=FEW)
    assert result.interrupted
    assert result.report.rollback.not_done == ()
    assert f"regions started: {target.deployment.primary.region}" in result.report.rollback.done
    assert left_behind(target) == before
    assert loads() <= others
