"""The estimate as people and scripts get it, the runbook's pipeline beside it."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from costs.alerts import PER
from costs.cost import Known
from costs.estimate import Estimate, estimate_of
from costs.measuring import index_bytes, item_bytes
from costs.runbook import runbook_per_thousand
from costs.usage import Measurement, MeasurementError, Usage, read_measurement
from lambda_packages import ROOT
from ops.cli import app
from topology import prices
from topology.config import StackConfig
from topology.prices import HOURS_PER_MONTH


@pytest.fixture
def measured(usage: Usage, tmp_path: Path) -> Path:
    """A file with a measurement."""
    measurement = Measurement(
        measured_on="2026-11-29", command="responder cost measure", machine="one", mix="a mix", usage=usage
    )
    path = tmp_path / "measured.json"
    path.write_bytes(msgspec.json.encode(measurement))
    return path


@pytest.fixture
def estimate(measured: Path) -> Estimate:
    """Prod at 100 alerts an hour."""
    return estimate_of(ROOT, "prod", per_hour=100, measurement=read_measurement(measured))


def run(*words: object) -> Any:
    """The command as it is typed."""
    return CliRunner().invoke(app, ["cost", "estimate", *map(str, words)], env={"COLUMNS": "120"})


def test_a_month_is_what_is_fixed_and_the_alerts_of_730_hours(estimate: Estimate) -> None:
    """Parts to the whole, here and in the runbook's pipeline."""
    thousands = 100 * HOURS_PER_MONTH / PER
    assert estimate.month.usd == pytest.approx(estimate.fixed.usd + thousands * estimate.alerts.usd)
    assert estimate.runbook_month.usd == pytest.approx(
        estimate.runbook_fixed.usd + thousands * estimate.runbook_alerts.usd
    )


def test_the_runbooks_pipeline_is_priced_by_what_it_says_of_itself(usage: Usage, prod: StackConfig) -> None:
    """Three cents an analysis, six in ten from the cache, and no other region."""
    cost = runbook_per_thousand(usage, prod)
    (analyses,) = [line for line in cost.lines if line.group == "Claude"]
    assert (analyses.usd, analyses.known) == (pytest.approx(0.4 * 1_000 * 0.03), Known.SAID)
    assert prices.DYNAMODB_REPLICATED_WRITE not in {line.price for line in cost.lines}
    assert prices.TRANSFER not in {line.price for line in cost.lines}
    (duration,) = [one for one in cost.lines if one.name == "analysis, 1024 MB: duration"]
    assert duration.quantity == pytest.approx(1_000 * 0.4 * 5), "5 s a call, as ours were measured"


def test_scripts_get_each_line_with_its_price_and_source(measured: Path) -> None:
    """And sums that their lines add up to."""
    done = run("--stack", "prod", "--per-hour", 100, "--measured", measured, "--json")
    assert done.exit_code == 0
    found = json.loads(done.output)
    for whole, lines in (
        ("usd_per_1000_alerts", "per_1000_alerts"),
        ("usd_fixed_a_month", "fixed_a_month"),
    ):
        for part in (found, found["runbook"]):
            assert part[whole] == pytest.approx(sum(line["usd"] for line in part[lines]))
            assert all(line["source"] and line["price_of"] and line["known"] for line in part[lines])


def test_people_get_a_table_what_it_rests_on_and_the_sums_last(measured: Path, estimate: Estimate) -> None:
    """In a terminal."""
    done = run("--stack", "prod", "--per-hour", 100, "--measured", measured)
    assert done.exit_code == 0
    assert "Measured 2026-11-29 by `responder cost measure`" in done.output
    assert f"${estimate.month.usd:,.2f} a month at 100 alerts an hour" in done.output.splitlines()[-1]


@pytest.mark.parametrize("stack", ["dev", "staging", "local"])
def test_every_stack_has_an_estimate(measured: Path, stack: str) -> None:
    """By its own file."""
    assert run("--stack", stack, "--per-hour", 0, "--measured", measured).exit_code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--stack", "qa", "--per-hour", "1"), "no stack 'qa'"),
        (("--stack", "prod", "--per-hour", "-1"), "--per-hour"),
        (("--stack", "prod", "--per-hour", "1000001"), "--per-hour"),
        (("--stack", "prod", "--per-hour", "nan"), "--per-hour"),
        (("--stack", "prod", "--per-hour", "many"), "--per-hour"),
    ],
)
def test_wrong_use_is_exit_2_and_one_sentence(measured: Path, words: tuple[str, ...], says: str) -> None:
    """A stack that is none, and a rate that nobody has."""
    done = run(*words, "--measured", measured)
    assert done.exit_code == 2
    assert says in " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"usage": {}}', b"\xff"])
def test_a_measurement_that_cannot_be_read_is_wrong_use(tmp_path: Path, content: bytes | None) -> None:
    """With how to make one."""
    path = tmp_path / "measured.json"
    if content is not None:
        path.write_bytes(content)
    done = run("--stack", "prod", "--per-hour", 1, "--measured", path)
    assert done.exit_code == 2
    assert "responder cost measure" in " ".join(done.output.replace("│", " ").split())


def test_a_measurement_of_no_alerts_is_none(measured: Path) -> None:
    """Nothing can be divided by it."""
    content = json.loads(measured.read_text())
    content["usage"]["alerts"] = 0
    measured.write_text(json.dumps(content))
    with pytest.raises(MeasurementError, match="0 alerts"):
        read_measurement(measured)


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("functions", {}, "says nothing of a part"),
        ("units", {}, "the table alerts"),
        ("queue_sends", 1e308, "is no measurement"),
    ],
)
def test_a_measurement_that_lacks_a_part_is_refused(
    measured: Path, part: str, value: object, says: str
) -> None:
    """It would make the part free."""
    content = json.loads(measured.read_text())
    content["usage"][part] = value
    measured.write_text(json.dumps(content))
    with pytest.raises(MeasurementError, match=says):
        read_measurement(measured)


def test_the_measurement_of_the_repository_can_be_read() -> None:
    """And is of every function that works on alerts, and of every table."""
    usage = read_measurement().usage
    assert {"reception", "analysis", "distribution"} <= usage.functions.keys()
    assert {"alerts", "analysis-cache", "coordination"} <= usage.units.keys()
    assert usage.model_calls < usage.alerts


def test_sizes_are_those_that_dynamodb_bills() -> None:
    """Names, values and a hundred bytes; an index has what it projects, or nothing without its key."""
    row = {"alert_id": {"S": "a" * 10}, "severity": {"S": "HIGH"}, "timestamp": {"N": "1700000000"}}
    assert item_bytes(row) == 100 + (8 + 10) + (8 + 4) + (9 + 7)
    assert index_bytes(row) == item_bytes(row), "the history index has all of it, the others have no key"
    nested = {"m": {"M": {"a": {"L": [{"BOOL": True}, {"NULL": True}]}}}}
    assert item_bytes(nested) == 100 + 1 + 3 + (1 + 1) + 3 + (1 + 1) * 2
