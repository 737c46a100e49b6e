"""The gate on what the handlers cost: each kind of regression is planted, and named."""

import importlib
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bench
from benchmarks.handlers.cold import cold_starts
from benchmarks.handlers.goals import GOALS, Goal, misses
from benchmarks.handlers.page import write_page
from benchmarks.handlers.parse import parse_figures
from benchmarks.handlers.warm import warm_invocations
from benchmarks.handlers.warm_child import MUST, recorded
from handlers.domain.formats import FORMATS
from loadtests.isolated.environment import environment
from loadtests.isolated.packages import built, canned_aws, megabytes, unpack
from topology.functions import RECEPTION, RECOVERY, FunctionSpec

WELL = {goal.name: goal.at_least if goal.at_least is not None else goal.at_most or 0 for goal in GOALS}
"""Each figure at its bound."""

HEAVY_IMPORT = (
    "import asyncio, unittest.mock, xmlrpc.server, sqlite3, multiprocessing.managers, doctest, cProfile\n"
    "import ctypes.util, imaplib, pydoc, smtplib, tarfile, xml.dom.minidom, logging.config, pdb, pstats\n"
)


SLEEP = """
_handler = handler


def handler(event, context):
    import time
    time.sleep(0.05)
    return _handler(event, context)
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Mapping[FunctionSpec, Path]:
    """The packages of reception and recovery, each unpacked."""
    packages = built()
    return unpack(
        {spec: packages[spec] for spec in (RECEPTION, RECOVERY)}, tmp_path_factory.mktemp("unpacked")
    )


def plant(place: Path, into: Path, spec: FunctionSpec, *, before: str = "", after: str = "") -> Path:
    """A copy of an unpacked package whose entry point has more `before` what it has, or `after` it."""
    shutil.copytree(place, into)
    source = into / "handlers" / f"{spec.key}.py"
    source.write_text(before + source.read_text() + after)
    # Its byte code would be believed whatever the source says.
    for code in source.parent.glob(f"__pycache__/{spec.key}.*.pyc"):
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
    assert "no part luke; there are zips, cold, warm, parse, embedded" in capsys.readouterr().err


def test_fat_zip_is_caught(tmp_path: Path) -> None:
    """Two megabytes that do not compress, in a package that may have two."""
    package = tmp_path / "recovery.zip"
    shutil.copyfile(built()[RECOVERY], package)
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr("handlers/model.bin", os.urandom(2_000_000))
    (missed,) = misses({"zip recovery": megabytes(package)})
    assert missed.startswith("MISSED: zip recovery 3.")


def test_heavy_import_is_caught(unpacked: Mapping[FunctionSpec, Path], tmp_path: Path) -> None:
    """What an entry point imports needlessly shows, and the package as it is does not miss."""
    heavy = plant(unpacked[RECOVERY], tmp_path / "heavy", RECOVERY, before=HEAVY_IMPORT)
    figures = cold_starts({RECOVERY: heavy}, endpoint_url="", rounds=7)
    (missed,) = misses(figures)
    assert missed.startswith("MISSED: cold recovery ")


def test_sleep_is_caught(unpacked: Mapping[FunctionSpec, Path], tmp_path: Path) -> None:
    """50 ms that take no processor time, in each invocation."""
    slow = plant(unpacked[RECEPTION], tmp_path / "slow", RECEPTION, after=SLEEP)
    with canned_aws() as endpoint_url:
        figures = warm_invocations({RECEPTION: slow}, endpoint_url=endpoint_url, blocks=2)
    assert any(missed.startswith("MISSED: waits reception ") for missed in misses(figures))


def test_handler_that_does_not_do_its_work_is_not_measured(
    unpacked: Mapping[FunctionSpec, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that fails at once would be fast; what it said is shown."""
    broken = plant(unpacked[RECEPTION], tmp_path / "broken", RECEPTION, after="\ndel _webhook\n")
    with canned_aws() as endpoint_url, pytest.raises(RuntimeError, match="reception did not do its work"):
        warm_invocations({RECEPTION: broken}, endpoint_url=endpoint_url, blocks=1)
    assert "_webhook" in capsys.readouterr().err


def test_floor_of_the_embedded_aws_makes_receptions_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as the floor of a warm invocation, in the same order, and it is answered 202."""
    with canned_aws() as endpoint_url:
        own = {"ROW": '{"title": {"S": "t"}}', "QUEUE_URL": f"{endpoint_url}/queue"}
        for name, value in {**environment(endpoint_url), **own}.items():
            monkeypatch.setenv(name, value)
        floor = importlib.import_module("benchmarks.handlers.floor_function")
        answers: list[Mapping[str, Any]] = []
        calls = recorded(lambda: answers.append(floor.handler({"body": '{"id": "a1"}'}, None)))
    assert [operation for _, operation, _ in calls] == list(MUST["reception"])
    assert answers[0]["statusCode"] == 202


def test_every_format_is_measured_and_none_is_left_out_in_silence(tmp_path: Path) -> None:
    """The worst of them is the figure that has a goal; without a body there is no figure."""
    figures = parse_figures(blocks=1)
    each = [figures[f"parse {spec.name}, us"] for spec in FORMATS]
    assert figures["parse, us"] == max(each)
    assert min(each) > 0
    with pytest.raises(FileNotFoundError, match=FORMATS[0].name):
        parse_figures(blocks=1, bodies=tmp_path)


def test_page_has_every_figure_with_its_goal(tmp_path: Path) -> None:
    """What is measured besides is there too, without one."""
    page = tmp_path / "handlers.md"
    write_page(WELL | {"alerts a second": 12.5}, page)
    text = page.read_text()
    assert all(f"| {goal.name} | " in text and goal.bound in text for goal in GOALS)
    assert "| alerts a second | 12.50 | |" in text
