"""`responder dashboard`, on CloudWatch's answers as its documentation has them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import ops.runbook.dashboard_commands as command
from clients.metrics import Point
from ops.cli import app
from ops.opened_stack import OpenedStack
from runbook.figures import Figures, read_figures
from tests.fakes.deployment import FAILOVER, PRIMARY, deployment_on_moto
from tests.fakes.recorded_aws import Answers, RecordedAws, recorded_deployment
from topology.dashboard import Panel, panels_of
from topology.functions import ANALYSIS
from topology.names import Names

FUNCTION = Names("dev").function(ANALYSIS)
UNTIL = datetime(2026, 11, 23, 8, 0, 30, tzinfo=UTC)


def figures_of(*values: float | None) -> tuple[Figures, Panel]:
    """The figures of the last minutes, of which the first series has these, in the primary only."""
    panels = panels_of(Names("dev"))
    starts = tuple(UTC_MINUTE + timedelta(minutes=number) for number in range(len(values)))
    points = [Point(at, value) for at, value in zip(starts, values, strict=True) if value is not None]
    key = f"{panels[0].title}/{panels[0].series[0].label}"
    return Figures(panels=panels, starts=starts, points={PRIMARY: {key: points}}, unread={}), panels[0]


UTC_MINUTE = datetime(2026, 11, 23, 7, 50, tzinfo=UTC)


def test_a_period_without_data_has_no_bar_and_zero_has_the_lowest() -> None:
    """Nothing known is not nothing there."""
    figures, panel = figures_of(0, None, 4, 8, None)
    label = panel.series[0].label
    assert figures.bars(PRIMARY, panel, label) == "▁ ▅█ "
    assert figures.last(PRIMARY, panel, label) == 8
    assert (figures.bars(FAILOVER, panel, label), figures.last(FAILOVER, panel, label)) == ("     ", None)
    assert figures_of(0, 0)[0].bars(PRIMARY, panel, label) == "▁▁"


@pytest.fixture
def deployment(aws: None) -> Any:  # noqa: ARG001 - moto must run
    """A stack on moto."""
    return deployment_on_moto()


def put(deployment: Any, namespace: str, name: str, dimension: tuple[str, str], value: float) -> None:
    """A value of a metric, a minute ago, in the primary."""
    deployment.clients.client("cloudwatch", PRIMARY).put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": dimension[0], "Value": dimension[1]}],
                "Timestamp": datetime.now(UTC) - timedelta(minutes=1),
                "Value": value,
            }
        ],
    )


def run(deployment: Any, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    """The command on that stack."""
    monkeypatch.setattr(command, "open_stack", lambda *_, **__: OpenedStack(deployment, None))
    return CliRunner().invoke(app, ["dashboard", *words], env={"COLUMNS": "200"})


def drawn(output: str) -> dict[tuple[str, str], list[str]]:
    """By panel and figure, what stands behind its name: the bars and the last value of each region."""
    found, panel = {}, ""
    for line in output.splitlines():
        if line.startswith("  "):
            label, _, rest = line[2:].partition("  ")
            found[panel, label] = rest.split()
        else:
            panel = line.strip()
    return found


def test_what_has_data_is_drawn_and_what_has_none_is_unknown(
    deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zero is data."""
    put(deployment, "AWS/Lambda", "Invocations", ("FunctionName", FUNCTION), 1_234)
    put(deployment, "McpIncidentResponder", "CacheHits", ("Stack", "dev"), 0)
    done = run(deployment, monkeypatch, "--since", "10m")
    assert done.exit_code == 0, done.output
    lines = drawn(done.output)
    assert lines["Invocations (count)", "analysis"] == ["█", "1,234", "unknown"]
    assert lines["Errors (count)", "analysis"] == ["unknown", "unknown"]
    assert lines["Analyses (count)", "cache hits"] == ["▁", "0", "unknown"]
    assert done.output.splitlines()[-1].endswith("#dashboards/dashboard/mcp-incident-responder-dev")
    shown = json.loads(run(deployment, monkeypatch, "--since", "10m", "--json").output)
    known = {(one["figure"], one["region"], one["last"]) for one in shown["figures"] if one["points"]}
    assert known == {("analysis", PRIMARY, 1_234.0), ("cache hits", PRIMARY, 0.0)}
    assert {one["last"] for one in shown["figures"] if not one["points"]} == {None}


def test_a_lost_region_is_unknown_and_the_other_is_drawn(
    deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one line and a next step, and exit 1."""
    put(deployment, "McpIncidentResponder", "CacheHits", ("Stack", "dev"), 7)
    deployment.clients.lost.add(FAILOVER)
    done = run(deployment, monkeypatch)
    assert done.exit_code == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{FAILOVER}: unknown, CloudWatch was not read")
    assert "`responder dr status" in line
    assert "7" in done.stdout


@pytest.mark.parametrize("since", ["20d", "soon", "0m"])
def test_a_time_that_has_no_figures_is_used_wrongly(since: str, tmp_path: Path) -> None:
    """No stack is looked for; the answer has a time that would do."""
    words = ["dashboard", "--since", since, "--run-dir", str(tmp_path)]
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    [told] = [line for line in done.stderr.splitlines() if line.startswith("│")]
    assert (done.exit_code, done.stdout) == (2, "")
    assert "15 days" in told or "give 30m, 2h or 7d" in told


def test_periods_are_whole_minutes_and_some_forty(deployment: Any) -> None:
    """However long the time is."""
    for since_s in (60, 3_600, 10_800, 86_400, 15 * 86_400):
        starts = read_figures(deployment, until=UNTIL, since_s=since_s).starts
        assert 1 <= len(starts) <= 42
        assert all(start.second == 0 for start in starts)
        assert starts[0] <= UNTIL - timedelta(seconds=since_s) or len(starts) > 1


def recorded_figures(values: dict[tuple[str, str], list[float]]) -> dict[str, Any]:
    """GetMetricData's answer to the dashboard's queries: by panel and figure, one value a minute until now.

    Recorded in its form from AWS's own example, where a metric's label is its name; one without data has
    empty lists. https://docs.aws.amazon.com/cli/latest/reference/cloudwatch/get-metric-data.html#examples
    """
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    asked = [(panel.title, series) for panel in panels_of(Names("prod")) for series in panel.series]
    results = []
    for number, (title, series) in enumerate(asked):
        known = values.get((title, series.label), [])
        results.append(
            {
                "Id": f"m{number}",
                "Label": series.name,
                "Timestamps": [now - timedelta(minutes=len(known) - at) for at in range(len(known))],
                "Values": known,
                "StatusCode": "Complete",
            }
        )
    return {"MetricDataResults": results, "Messages": []}


def test_queues_are_drawn_by_what_sqs_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On recorded answers, since the embedded AWS has no metrics of queues.

    A queue in use publishes how many messages wait, also none; how old the oldest is, only while there is
    one; and a queue that nobody has used for six hours publishes nothing: unknown, and never 0.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
    """
    primary = {
        ("Messages waiting", "processing"): [0.0, 0.0, 0.0],
        ("Messages waiting", "processing-dlq"): [617.0, 1_234.0],
        ("Oldest message", "processing-dlq"): [86_340.0, 86_400.0],
    }
    answers: Answers = {
        f"cloudwatch.get_metric_data@{PRIMARY}": recorded_figures(primary),
        f"cloudwatch.get_metric_data@{FAILOVER}": recorded_figures({}),
    }
    aws = RecordedAws(answers)
    done = run(recorded_deployment(aws), monkeypatch, "--since", "10m")
    assert done.exit_code == 0, done.output
    assert sorted(aws.asked) == sorted(answers)
    lines = drawn(done.output)
    assert lines["Messages waiting (count)", "processing"] == ["▁▁▁", "0", "unknown"]
    assert lines["Oldest message (s)", "processing"] == ["unknown", "unknown"]
    assert lines["Messages waiting (count)", "processing-dlq"] == ["▅█", "1,234", "unknown"]
    assert lines["Oldest message (s)", "processing-dlq"] == ["██", "86,400", "unknown"]
    assert lines["Messages waiting (count)", "distribution-dlq"] == ["unknown", "unknown"]
