"""A drill's state: on disk after every change, gone on with by another process, and one drill at a time."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from dr.drill.prober import read_log
from dr.drill.record import (
    ATTEMPTS_FILE,
    RECEIPTS_FILE,
    STATE_FILE,
    Damage,
    DrillFacts,
    DrillFile,
    DrillStateError,
    Moment,
    StepRun,
    only_drill,
    read_state,
)
from dr.drill.run import DrillFailedError, DrillRun, Phase, perform
from dr.operations.facts import NoFacts
from dr.operations.operation import StepEvent
from tests.unit.dr.drill_examples import BEGAN_MS, state

FRESH = replace(state(), moments={}, phases=(), facts=DrillFacts())


def _play(file: DrillFile, said: list[str] | None = None) -> DrillRun:
    """Phases of a test touch no target."""
    return DrillRun(cast("Any", None), file, (said if said is not None else []).append)


def _phase(name: str, act: Callable[[DrillRun], str]) -> Phase:
    return Phase(name, f"the phase {name}", act)


def test_every_change_is_on_disk_at_once(tmp_path: Path) -> None:
    """What a kill leaves behind is what was known."""
    file = DrillFile.create(tmp_path, FRESH)
    file.begin("load")
    file.mark(Moment.FAULT, 42)
    file.note(alerts_drained=3, damage=Damage(changed=("a",), broken=(), deleted=()))
    file.step("load", StepRun(name="switch", began_ms=1, ended_ms=None, detail="on its way"))
    file.end("load", "done")
    assert read_state(tmp_path) == file.state
    assert file.state.is_done("load")
    assert file.state.moments == {Moment.FAULT: 42}


def test_a_drill_that_died_goes_on_after_its_last_whole_phase(tmp_path: Path) -> None:
    """A phase that was completed is not done again; the one that it died in is, and it counts as resumed."""
    done: list[str] = []

    def dies(_run: DrillRun) -> str:
        raise SystemExit(9)

    first = _phase("first", lambda _: done.append("first") or "1")
    last = _phase("last", lambda _: done.append("last") or "3")
    with pytest.raises(SystemExit):
        perform([first, _phase("second", dies), last], _play(DrillFile.create(tmp_path, FRESH)))
    resumed = DrillFile.resume(tmp_path)
    assert resumed.state.resumed == 1
    perform([first, _phase("second", lambda _: done.append("second") or "2"), last], _play(resumed))
    assert done == ["first", "second", "last"]
    assert [run.detail for run in resumed.state.phases] == ["1", "2", "3"]


def test_an_instant_that_is_known_stays(tmp_path: Path) -> None:
    """A phase that is done again does not move the fault."""
    file = DrillFile.create(tmp_path, FRESH)
    assert file.mark(Moment.FAULT, 42) == 42
    assert file.mark(Moment.FAULT, 43) == 42


def test_a_phase_that_fails_stops_the_drill(tmp_path: Path) -> None:
    """Those after it are not begun, and it is not done."""

    def fails(_run: DrillRun) -> str:
        raise DrillFailedError("not so within 1 s")

    file = DrillFile.create(tmp_path, FRESH)
    with pytest.raises(DrillFailedError):
        perform([_phase("first", fails), _phase("second", lambda _: "2")], _play(file))
    assert [(run.name, run.ended_ms) for run in file.state.phases] == [("first", None)]


def test_what_goes_on_beside_a_drill_that_has_ended_is_named(tmp_path: Path) -> None:
    """What it makes later would stay, so it is not said to have ended."""
    let_go = threading.Event()
    run = DrillRun(
        cast("Any", None), DrillFile.create(tmp_path, FRESH), lambda _: None, background_within_s=0.01
    )
    run.begin_background("rehearsal", lambda _: str(let_go.wait(10)))
    with pytest.raises(DrillFailedError, match="rehearsal: goes on"):
        run.finish_background()
    let_go.set()
    patient = replace(run, background_within_s=10)
    patient.begin_background("rehearsal", lambda _: "done")
    patient.finish_background()


def test_what_goes_on_beside_a_drill_has_its_own_times(tmp_path: Path) -> None:
    """From its begin to its end, whether it was begun in the background or is done where it is asked for."""
    file = DrillFile.create(tmp_path, FRESH)
    run = _play(file)
    run.begin_background("rehearsal", lambda _: "done")
    assert run.result_of("rehearsal", lambda _: "again") == "done"
    assert run.result_of("another", lambda _: "here") == "here"
    assert list(file.state.facts.background_ms) == ["rehearsal", "another"]
    assert all(began_ms <= ended_ms for began_ms, ended_ms in file.state.facts.background_ms.values())


@pytest.mark.parametrize("content", [None, "", "{}", '{"drill_id": 7}', "\u0000"])
def test_without_a_drill_there_is_nothing_to_go_on_with(tmp_path: Path, content: str | None) -> None:
    """No file, or one that is not a drill's."""
    if content is not None:
        (tmp_path / STATE_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(DrillStateError):
        DrillFile.resume(tmp_path)


def test_a_drill_that_has_ended_is_not_gone_on_with(tmp_path: Path) -> None:
    """Passed or not."""
    DrillFile.create(tmp_path, FRESH).close(passed=False)
    with pytest.raises(DrillStateError, match="no unfinished drill"):
        DrillFile.resume(tmp_path)


def test_a_new_drill_does_not_inherit_records(tmp_path: Path) -> None:
    """Receipts of an earlier one would be audited again."""
    for name in (RECEIPTS_FILE, ATTEMPTS_FILE):
        (tmp_path / name).write_text("old\n", encoding="utf-8")
    DrillFile.create(tmp_path, FRESH)
    assert not (tmp_path / RECEIPTS_FILE).exists()
    assert not (tmp_path / ATTEMPTS_FILE).exists()


def test_two_drills_of_one_folder_are_refused(tmp_path: Path) -> None:
    """The second is told; when the first has ended another may begin."""
    with only_drill(tmp_path), pytest.raises(DrillStateError, match="under way"), only_drill(tmp_path):
        pass
    with only_drill(tmp_path):
        pass


def test_a_procedure_s_steps_and_instants_are_noted_as_they_happen(tmp_path: Path) -> None:
    """The step keeps its beginning; the instant is that of its end."""
    file = DrillFile.create(tmp_path, FRESH)
    file.begin("failover")
    run = _play(file)
    run.phase = "failover"
    listen = run.on_step({"switch": Moment.ACTED})
    for name, at_ms in (("begun", 10), ("progress", 20), ("done", 30)):
        listen(
            StepEvent(
                operation="failover",
                step="switch",
                state=cast("Any", name),
                at_ms=at_ms,
                detail=name,
                facts=NoFacts(),
            )
        )
    (run,) = file.state.phases
    assert run.steps == (StepRun(name="switch", began_ms=10, ended_ms=30, detail="done"),)
    assert file.state.moments == {Moment.ACTED: 30}


def test_a_log_knows_the_next_number(tmp_path: Path) -> None:
    """A line that a kill cut off was never sent, so its number is free."""
    log = tmp_path / "attempts.jsonl"
    tried = f'{{"region": "r", "sent_at_ms": {BEGAN_MS}, "answered_at_ms": {BEGAN_MS}, "status": null}}\n'
    log.write_text(f'{{"number": 0}}\n{tried}{{"number": 1}}\n{{"numb', encoding="utf-8")
    assert read_log(log).posted == 2
    assert [one.status for one in read_log(log).attempts] == [None]
    assert read_log(tmp_path / "nowhere").posted == 0
