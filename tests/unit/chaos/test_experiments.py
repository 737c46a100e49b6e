"""The experiments as files, and everything that keeps chaos from being run where it must not be."""

import dataclasses
import inspect
import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from chaoslib.control.python import apply_python_control
from typer.testing import CliRunner

from chaos import actions, catalogue, control, probes
from chaos.control import counted
from chaos.load import new_load, start_load, stop_load
from chaos.runner import Outcome, variables_of
from chaos.target import ROOT, ChaosRefusedError, open_target, permit
from clients.load import LoadFailedError
from clients.sender import Webhook
from emulator.errors import NotRunningError
from emulator.fault_log import FiredFault
from emulator.local_stack import TAKES_PER_S
from emulator.pulumi.project import stack_config
from ops.cli import app
from topology.alerts import FaultState
from topology.config import StackConfig

ASKED_FOR = {
    "claude-down",
    "dynamodb-throttled",
    "lambda-errors",
    "lambda-killed-after-effects",
    "poison-flood",
    "queue-denied",
    "queue-purged",
    "region-cut",
    "region-frozen",
    "region-killed",
    "slack-429",
}
every_experiment = pytest.mark.parametrize("name", catalogue.names())


@pytest.fixture
def local() -> StackConfig:
    """The configuration of the local stack."""
    return stack_config(ROOT, "local")


def steps_of(experiment: Any) -> list[dict[str, Any]]:
    """Each probe and action, wherever it stands."""
    hypothesis = experiment["steady-state-hypothesis"]["probes"]
    return [*hypothesis, *experiment["method"], *experiment["rollbacks"]]


def functions_of(experiment: Any, part: str) -> list[str]:
    """The functions that a part of an experiment calls, in order."""
    return [step["provider"]["func"] for step in experiment[part]]


def test_every_experiment_that_was_asked_for_is_there() -> None:
    """One more is welcome, one less is not."""
    assert set(catalogue.names()) >= ASKED_FOR


@every_experiment
def test_chaos_toolkit_takes_the_file_and_finds_every_function(name: str) -> None:
    """`load` validates as `chaos validate` does: format, modules, functions and their arguments."""
    experiment = catalogue.load(name)
    assert experiment["steady-state-hypothesis"]["probes"]
    for step in steps_of(experiment):
        module = {"action": actions, "probe": probes}[step["type"]]
        assert step["provider"]["module"] == module.__name__, "actions change, probes read"


@every_experiment
def test_each_experiment_has_its_load_its_proof_of_the_fault_and_its_way_back(name: str) -> None:
    """Alerts in flight before and as the fault fires, the fault log asked, and rollbacks in any case."""
    experiment = catalogue.load(name)
    method = functions_of(experiment, "method")
    assert method[:2] == ["start_alerts", "undisturbed_load"]
    assert method[3] == "alerts_in_flight"
    assert "faults_fired" in method
    assert experiment["configuration"]["in_flight"] >= 100
    assert "stop_alerts" in functions_of(experiment, "rollbacks")
    assert experiment["runtime"]["rollbacks"]["strategy"] == "always"
    assert [one["provider"]["module"] for one in experiment["controls"]] == ["chaos.control"]


@every_experiment
def test_no_load_is_above_what_a_local_stack_takes_without_a_5xx(name: str) -> None:
    """Or there would be failures that no fault made."""
    assert catalogue.load(name)["configuration"]["per_s"] <= TAKES_PER_S


@every_experiment
def test_what_is_held_for_its_incident_is_told_while_an_experiment_waits(
    name: str, local: StackConfig
) -> None:
    """And what a fault delayed besides: a window, and as many leases as attempts that double."""
    within_s = catalogue.load(name)["configuration"]["at_rest_within_s"]
    assert within_s > local.incident_window_s + local.hold_back_s + (1 + 2 + 4 + 8) * local.lease_s


@every_experiment
def test_what_an_experiment_breaks_its_rollbacks_undo(name: str) -> None:
    """So an aborted one leaves nothing broken."""
    undone_by = {
        "lose_region": "start_regions",
        "deny_queues": "allow_queues",
        **dict.fromkeys(("fail_functions", "throttle_tables", "fail_claude", "fail_slack"), "end_faults"),
    }
    experiment = catalogue.load(name)
    rollbacks = functions_of(experiment, "rollbacks")
    for function in functions_of(experiment, "method"):
        if function in undone_by:
            assert undone_by[function] in rollbacks


def test_slack_is_refused_for_five_minutes_and_a_region_frozen_for_one() -> None:
    """The windows that the experiments are named for are their defaults."""
    windows = {name: catalogue.load(name)["configuration"]["window_s"] for name in catalogue.names()}
    assert (windows["slack-429"], windows["region-frozen"]) == (300, 60)


@pytest.mark.parametrize("module", [actions, probes])
def test_every_action_and_probe_asks_the_target_for_permission(module: Any) -> None:
    """The stock `chaos` may call any of them, so each takes the configuration and opens the target by it."""
    functions = [
        one for _, one in inspect.getmembers(module, inspect.isfunction) if one.__module__ == module.__name__
    ]
    public = [one for one in functions if not one.__name__.startswith("_")]
    asking = [one for one in public if "target" not in inspect.signature(one).parameters]
    assert asking
    for function in asking:
        with pytest.raises(ChaosRefusedError, match="no target 'mars'; there is local"):
            function(**_any_arguments(function), configuration={"target": "mars"})


def _any_arguments(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {one.name: "" if one.annotation is str else 1 for one in parameters if one.name != "configuration"}


def test_a_target_without_a_running_stack_says_what_to_do(tmp_path: Path) -> None:
    """Never a traceback."""
    with pytest.raises(NotRunningError, match="start one"):
        open_target({"target": "local", "run_dir": str(tmp_path)})


def test_a_stack_that_does_not_allow_chaos_is_refused(local: StackConfig) -> None:
    """Whatever name was typed."""
    permit(local)
    with pytest.raises(ChaosRefusedError, match="does not say `chaos: allowed`"):
        permit(dataclasses.replace(local, chaos_allowed=False), typed_stack="local")


@pytest.mark.parametrize("typed", ["", "Prod", "local"])
def test_production_needs_its_name_typed(local: StackConfig, typed: str) -> None:
    """Even where its configuration allows chaos."""
    production = dataclasses.replace(local, stack="prod")
    with pytest.raises(ChaosRefusedError, match="--stack-name prod"):
        permit(production, typed_stack=typed)
    permit(production, typed_stack="prod")


def test_the_shipped_production_stack_forbids_chaos() -> None:
    """The default is to forbid."""
    assert stack_config(ROOT, "prod").chaos_allowed is False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["chaos", "run", "moon-crash"], "no experiment 'moon-crash'; there are claude-down"),
        (["chaos", "show", "moon-crash"], "no experiment 'moon-crash'; there are claude-down"),
        (["chaos", "run"], "name experiments or say --all; there are claude-down"),
        (["chaos", "run", "--all", "slack-429"], "name experiments or say --all"),
        (["chaos", "run", "slack-429", "--var", "colour=red"], "no setting 'colour=red'"),
        (["chaos", "run", "slack-429", "--var", "window_s=long"], "a number like 300"),
    ],
)
def test_wrong_use_is_told_what_is_right(words: list[str], says: str) -> None:
    """Exit 2, before anything is started."""
    found = CliRunner().invoke(app, words, env={"COLUMNS": "500"})
    assert found.exit_code == 2
    assert says in " ".join(found.output.replace("│", " ").split())


def test_list_and_show_tell_what_there_is() -> None:
    """By name, and the file itself."""
    listed = CliRunner().invoke(app, ["chaos", "list", "--json"])
    assert set(yaml.safe_load(listed.stdout)) == set(catalogue.names())
    shown = CliRunner().invoke(app, ["chaos", "show", "slack-429"])
    assert yaml.safe_load(shown.stdout)["title"] == catalogue.load("slack-429")["title"]


def test_variables_take_the_type_of_the_default() -> None:
    """A number stays a number, since probes compute with it."""
    assert variables_of("slack-429", ["window_s=5", "recovery=invoked"]) == {
        "window_s": 5,
        "recovery": "invoked",
    }


def test_alerts_of_a_load_are_all_different_in_every_run(tmp_path: Path) -> None:
    """A repeat would be suppressed, and nothing be in flight: what comes again has changed its state."""
    loads = [
        new_load((Webhook("east", "http://127.0.0.1:1", "key"),), tmp_path / "receipts", burst=1, per_s=1)
        for _ in range(2)
    ]
    runs = [[load.post(number).tells[0] for number in range(500)] for load in loads]
    first, second = ({tells.fault for tells in run} for run in runs)
    assert first.isdisjoint(second)
    states: dict[str, list[FaultState]] = {}
    for tells in runs[0]:
        states.setdefault(tells.fault, []).append(tells.state)
    assert sorted({len(told) for told in states.values()}) == [1, 6, 7]
    assert all(before is not after for told in states.values() for before, after in pairwise(told))


def test_fired_faults_are_counted_by_what_they_hit_from_the_start_of_the_run() -> None:
    """What fired in an earlier run of the same stack is none of this one's."""
    times = (500, 1_000, 3_000)
    fired = [FiredFault(at_ms=t, service="lambda", kind="error", region="r", what="f") for t in times]
    assert counted(fired, 1_000) == [
        {"service": "lambda", "fault": "lambda error r f", "count": 2, "first_s": 0.0, "last_s": 2.0}
    ]


def test_a_run_that_could_not_be_closed_counts_as_failed() -> None:
    """Chaos Toolkit hides what a control raises, so the verdict is gone before anything can go wrong."""
    journal: dict[str, Any] = {"status": "completed", "deviated": False, "run": []}
    with pytest.raises(ChaosRefusedError):
        apply_python_control(
            "experiment-after",
            {"provider": {"module": control.__name__}},
            {},
            {},
            state=journal,
            configuration={"target": "gone", "started_at_ms": 0},
        )
    assert journal["status"] == "failed"


GOOD: dict[str, Any] = {
    "status": "completed",
    "deviated": False,
    "steady_states": {"before": {"steady_state_met": True}, "after": {"steady_state_met": True}},
    "run": [{"status": "succeeded", "output": {"in_flight": 120}}],
    "audit": {"accepted": 7, "unaccounted": 0},
    "faults_fired": [{"service": "region", "count": 1}, {"service": "bring-back", "count": 1}],
}


def test_an_outcome_has_its_figures() -> None:
    """What brought a region back is no fault."""
    outcome = Outcome("x", GOOD)
    assert outcome.passed
    assert outcome.figures == (7, 0, 120, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "failed"},
        {"status": "interrupted"},
        {"deviated": True},
        {"steady_states": {"before": {"steady_state_met": True}, "after": None}},
        {"steady_states": {"before": {"steady_state_met": False}, "after": {"steady_state_met": False}}},
    ],
)
def test_nothing_but_a_whole_clean_run_passes(change: dict[str, Any]) -> None:
    """A part that is missing is unknown, never healthy."""
    assert not Outcome("x", {**GOOD, **change}).passed


def test_a_run_without_its_audit_does_not_pass() -> None:
    """And its figures are unknown."""
    outcome = Outcome("x", {name: value for name, value in GOOD.items() if name != "audit"})
    assert not outcome.passed
    assert outcome.figures[:2] == ("unknown", "unknown")


@pytest.mark.usefixtures("from_terminal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_command_ends_an_experiment_with_its_rollbacks(number: signal.Signals) -> None:
    """By the exit code that Chaos Toolkit takes for it; a session that drops is no other end."""
    control.configure_control({})
    with pytest.raises(SystemExit) as ended:
        os.kill(os.getpid(), number)
    assert ended.value.code == control.GRACEFUL_STOP


def test_a_load_that_died_fails_the_step_that_stops_it(tmp_path: Path) -> None:
    """Or the experiment would be judged by alerts that were never posted."""
    load = new_load((), tmp_path / "receipts", burst=1, per_s=1)
    start_load(load)
    deadline = time.monotonic() + 10
    while not load.died:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(LoadFailedError, match="died after 0 posts"):
        stop_load(load.receipts)
    assert stop_load(load.receipts) is None
