"""The sweep of memory on the local host, by itself, as a command and under stock Locust.

What a busy machine makes of durations is not tested: samples with too little of the processor are thrown out,
and then a sweep says that it is undecided.
"""

import csv
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from costs.usage import read_measurement
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from loadtests.isolated.events import PAYLOADS, WEIGHTS
from loadtests.sizing.local_site import open_local_site, open_shapes
from loadtests.sizing.plan import Plan, PlanError, SizesError, TooShortError
from loadtests.sizing.report import SizingReport
from loadtests.sizing.run import SweepOptions, sweep
from loadtests.sizing.samples import OK, read_samples
from loadtests.sizing.search import search
from topology.functions import FUNCTIONS
from topology.names import PRODUCTION_STACK

CONFIG = stack_config(ROOT, PRODUCTION_STACK)
RESPONDER = str(Path(sys.executable).with_name("responder"))
LOCUST = (sys.executable, "-m", "locust")
WITHIN_S = 240
"""For a machine that is slow and does other things."""


def test_every_function_does_its_work_on_the_local_host_with_each_payload() -> None:
    """Cold and warm, by its package, in an environment of its own."""
    with open_local_site() as site:
        for spec in FUNCTIONS:
            count = len(PAYLOADS[spec])
            samples = [
                *site.sample(spec.key, 1_024, cold=True, count=1),
                *site.sample(spec.key, 1_024, cold=False, count=count),
            ]
            assert [one.outcome for one in samples] == [OK] * (1 + count)
            # On a busy machine one is thrown out, and its payload comes again.
            assert {one.payload for one in samples} <= {payload.name for payload in PAYLOADS[spec]}
            assert [one.init_ms is not None for one in samples] == [True] + [False] * count
            assert all(one.billed_ms >= one.duration_ms for one in samples)


def test_a_size_that_is_killed_for_memory_is_a_result() -> None:
    """600 MB do not go into 512; the search goes on with the others."""
    plan = Plan(sizes=(512, 1_024), payloads={"nothing": 1.0}, invocations_max=48)
    with open_shapes(("memory_bound",)) as site:
        found = search(site, "memory_bound", plan)
    small, large = found.sizes
    assert small.bad == "out_of_memory"
    assert large.bad != "out_of_memory"
    assert found.best_mb in {1_024, None}


def test_a_function_that_never_starts_is_a_result() -> None:
    """INIT has ten seconds, and then what is left of the invocation's own time."""
    plan = Plan(sizes=(512,), payloads={"nothing": 1.0})
    with open_shapes(("slow_start",)) as site:
        found = search(site, "slow_start", plan)
    assert (found.best_mb, found.sizes[0].bad) == (None, "init_failed")


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"functions": ("billing",)}, PlanError, "no function billing; there are reception"),
        ({"functions": ()}, PlanError, "no function is given"),
        ({"sizes": (64,)}, SizesError, "Lambda has no size of 64 MB"),
        ({"sizes": ()}, SizesError, "no size is given"),
        ({"invocations": 5}, TooShortError, "5 invocations decide nothing"),
        ({"strategy": "best"}, PlanError, "no strategy 'best'"),
        ({"p95_max_ms": 0.0}, PlanError, "cannot be met"),
    ],
)
def test_what_cannot_be_swept_is_refused(
    options: dict[str, object], error: type[Exception], says: str
) -> None:
    """Before anything runs."""
    with pytest.raises(error, match=says):
        SweepOptions(**options).plans(WEIGHTS, CONFIG)  # type: ignore[arg-type]  # of all kinds


def test_the_size_that_a_function_has_is_searched_too() -> None:
    """Else there would be no before."""
    plans = SweepOptions(sizes=(256,)).plans(WEIGHTS, CONFIG)
    assert {key: plan.sizes for key, plan in plans.items()} == {
        spec.key: (256, CONFIG.memory_mb[spec]) for spec in FUNCTIONS
    }


def test_a_sweep_is_priced_as_a_whole() -> None:
    """What a function costs at the size it has, and at the one that is chosen, is a part of 1,000 alerts."""
    options = SweepOptions(functions=("reception",), sizes=(512, 1_024), invocations=48)
    with open_local_site() as site:
        report = sweep(
            site,
            options.plans(WEIGHTS, CONFIG),
            name=site.name,
            config=CONFIG,
            usage=read_measurement().usage,
            seed=1,
        )
    (function,) = report.functions
    measured = {size.memory_mb for size in function.sizes if size.usd is not None}
    assert (report.whole_before_usd is not None) == (function.before_mb in measured)
    assert msgspec.convert(msgspec.to_builtins(report), SizingReport) == report


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--sizes", "512,x"], "are no sizes"),
        (["--sizes", "100"], "Lambda has no size of 100 MB"),
        (["--function", "billing"], "no function billing"),
        (["--stack", "nowhere"], "no stack 'nowhere'"),
        (["--invocations", "3"], "3 invocations decide nothing"),
        (["--report", "memory.json"], "name a .html"),
        (["--stack-name", "prod"], "that --outputs names"),
        (["--real-claude"], "is for a real stack"),
    ],
)
def test_command_refuses_in_a_line_what_cannot_be(words: list[str], says: str) -> None:
    """As wrong use, and nothing begun."""
    done = _run(RESPONDER, "tune", "memory", *words)
    assert done.returncode == 2
    assert says in " ".join(done.stdout.replace("│", " ").split())


def test_command_writes_page_json_and_samples_and_exits_by_the_recommendation(tmp_path: Path) -> None:
    """0 where there is one for every function, else 1 and what to do."""
    page, kept = tmp_path / "memory.html", tmp_path / "samples.jsonl"
    words = ["--function", "recovery", "--sizes", "512", "--invocations", "40", "--report", str(page)]
    done = _run(RESPONDER, "tune", "memory", *words, "--samples", str(kept))
    report = msgspec.json.decode(page.with_suffix(".json").read_bytes(), type=SizingReport)
    assert [one.function for one in report.functions] == ["recovery"]
    assert (done.returncode == 0) == bool(report.chosen), done.stdout
    assert "<svg" in page.read_text()
    assert (
        "nothing is written" in done.stdout or "has these sizes already" in done.stdout or not report.chosen
    )
    assert {one.function for one in read_samples(kept).samples} == {"recovery"}


def test_stock_locust_runs_the_sweep(tmp_path: Path) -> None:
    """Samples are requests in its figures, and its exit code says whether there is a recommendation."""
    page = tmp_path / "memory.html"
    words = ["--functions", "recovery", "--sizes", "512", "--invocations", "40", "--report", str(page)]
    done = _run(*LOCUST, "-f", "loadtests/memory.py", "--headless", "--csv", str(tmp_path / "l"), *words)
    report = json.loads(page.with_suffix(".json").read_text())
    assert (done.returncode == 0) == bool(
        report["functions"][0]["chosen_mb"] and report["functions"][0]["decided"]
    )
    names = {row["Name"] for row in csv.DictReader((tmp_path / "l_stats.csv").open())}
    assert "recovery 512 MB, nothing due" in names
    assert "memory in MB: recovery" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--sizes", "64"], "error: Lambda has no size of 64 MB"),
        (["--sizes", "512,x"], "are no sizes"),
        (["--master"], "error: a sweep is one process"),
    ],
)
def test_stock_locust_refuses_in_a_line_what_cannot_be_swept(words: list[str], says: str) -> None:
    """As the command does; and several processes would disturb each other."""
    done = _run(*LOCUST, "-f", "loadtests/memory.py", "--headless", *words)
    assert done.returncode != 0
    assert says in done.stdout


def test_samples_of_a_size_that_this_machine_has_not_are_refused(tmp_path: Path) -> None:
    """An empty set would take the place of a good one."""
    done = _run(RESPONDER, "tune", "samples", "--sizes", "10240", "--report", str(tmp_path / "s.jsonl"))
    assert (done.returncode, [*tmp_path.iterdir()]) == (2, [])


def _run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words,
        cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=WITHIN_S, check=False,
    )  # fmt: skip
