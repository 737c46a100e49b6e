"""However a drill ends, all is rolled back, and the report says how far it got and what could not be."""

import json
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit.comparison import SlackPost
from clients.coordination import CoordinationRecords
from clients.receipts import Receipt
from clients.sender import Webhook
from dr.drill.bad_writer import BROKEN, CHANGED, DELETED, choose, read_items, write
from dr.drill.record import Damage, DrillFacts, DrillFile, Moment, read_state
from dr.drill.report import Rollback
from dr.drill.run import DrillFailedError, DrillRun, Phase
from dr.drill.runner import ERRORS_FILE, ReportUnwrittenError, Result, run_drill
from dr.drill.scenarios import Scenario
from dr.drill.tables import new_table
from dr.drill.target import Health, Loss
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, dr_stack, put_alert
from tests.fakes.switches import set_switch
from tests.unit.dr.drill_examples import state
from topology.config import StackConfig

pytestmark = pytest.mark.usefixtures("from_terminal")

Act = Callable[[DrillRun], str]


class FakeTarget:
    """A stack on moto whose regions are lost by word only; what cannot be started is in `unstartable`."""

    emulated = True

    def __init__(self, stack: DrStack, run_dir: Path) -> None:
        """Whole, and with everything in reach."""
        self.deployment = stack.deployment
        self.environment = stack.environment
        self.run_dir = run_dir
        self.lost: dict[str, str] = {}
        self.unstartable = False

    def webhooks(self) -> tuple[Webhook, ...]:
        """See `DrillTarget`."""
        return ()

    def leading(self) -> str | None:
        """See `DrillTarget`."""
        return None

    def health(self, region: str) -> Health | None:
        """See `DrillTarget`."""
        return Health(region not in self.lost, 0)

    def serving(self, region: str) -> bool:
        """See `DrillTarget`."""
        return region not in self.lost

    def lose_region(self, region: str, how: Loss) -> None:
        """See `DrillTarget`."""
        self.lost[region] = how

    def lost_regions(self) -> Mapping[str, str]:
        """See `DrillTarget`."""
        return self.lost

    def start_regions(self) -> list[str]:
        """See `DrillTarget`."""
        if self.unstartable:
            raise OSError("no process can be started")
        started = list(self.lost)
        self.lost.clear()
        return started

    def slack_messages(self) -> Iterable[SlackPost]:
        """See `DrillTarget`."""
        return ()


@pytest.fixture
def target(aws: None, tmp_path: Path) -> FakeTarget:  # noqa: ARG001 - moto
    """A target whose region is whole."""
    (tmp_path / "run").mkdir()
    return FakeTarget(dr_stack(), tmp_path / "run")


def _run(target: FakeTarget, tmp_path: Path, *acts: Act) -> Result:
    """Run phases of these acts on a load that has ended already."""
    phases = tuple(Phase(f"phase {n}", "as a test wants it", act) for n, act in enumerate(acts))
    scenario = Scenario("test", "a test", phases, loses_region=True)
    began = replace(state(), moments={Moment.LOAD_ENDED: 1}, phases=(), facts=DrillFacts())
    file = DrillFile.create(target.run_dir, began)
    config = StackConfig.parse(
        stack="local",
        raw={"primaryRegion": PRIMARY, "failoverRegion": FAILOVER, "ledgerConsistency": "eventual"},
    )
    return run_drill(
        scenario, DrillRun(target, file, lambda _: None), config=config, folder=tmp_path / "reports"
    )


def _lose(run: DrillRun) -> str:
    run.target.lose_region(PRIMARY, "kill")
    return "lost"


def _fail(_run: DrillRun) -> str:
    raise DrillFailedError("the health check fails: not so within 3 s")


def test_a_drill_that_fails_brings_its_region_back(target: FakeTarget, tmp_path: Path) -> None:
    """The report names the phase and what was rolled back, and the state is that of a drill that ended."""
    result = _run(target, tmp_path, _lose, _fail)
    assert target.lost == {}
    assert not result.interrupted
    assert result.report.missed[0] == "phase 'phase 1' failed: the health check fails: not so within 3 s"
    assert f"regions started: {PRIMARY}" in result.report.rollback.done
    found = read_state(target.run_dir)
    assert found is not None
    assert found.passed is False


def test_its_reports_are_written_whatever_happened(target: FakeTarget, tmp_path: Path) -> None:
    """JSON, page and summary tell the same."""
    _run(target, tmp_path, _fail)
    folder = tmp_path / "reports"
    report = json.loads((folder / "drill.json").read_text(encoding="utf-8"))
    assert report["passed"] is False
    assert "Failed" in (folder / "drill.html").read_text(encoding="utf-8")
    assert "FAILED" in (folder / "drill.md").read_text(encoding="utf-8")


def test_a_drill_whose_report_cannot_be_written_can_be_gone_on_with(
    target: FakeTarget, tmp_path: Path
) -> None:
    """It is rolled back, not ended: going on with it writes the report."""
    (tmp_path / "reports").touch()
    with pytest.raises(ReportUnwrittenError, match=r"dr drill --resume --run-dir .* --report FOLDER"):
        _run(target, tmp_path, _lose)
    assert target.lost == {}
    found = read_state(target.run_dir)
    assert found is not None
    assert found.passed is None


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError("no network")])
def test_even_a_bug_leaves_no_region_lost(target: FakeTarget, tmp_path: Path, error: Exception) -> None:
    """Whatever a phase raises."""

    def breaks(_run: DrillRun) -> str:
        raise error

    result = _run(target, tmp_path, _lose, breaks)
    assert target.lost == {}
    assert str(error) in result.report.missed[0]
    assert "Traceback" in (target.run_dir / ERRORS_FILE).read_text(encoding="utf-8")


def test_an_interrupted_drill_is_rolled_back(target: FakeTarget, tmp_path: Path) -> None:
    """It counts as interrupted, its phases after that are not begun, and nothing is said about the alerts."""
    begun: list[str] = []

    def interrupted(_run: DrillRun) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return "not reached"

    result = _run(target, tmp_path, _lose, interrupted, lambda _: begun.append("third") or "3")
    assert result.interrupted
    assert target.lost == {}
    assert begun == []
    assert result.report.audit is None


def test_a_drill_whose_output_nobody_reads_is_rolled_back(
    target: FakeTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with `| head`, where printing ends the program; what is said after that goes nowhere."""
    left: list[str] = []
    monkeypatch.setattr("dr.drill.runner.leave_terminal", lambda: left.append("left"))

    def prints(_run: DrillRun) -> str:
        raise SystemExit(1)

    result = _run(target, tmp_path, _lose, prints)
    assert (result.interrupted, target.lost, left) == (True, {}, ["left"])


def test_what_cannot_be_rolled_back_is_named_and_the_rest_is(target: FakeTarget, tmp_path: Path) -> None:
    """A region that does not come back does not keep a restored table from being deleted."""
    tables: list[str] = []

    def restore(run: DrillRun) -> str:
        name = new_table(run, FAILOVER, "rehearsal")
        tables.append(name)
        target.deployment.clients.client("dynamodb", FAILOVER).create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "alert_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "alert_id", "AttributeType": "S"}],
        )
        return name

    target.unstartable = True
    result = _run(target, tmp_path, restore, _lose)
    assert result.report.rollback.not_done[0] == "regions started: no process can be started"
    assert any("no process can be started" in line for line in result.report.missed)
    left = target.deployment.clients.client("dynamodb", FAILOVER).list_tables()["TableNames"]
    assert set(tables).isdisjoint(left)


def test_a_switch_that_is_on_is_turned_off(target: FakeTarget, tmp_path: Path) -> None:
    """A drill that stops after the failover fails back."""

    def switch_on(_run: DrillRun) -> str:
        assert set_switch(CoordinationRecords(target.deployment, FAILOVER), 1_800_000_000_000)
        return "on"

    result = _run(target, tmp_path, switch_on, _fail)
    assert CoordinationRecords(target.deployment, FAILOVER).switched_on_ms() == 0, result.report.rollback
    assert f"switch turned off: failed back to {PRIMARY}" in result.report.rollback.done


def test_signals_are_as_before_after_a_drill(target: FakeTarget, tmp_path: Path) -> None:
    """Only while everything is rolled back they are held off."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before: Any = [signal.getsignal(number) for number in numbers]
    _run(target, tmp_path, lambda _: "done")
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_interrupts_the_putting_back(
    target: FakeTarget, tmp_path: Path, number: signal.Signals
) -> None:
    """Not even a session that drops."""
    start = target.start_regions

    def interrupted() -> list[str]:
        os.kill(os.getpid(), number)
        return start()

    target.start_regions = interrupted  # type: ignore[method-assign]  # a signal in the middle of it
    result = _run(target, tmp_path, _lose, _fail)
    assert target.lost == {}
    assert f"regions started: {PRIMARY}" in result.report.rollback.done


def _spoil(target: FakeTarget) -> tuple[Damage, Act]:
    """The ids that a bad writer will meet, and a phase in which it does, after a restored table was made."""
    receipts = []
    for number in range(CHANGED + BROKEN + DELETED):
        put_alert(f"a{number:03d}", status="NOTIFIED", region=PRIMARY)
        receipts.append(Receipt(f"a{number:03d}", "RECEIVED", PRIMARY, 1, 2))
    damage = choose(target.deployment, receipts)
    assert damage is not None

    def spoil(run: DrillRun) -> str:
        dynamodb = target.deployment.clients.client("dynamodb", PRIMARY)
        table = new_table(run, PRIMARY, "repair")
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=target.deployment.alerts_table,
            TargetTableName=table,
            UseLatestRestorableTime=True,
        )
        shown = dynamodb.describe_table(TableName=table)["Table"]["RestoreSummary"]["RestoreDateTime"]
        run.file.note(damage=damage, restored_table=table)
        run.file.mark(Moment.RESTORE_POINT, int(shown.timestamp() * 1_000))
        run.file.mark(Moment.RESTORED)
        run.file.mark(Moment.FAULT)
        write(target.deployment, damage)
        return table

    return damage, spoil


def _rows(target: FakeTarget, damage: Damage) -> Mapping[str, Any]:
    return read_items(target.deployment, FAILOVER, target.deployment.alerts_table, damage.ids)


def _tables(target: FakeTarget) -> list[str]:
    found = target.deployment.clients.client("dynamodb", PRIMARY).list_tables()["TableNames"]
    return [name for name in found if "repair" in name]


def test_a_ledger_that_was_spoilt_is_repaired(target: FakeTarget, tmp_path: Path) -> None:
    """Every row is as it was, and only then the table that it was repaired from is deleted."""
    damage, spoil = _spoil(target)
    before = _rows(target, damage)
    result = _run(target, tmp_path, spoil, _fail)
    assert _rows(target, damage) == before
    assert result.report.rollback.not_done == ()
    assert f"ledger repaired: {len(damage.ids)} rows" in " ".join(result.report.rollback.done)
    assert Moment.VERIFIED not in result.report.moments, "it is no part of what was rehearsed"
    assert _tables(target) == []


def test_a_ledger_that_cannot_be_repaired_is_named_and_the_restored_table_stays(
    target: FakeTarget, tmp_path: Path
) -> None:
    """With where the ids are, and what a person has to do."""
    damage, spoil = _spoil(target)

    def mistake_the_time(run: DrillRun) -> str:
        run.file.mark(Moment.RESTORE_POINT, 1_000)
        return "of another time than the restored table shows"

    result = _run(target, tmp_path, mistake_the_time, spoil, _fail)
    (line,) = result.report.rollback.not_done
    assert line.startswith("ledger repaired: ")
    assert "facts.damage" in line
    assert "responder dr repair" in line
    assert result.report.facts.damage == damage
    assert _tables(target) == [result.report.facts.restored_table]


def test_an_undamaged_ledger_is_left_alone(target: FakeTarget, tmp_path: Path) -> None:
    """A drill that stops after its victims were chosen and before they were met has nothing to repair."""
    damage, _ = _spoil(target)

    def choose_only(run: DrillRun) -> str:
        run.file.note(damage=damage)
        return "chosen"

    result = _run(target, tmp_path, choose_only, _fail)
    assert result.report.rollback == Rollback()
