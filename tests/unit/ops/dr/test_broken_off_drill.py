"""`responder dr status` tells of a drill whose process died."""

from pathlib import Path

from dr.drill.record import DrillFile, DrillState, only_drill
from ops.dr.commands import _of_drill


def begun(run_dir: Path) -> DrillFile:
    """A drill that has begun."""
    state = DrillState(
        drill_id="20261129T120000-0badca",
        scenario="region-killed",
        stack="local",
        began_ms=1,
        decide_after_s=5,
    )
    return DrillFile.create(run_dir, state)


def test_a_drill_that_died_is_told_with_the_command_that_goes_on(tmp_path: Path) -> None:
    """In the folder that it is in, which is not the usual one."""
    begun(tmp_path)
    (line,) = _of_drill(tmp_path)
    assert line == (
        "drill 20261129T120000-0badca, region-killed, was broken off; `responder dr drill --resume "
        f"--run-dir {tmp_path}` goes on with it and rolls back what it did"
    )


def test_a_drill_that_is_under_way_or_has_ended_is_no_problem(tmp_path: Path) -> None:
    """Nor is none."""
    assert not list(_of_drill(tmp_path))
    file = begun(tmp_path)
    with only_drill(tmp_path):
        assert not list(_of_drill(tmp_path))
    file.close(passed=True)
    assert not list(_of_drill(tmp_path))
