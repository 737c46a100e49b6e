"""`responder logs`: lines of both regions in one order, and log groups that drifted; on moto."""

import json
import time
from functools import partial
from typing import Any

import pytest
from typer.testing import CliRunner

import ops.runbook.log_commands as command
from clients.logs import read_events
from ops.cli import app, main
from ops.opened_stack import OpenedStack
from runbook.logs import Tail
from tests.fakes.deployment import FAILOVER, PRIMARY, deployment_on_moto
from topology.functions import ANALYSIS, FUNCTIONS, RECEPTION

NOW_MS = time.time_ns() // 1_000_000
HOSTILE = "\x1b[2Jgone"


@pytest.fixture
def deployment(aws: None) -> Any:  # noqa: ARG001 - moto must run
    """A stack on moto whose log groups keep 30 days, as they should."""
    deployment = deployment_on_moto()
    for region in (PRIMARY, FAILOVER):
        logs = deployment.clients.client("logs", region)
        for spec in FUNCTIONS:
            group = deployment.names.log_group(spec)
            logs.create_log_group(logGroupName=group)
            logs.create_log_stream(logGroupName=group, logStreamName="s")
            logs.put_retention_policy(logGroupName=group, retentionInDays=30)
    return deployment


def write(deployment: Any, spec: Any, region: str, *, ago_s: int, **fields: Any) -> None:
    """A line of a function's log."""
    deployment.clients.client("logs", region).put_log_events(
        logGroupName=deployment.names.log_group(spec),
        logStreamName="s",
        logEvents=[{"timestamp": NOW_MS - ago_s * 1_000, "message": json.dumps(fields)}],
    )


def run(deployment: Any, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    """A command on that stack."""
    monkeypatch.setattr(command, "open_stack", lambda *_, **__: OpenedStack(deployment, None))
    return CliRunner().invoke(app, ["logs", *words], env={"COLUMNS": "200"})


def test_lines_of_an_alert_come_in_order_from_everywhere(
    deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what an alert says does not control the terminal."""
    write(deployment, ANALYSIS, FAILOVER, ago_s=20, level="INFO", message="Claude analysis", alert_id="a1")
    write(deployment, RECEPTION, PRIMARY, ago_s=30, level="INFO", message="Accepted an alert", alert_id="a1")
    write(deployment, RECEPTION, PRIMARY, ago_s=10, level="WARNING", message=HOSTILE, alert_id="a1")
    write(deployment, RECEPTION, PRIMARY, ago_s=5, level="INFO", message="Accepted an alert", alert_id="b2")
    shown = run(deployment, monkeypatch, "tail", "a1")
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert [line.split()[1:4] for line in lines] == [
        [PRIMARY, "AlertReception", "INFO"],
        [FAILOVER, "Analysis", "INFO"],
        [PRIMARY, "AlertReception", "WARNING"],
    ]
    assert "Claude analysis" in lines[1]
    assert "\x1b" not in shown.output
    printed = run(deployment, monkeypatch, "tail", "a1", "--json").output.splitlines()
    messages = [json.loads(line)["fields"]["message"] for line in printed]
    assert messages == ["Accepted an alert", "Claude analysis", HOSTILE]
    one = run(deployment, monkeypatch, "tail", "--function", "reception", "--region", PRIMARY)
    assert len(one.output.splitlines()) == 3


def test_a_lost_region_is_named_and_the_other_is_printed(
    deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that was not read is unknown, not empty: exit 1."""
    write(deployment, RECEPTION, PRIMARY, ago_s=30, message="Accepted an alert")
    deployment.clients.lost.add(FAILOVER)
    shown = run(deployment, monkeypatch, "tail")
    assert shown.exit_code == 1
    assert "Accepted an alert" in shown.stdout
    [line] = shown.stderr.splitlines()
    assert line.count(f"Function in {FAILOVER}") == len(FUNCTIONS)
    assert ": unknown, its log was not read" in line
    assert line.endswith("next: `responder dr status`")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["tail", 'a" OR "b'], 1, "is no id of an alert; Slack's message has it"),
        (["tail", "--function", "x"], 2, "--function 'x': one of reception, analysis,"),
        (
            ["tail", "--region", "x"],
            2,
            f"--region: 'x' is none of this stack's; there are {PRIMARY}, {FAILOVER}",
        ),
        (["tail", "--since", "x"], 2, "'x' is not a time; give 30m, 2h or 7d"),
        (["retention", "--days", "31"], 2, "--days 31: CloudWatch Logs takes 1, 3, 5, 7, 14, 30, 60"),
    ],
)
def test_bad_use_is_one_line(
    deployment: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    said: str,
) -> None:
    """Beside Typer's usage, with what would be right. Nothing is read: no region is said to be lost."""
    deployment.clients.lost |= {PRIMARY, FAILOVER}
    monkeypatch.setattr(command, "open_stack", lambda *_, **__: OpenedStack(deployment, None))
    with pytest.raises(SystemExit) as ended:
        main(lambda: app(["logs", *words]))
    printed = capsys.readouterr()
    usage = ("Usage: ", "Try ", "╭", "╰")
    told = [line.strip("│ ") for line in printed.err.splitlines() if not line.startswith(usage)]
    boxes = printed.err.count("╭")  # in which Typer folds a line that is longer than the terminal
    assert (ended.value.code, boxes or len(told), printed.out) == (code, 1, "")
    assert said in " ".join(told)


def test_a_tail_that_goes_on_gives_each_line_once(deployment: Any) -> None:
    """A line that CloudWatch Logs shows late is found by looking back."""
    tail = Tail(deployment, FUNCTIONS, [PRIMARY, FAILOVER], "")
    since_ms = NOW_MS - 60_000
    write(deployment, RECEPTION, PRIMARY, ago_s=10, message="second")
    assert [line.fields for line in tail.lines(since_ms=since_ms)] == [{"message": "second"}]
    write(deployment, RECEPTION, FAILOVER, ago_s=20, message="late")
    write(deployment, RECEPTION, PRIMARY, ago_s=5, message="third")
    lines = tail.lines(since_ms=since_ms)
    assert [line.fields for line in lines] == [{"message": "late"}, {"message": "third"}]
    assert tail.lines(since_ms=since_ms) == []


def test_a_tail_of_more_lines_than_are_read_says_so_and_goes_on(
    deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first are printed, exit 1; the next look begins where that one ended."""
    for ago_s in (40, 30, 20, 10):
        write(deployment, RECEPTION, PRIMARY, ago_s=ago_s, message=f"{ago_s} s ago")
    events = partial(read_events, limit=3)
    monkeypatch.setattr("runbook.logs.EVENTS_MAX", 3)
    monkeypatch.setattr("runbook.logs.read_events", events)
    shown = run(deployment, monkeypatch, "tail")
    assert (shown.exit_code, len(shown.stdout.splitlines())) == (1, 3)
    assert "only its first 3 lines" in shown.stderr
    tail = Tail(deployment, FUNCTIONS, [PRIMARY, FAILOVER], "")
    tail.lines(since_ms=NOW_MS - 60_000)
    assert tail.read_to_ms(NOW_MS) == NOW_MS - 20_000
    assert [line.fields for line in tail.lines(since_ms=NOW_MS - 20_000)] == [{"message": "10 s ago"}]
    assert (tail.unread, tail.read_to_ms(NOW_MS)) == ({}, NOW_MS)


def test_a_log_that_is_unread_for_a_while_is_said_to_be_and_caught_up_with(
    deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While `--follow` goes on: what was logged meanwhile is printed once the region answers again."""
    looks = 0

    def wait(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise KeyboardInterrupt
        deployment.clients.lost = {FAILOVER} if looks == 1 else set()
        if looks == 2:
            write(deployment, ANALYSIS, FAILOVER, ago_s=50, message="meanwhile")

    monkeypatch.setattr(command.time, "sleep", wait)
    shown = run(deployment, monkeypatch, "tail", "--follow", "--function", "analysis", "--since", "1h")
    assert "meanwhile" in shown.stdout
    assert shown.stderr.splitlines()[0].startswith(f"AnalysisFunction in {FAILOVER}: unknown")
    assert f"AnalysisFunction in {FAILOVER}: read again" in shown.stderr


def test_a_log_group_that_drifted_is_found_and_mended(
    deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that keeps for ever too; a dry run mends nothing, and without a person it asks for --yes."""
    group = deployment.names.log_group(ANALYSIS)
    deployment.clients.client("logs", FAILOVER).delete_retention_policy(logGroupName=group)
    found = run(deployment, monkeypatch, "retention")
    assert found.exit_code == 1
    assert "for ever" in found.stdout
    assert found.stdout.count("should be 30 days") == 1
    assert "`responder logs retention --fix`" in found.stderr
    for words in (["--fix", "--dry-run"], ["--fix"]):
        assert run(deployment, monkeypatch, "retention", *words).exit_code in (1, 2)
        assert run(deployment, monkeypatch, "retention").exit_code == 1
    mended = run(deployment, monkeypatch, "retention", "--fix", "--yes", "--json")
    assert mended.exit_code == 0, mended.output
    assert {(row["days"], row["state"]) for row in json.loads(mended.stdout)} == {(30, "ok")}


def test_a_missing_log_group_and_a_lost_region_are_not_well(
    deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment makes the group; the region is unknown."""
    logs = deployment.clients.client("logs", PRIMARY)
    logs.delete_log_group(logGroupName=deployment.names.log_group(ANALYSIS))
    deployment.clients.lost.add(FAILOVER)
    found = run(deployment, monkeypatch, "retention")
    assert found.exit_code == 1
    assert "missing: deploy the stack" in found.stdout
    assert f"{FAILOVER}: unknown" in found.stderr
