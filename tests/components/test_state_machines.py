"""The backups' state machines, their expressions evaluated by the JSONata that the embedded AWS uses."""

from typing import Any

import jsonata
import pytest

from components.state_machines import daily_copies, incremental_export

INCREMENTAL = incremental_export(table_arn="arn:table", bucket="b", stack="prod")
COPIES = daily_copies(bucket="b")


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
        ("2026-11-23T14:20:00Z", ("2026-11-23T13:00:00.000Z", "2026-11-23T14:00:00.000Z")),
        ("2026-11-23T14:00:00Z", ("2026-11-23T13:00:00.000Z", "2026-11-23T14:00:00.000Z")),
        ("2026-11-23T14:59:59Z", ("2026-11-23T13:00:00.000Z", "2026-11-23T14:00:00.000Z")),
        ("2026-01-01T00:20:00Z", ("2025-12-31T23:00:00.000Z", "2026-01-01T00:00:00.000Z")),
    ],
)
def test_a_run_exports_the_whole_clock_hour_before_it(time: str, window: tuple[str, str]) -> None:
    """Whenever in the hour it comes; over midnight too."""
    assert _window(time) == window


def test_the_windows_of_a_day_meet() -> None:
    """No change falls between two of them, and none is in both."""
    windows = [_window(f"2026-11-23T{hour:02}:20:00Z") for hour in range(24)]
    assert [end for _, end in windows[:-1]] == [begin for begin, _ in windows[1:]]


def test_each_run_has_a_prefix_and_a_token_of_its_own_time() -> None:
    """A run that Scheduler starts twice asks for the same export, and gets it once."""
    arguments = INCREMENTAL["States"]["Export"]["Arguments"]
    date = "2026-11-23T14:20:00Z"
    assert _evaluate(arguments["S3Prefix"], None, date=date) == f"dynamodb-exports/{date}"
    assert _evaluate(arguments["ClientToken"], None, date=date) == f"incremental-{date}"
    assert arguments["ExportType"] == "INCREMENTAL_EXPORT"
    assert arguments["IncrementalExportSpecification"]["ExportViewType"] == "NEW_AND_OLD_IMAGES"


@pytest.mark.parametrize(
    ("status", "next_state"),
    [("COMPLETED", "Measure"), ("IN_PROGRESS", "Wait"), ("FAILED", "Failed"), ("SOMETHING_NEW", "Failed")],
)
def test_only_a_completed_export_is_measured(status: str, next_state: str) -> None:
    """An unknown status is a failure, not a success."""
    choice = INCREMENTAL["States"]["Finished"]
    taken = [rule["Next"] for rule in choice["Choices"] if _evaluate(rule["Condition"], status)]
    assert (taken or [choice["Default"]]) == [next_state]


def test_the_age_counts_from_the_end_of_the_window() -> None:
    """What was written after it is not in the export."""
    (datum,) = INCREMENTAL["States"]["Measure"]["Arguments"]["MetricData"]
    now_ms = _evaluate("{% $millis() %}", None)
    age_s = _evaluate(datum["Value"], None, to_ms=now_ms - 90_000)
    assert 90 <= age_s < 95
    assert (datum["MetricName"], datum["Unit"]) == ("ExportAgeS", "Seconds")


def test_waiting_ends() -> None:
    """A machine that waits for an export for ever would hide that none is made."""
    assert INCREMENTAL["TimeoutSeconds"] == 10_800
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
