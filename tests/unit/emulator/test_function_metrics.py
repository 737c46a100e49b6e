"""The metrics that the embedded Lambda publishes of its functions."""

import time
from pathlib import Path
from typing import Any

import pytest
from ministack.services import cloudwatch, lambda_svc

from emulator.aws import function_metrics
from emulator.aws.capacity import Capacity
from emulator.aws.faults import faulty_invocations
from emulator.aws_capacity import capacity_file
from emulator.aws_faults import AwsFault, fault_file
from emulator.fault_log import FaultLog

CONFIG = {
    "FunctionName": "f",
    "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
    "Runtime": "python3.13",
}
AT_S = 1_795_420_830.0


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No metric and no correction is left behind."""
    monkeypatch.setattr(cloudwatch, "_metrics", type(cloudwatch._metrics)())  # noqa: SLF001 - where a query looks
    for name in ("_emit_lambda_metrics", "_execute_function_dispatch"):
        monkeypatch.setattr(lambda_svc, name, getattr(lambda_svc, name))
    monkeypatch.setattr(time, "time", lambda: AT_S)


def points(name: str) -> dict[float, float]:
    """How often each value of a metric was seen."""
    key = ("AWS/Lambda", name, cloudwatch._dims_key({"FunctionName": "f"}))  # noqa: SLF001 - as a query does
    return {one["Value"]: one["Count"] for one in cloudwatch._metrics.get(key, [])}  # noqa: SLF001 - as above


def test_a_load_test_leaves_a_point_for_each_value_of_a_minute() -> None:
    """However many invocations there are; a throttled one is no invocation and no error."""
    results = iter([{"body": None}] * 1_000 + [{"error": True}, {"error": True, "throttle": True}])
    invoke = function_metrics.measured(lambda *_: next(results))
    for _ in range(1_002):
        invoke({}, CONFIG, {}, "id", 0.0)
    assert points("Invocations") == {1: 1_001}
    assert points("Errors") == {0: 1_000, 1: 1}
    assert points("Throttles") == {0: 1_001, 1: 1}
    assert sum(points("Duration").values()) == 1_001
    bucket = next(iter(cloudwatch._metrics.values()))  # noqa: SLF001 - as above
    assert {one["Timestamp"] for one in bucket} == {AT_S // 60 * 60}


def test_a_minute_has_points_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As CloudWatch asks by time."""
    invoke = function_metrics.measured(lambda *_: {})
    for later_s in (0, 1, 60):
        monkeypatch.setattr(time, "time", lambda later_s=later_s: AT_S + later_s)
        invoke({}, CONFIG, {}, "id", 0.0)
    [bucket, *_] = cloudwatch._metrics.values()  # noqa: SLF001 - as above
    assert [(one["Timestamp"] - AT_S, one["Count"]) for one in bucket] == [(-30, 2), (30, 1)]


def test_an_injected_fault_is_an_error_and_a_direct_call_that_is_throttled_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order in which a region's process installs them."""
    function_metrics.take_over()
    capacity = Capacity(capacity_file(tmp_path / "capacity.json"))
    counting = capacity.counting_throttles(lambda_svc._emit_lambda_metrics)  # noqa: SLF001 - as it installs it
    monkeypatch.setattr(lambda_svc, "_emit_lambda_metrics", counting)
    faults = fault_file(tmp_path / "faults.json")
    faults.write((AwsFault(service="lambda", kind="error"),))
    inject = faulty_invocations(lambda *_: pytest.fail("it ran"), faults, FaultLog(tmp_path / "fired.jsonl"))
    monkeypatch.setattr(lambda_svc, "_execute_function_dispatch", inject)
    function_metrics.measure_invocations()
    record: dict[str, Any] = {"config": CONFIG}
    assert lambda_svc._execute_function(record, {})["error"]  # noqa: SLF001 - what each source calls
    assert lambda_svc._execute_function({**record, "concurrency": 0}, {})["throttle"]  # noqa: SLF001 - as above
    lambda_svc._emit_lambda_metrics("f", 3.0, error=True, throttle=True)  # noqa: SLF001 - what Invoke adds to it
    assert (points("Invocations"), points("Errors")) == ({1: 1}, {1: 1})
    assert points("Throttles") == {0: 1, 1: 1}
    assert capacity.usage.functions["f"].throttles == 1
