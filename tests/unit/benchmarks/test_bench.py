"""The gate on what the handlers cost: each kind of regression is planted, and named."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from benchmarks import bench
from benchmarks.handlers.cold import cold_starts
from benchmarks.handlers.goals import GOALS, Goal, misses
from benchmarks.handlers.packages import built, megabytes, unpack
from benchmarks.handlers.page import write_page
from topology.functions import RECOVERY

WELL = {goal.name: goal.at_least if goal.at_least is not None else goal.at_most or 0 for goal in GOALS}
"""Each figure at its bound."""

HEAVY_IMPORT = (
    "import asyncio, unittest.mock, xmlrpc.server, sqlite3, lib2to3.pytree, multiprocessing.managers\n"
)


@pytest.fixture(scope="module")
def recovery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recovery's package, unpacked."""
    packages = {RECOVERY: built()[RECOVERY]}
    return unpack(packages, tmp_path_factory.mktemp("unpacked"))[RECOVERY]


def plant(place: Path, into: Path, *, at_the_top: str) -> Path:
    """A copy of an unpacked package whose entry point begins with a line more."""
    shutil.copytree(place, into)
    source = into / "handlers" / "recovery.py"
    source.write_text(at_the_top + source.read_text())
    # Its byte code would be believed whatever the source says.
    for code in source.parent.glob("__pycache__/recovery.*.pyc"):
        code.unlink()
    return into


def test_figures_at_their_bounds_pass() -> None:
    """The last line then has all of them."""
    code, text = bench.conclude(WELL)
    assert code == 0
    assert "\n" not in text
    assert all(goal.name in text for goal in GOALS)


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.name)
def test_each_figure_beyond_its_bound_is_named(goal: Goal) -> None:
    """With the figure and the goal, on a line of its own."""
    worse = WELL[goal.name] + (-0.01 if goal.at_least is not None else 0.01)
    code, text = bench.conclude(WELL | {goal.name: worse})
    assert code == 1
    assert text == f"MISSED: {goal.name} {worse:.2f}{goal.unit}, {goal.bound}"


def test_part_that_there_is_not_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong use ends with 2, before anything is measured."""
    with pytest.raises(SystemExit) as ended:
        bench.main(["--only", "cold,luke"])
    assert ended.value.code == 2
    assert "no part luke; there are zips, cold" in capsys.readouterr().err


def test_fat_zip_is_caught(tmp_path: Path) -> None:
    """Two megabytes that do not compress, in a package that may have two."""
    package = tmp_path / "recovery.zip"
    shutil.copyfile(built()[RECOVERY], package)
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr("handlers/model.bin", os.urandom(2_000_000))
    (missed,) = misses({"zip recovery": megabytes(package)})
    assert missed.startswith("MISSED: zip recovery 3.")


def test_heavy_import_is_caught(recovery: Path, tmp_path: Path) -> None:
    """What an entry point imports needlessly shows, and the package as it is does not miss."""
    heavy = plant(recovery, tmp_path / "heavy", at_the_top=HEAVY_IMPORT)
    figures = cold_starts({RECOVERY: heavy}, endpoint_url="", rounds=3)
    (missed,) = misses(figures)
    assert missed.startswith("MISSED: cold recovery ")


def test_page_has_every_figure_with_its_goal(tmp_path: Path) -> None:
    """What is measured besides is there too, without one."""
    page = tmp_path / "handlers.md"
    write_page(WELL | {"alerts a second": 12.5}, page)
    text = page.read_text()
    assert all(f"| {goal.name} | " in text and goal.bound in text for goal in GOALS)
    assert "| alerts a second | 12.50 | |" in text
