"""The backups' state machines, their expressions evaluated by the JSONata that the embedded AWS uses."""

from typing import Any

import jsonata
import pytest

from components.backups.state_machines import daily_copies, full_export_watch, incremental_export

FULL = full_export_watch(table_arn="arn:table", bucket="b", stack="prod")
INCREMENTAL = incremental_export(table_arn="arn:table", bucket="b", stack="prod", hours=3)
COPIES = daily_copies(bucket="b", stack="prod")


def _evaluate(text: str, input_: Any, **variables: Any) -> Any:
    """The value of `{% expression %}`."""
    expression = jsonata.Jsonata(text.removeprefix("{%").removesuffix("%}").strip())
    for name, value in variables.items():
        expression.assign(name, value)
    expression.assign("states", {"input": input_})
    return expression.evaluate(None)


def _window(time: str) -> tuple[str, str]:
    """From when to when a run of a time exports."""
    to_ms = _evaluate(INCREMENTAL["States"]["Window"]["Assign"]["to_ms"], {"time": time})
    asked = INCREMENTAL["States"]["Export"]["Arguments"]["IncrementalExportSpecification"]
    begin, end = (_evaluate(asked[key], None, to_ms=to_ms) for key in ("ExportFromTime", "ExportToTime"))
    return begin, end


@pytest.mark.parametrize(
    ("time", "window"),
    [
        ("2026-11-23T14:20:00Z", ("2026-11-23T11:00:00.000Z", "2026-11-23T14:00:00.000Z")),
        ("2026-11-23T14:00:00Z", ("2026-11-23T11:00:00.000Z", "2026-11-23T14:00:00.000Z")),
        ("2026-11-23T14:59:59Z", ("2026-11-23T11:00:00.000Z", "2026-11-23T14:00:00.000Z")),
        ("2026-01-01T00:20:00Z", ("2025-12-31T21:00:00.000Z", "2026-01-01T00:00:00.000Z")),
    ],
)
def test_a_run_exports_the_whole_clock_hours_before_it(time: str, window: tuple[str, str]) -> None:
    """Whenever in the hour it comes; over midnight too."""
    assert _window(time) == window


@pytest.mark.parametrize("lost", [1, 2])
def test_the_next_run_makes_up_for_runs_that_failed(lost: int) -> None:
    """No change falls between the windows of the runs before and after."""
    windows = [_window(f"2026-11-23T{hour:02}:20:00Z") for hour in range(24)]
    assert all(begin <= end for (_, end), (begin, _) in zip(windows, windows[1 + lost :], strict=False))


def test_each_run_has_a_prefix_and_a_token_of_its_own_time() -> None:
    """A run that Scheduler starts twice asks for the same export, and gets it once."""
    date = "2026-11-23T14:20:00Z"
    for machine, backup in ((FULL, "full-export"), (INCREMENTAL, "incremental-export")):
        arguments = machine["States"]["Export"]["Arguments"]
        assert _evaluate(arguments["S3Prefix"], None, date=date) == f"dynamodb-exports/{date}"
        assert _evaluate(arguments["ClientToken"], None, date=date) == f"{backup}-{date}"
    assert FULL["States"]["Export"]["Arguments"]["ExportType"] == "FULL_EXPORT"
    arguments = INCREMENTAL["States"]["Export"]["Arguments"]
    assert arguments["ExportType"] == "INCREMENTAL_EXPORT"
    assert arguments["IncrementalExportSpecification"]["ExportViewType"] == "NEW_AND_OLD_IMAGES"


@pytest.mark.parametrize(
    ("status", "next_state"),
    [("COMPLETED", "Measure"), ("IN_PROGRESS", "Wait"), ("FAILED", "Failed"), ("SOMETHING_NEW", "Failed")],
)
@pytest.mark.parametrize("machine", [FULL, INCREMENTAL], ids=["full", "incremental"])
def test_only_a_completed_export_is_measured(status: str, next_state: str, machine: Any) -> None:
    """An unknown status is a failure, not a success."""
    choice = machine["States"]["Finished"]
    taken = [rule["Next"] for rule in choice["Choices"] if _evaluate(rule["Condition"], status)]
    assert (taken or [choice["Default"]]) == [next_state]


@pytest.mark.parametrize(
    ("machine", "backup"),
    [(FULL, "full-export"), (INCREMENTAL, "incremental-export"), (COPIES, "daily-copies")],
)
def test_the_age_counts_from_what_the_backup_shows(machine: Any, backup: str) -> None:
    """What was written after it is not in the backup."""
    (datum,) = machine["States"]["Measure"]["Arguments"]["MetricData"]
    now_ms = _evaluate("{% $millis() %}", None)
    age_s = _evaluate(datum["Value"], None, to_ms=now_ms - 90_000)
    assert 90 <= age_s < 95
    assert (datum["MetricName"], datum["Unit"]) == ("BackupAgeS", "Seconds")
    assert {one["Name"]: one["Value"] for one in datum["Dimensions"]} == {"Stack": "prod", "Backup": backup}


@pytest.mark.parametrize(("machine", "state"), [(FULL, "Window"), (COPIES, "Date")], ids=["full", "copies"])
def test_a_daily_backup_shows_the_time_of_its_run(machine: Any, state: str) -> None:
    """To the millisecond, in UTC."""
    assigned = machine["States"][state]["Assign"]["to_ms"]
    assert _evaluate(assigned, {"time": "1970-01-01T00:00:01Z"}) == 1_000


def test_waiting_ends() -> None:
    """A machine that waits for an export for ever would hide that none is made."""
    assert INCREMENTAL["TimeoutSeconds"] == FULL["TimeoutSeconds"] == 10_800
    assert COPIES["TimeoutSeconds"] == 900


def test_what_another_try_cannot_mend_is_not_tried_again() -> None:
    """A window before recovery was on stays before it; the first retrier that matches is taken."""
    first, last = INCREMENTAL["States"]["Export"]["Retry"]
    assert "DynamoDb.InvalidExportTimeException" in first["ErrorEquals"]
    assert first["MaxAttempts"] == 0
    assert last["ErrorEquals"] == ["States.ALL"]


def test_the_latest_is_copied_under_the_date() -> None:
    """Each key with its own file name, and nothing else of it changed."""
    arguments = COPIES["States"]["Copies"]["ItemProcessor"]["States"]["Copy"]["Arguments"]
    date = "2026-11-23T03:30:00Z"
    copied = {
        _evaluate(arguments["CopySource"], key): _evaluate(arguments["Key"], key, date=date)
        for key in COPIES["States"]["Copies"]["Items"]
    }
    assert copied == {
        "b/config/latest/stack.json": f"config/{date}/stack.json",
        **{
            f"b/code/latest/{name}Function.zip": f"code/{date}/{name}Function.zip"
            for name in ("AlertReception", "Analysis", "Distribution", "Recovery")
        },
    }
