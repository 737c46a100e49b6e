"""Faults of AWS: which can be asked for, how they pass to the AWS processes, and whom they hit."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.aws.faults import faulty_calls, faulty_invocations
from emulator.aws_faults import AwsFault, FaultFile, checked, fault_file
from emulator.fault_log import FaultLog
from emulator.stand_ins.faults import Fault, FaultError, Faults

REGIONS = ("us-east-1", "us-west-2")
CONFIG = {
    "FunctionName": "mcp-AnalysisFunction",
    "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:mcp-AnalysisFunction",
}
SIGNED = b"AWS4-HMAC-SHA256 Credential=test/20261123/us-east-1/dynamodb/aws4_request, SignedHeaders=host"


@pytest.fixture
def faults(tmp_path: Path) -> FaultFile:
    """The faults in force, none yet."""
    return fault_file(tmp_path / "faults.json")


@pytest.fixture
def log(tmp_path: Path) -> FaultLog:
    """An empty log."""
    return FaultLog(tmp_path / "fired.jsonl")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (AwsFault(service="lambda", kind="throttled"), "error, error_after"),
        (AwsFault(service="dynamodb", kind="error"), "throttled"),
        (AwsFault(service="lambda", kind="error", percent=0), "above 0"),
        (AwsFault(service="lambda", kind="error", percent=100.1), "at most 100"),
        (AwsFault(service="lambda", kind="error", region="mars"), "us-east-1, us-west-2"),
        (AwsFault(service="dynamodb", kind="throttled", function="F"), "hits no function"),
    ],
)
def test_a_fault_that_could_never_fire_is_refused(fault: AwsFault, says: str) -> None:
    """An experiment whose fault silently does nothing would pass for the wrong reason."""
    with pytest.raises(FaultError, match=says):
        checked(fault, REGIONS)


def test_the_widest_and_the_narrowest_fault_are_taken() -> None:
    """The bounds belong to what is allowed."""
    for fault in (
        AwsFault(service="lambda", kind="error_after", percent=100, region="us-west-2", function="Recovery"),
        AwsFault(service="dynamodb", kind="throttled", percent=0.1),
    ):
        assert checked(fault, REGIONS) is fault


def test_what_the_supervisor_writes_another_process_reads_at_once(tmp_path: Path) -> None:
    """Also when it is replaced, and when it was never written."""
    written, seen = fault_file(tmp_path / "f.json"), fault_file(tmp_path / "f.json")
    assert seen.read() == ()
    fault = AwsFault(service="dynamodb", kind="throttled", percent=50)
    written.write((fault,))
    assert seen.read() == (fault,)
    written.write(())
    assert seen.read() == ()


@pytest.fixture
def invoked() -> list[Any]:
    """The events that reached the function."""
    return []


@pytest.fixture
def invoke(faults: FaultFile, log: FaultLog, invoked: list[Any]) -> Callable[[], dict[str, Any]]:
    """Invoke the function once."""

    def function(_func: Any, _config: Any, event: Any, _request_id: str, _started: float) -> dict[str, Any]:
        invoked.append(event)
        return {"body": "done"}

    faulty = faulty_invocations(function, faults, log)
    return lambda: faulty({}, CONFIG, {"n": 1}, "r", 0.0)


def test_an_error_before_execution_keeps_the_function_from_running(
    faults: FaultFile, log: FaultLog, invoked: list[Any], invoke: Callable[[], dict[str, Any]]
) -> None:
    """And the log says which function, where."""
    faults.write([AwsFault(service="lambda", kind="error", function="AnalysisFunction")])
    assert invoke()["error"] is True
    assert invoked == []
    [entry] = log.entries()
    assert (entry.service, entry.kind, entry.region, entry.what) == (
        "lambda", "error", "us-east-1", "mcp-AnalysisFunction",
    )  # fmt: skip


def test_an_error_after_execution_loses_the_result_and_not_the_effects(
    faults: FaultFile, invoked: list[Any], invoke: Callable[[], dict[str, Any]]
) -> None:
    """FIS's preventExecution=false."""
    faults.write([AwsFault(service="lambda", kind="error_after")])
    answer = invoke()
    assert (answer["error"], "done" in json.dumps(answer)) == (True, False)
    assert invoked == [{"n": 1}]


@pytest.mark.parametrize(
    "fault",
    [
        AwsFault(service="lambda", kind="error", region="us-west-2"),
        AwsFault(service="lambda", kind="error", function="RecoveryFunction"),
        AwsFault(service="dynamodb", kind="throttled"),
    ],
)
def test_a_fault_of_something_else_hits_nothing_and_leaves_no_entry(
    faults: FaultFile, log: FaultLog, invoke: Callable[[], dict[str, Any]], fault: AwsFault
) -> None:
    """Another region, another function, another service."""
    faults.write([fault])
    assert invoke() == {"body": "done"}
    assert log.entries() == []


def test_a_percentage_hits_some_and_the_log_counts_them(
    faults: FaultFile, log: FaultLog, invoked: list[Any], invoke: Callable[[], dict[str, Any]]
) -> None:
    """Of 1,000 at 30 % fewer than 200 or more than 400 would be a fault of the lot."""
    faults.write([AwsFault(service="lambda", kind="error", percent=30)])
    failed = sum("error" in invoke() for _ in range(1_000))
    assert 200 < failed < 400
    assert (len(log.entries()), len(invoked)) == (failed, 1_000 - failed)


def call(app: Any, target: bytes) -> list[dict[str, Any]]:
    """What `app` sends in answer to a signed call."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"x-amz-target", target), (b"authorization", SIGNED)]
    asyncio.run(app({"type": "http", "headers": headers}, receive, send))
    return sent


def test_a_throttled_call_does_nothing_and_answers_as_dynamodb_does(faults: FaultFile, log: FaultLog) -> None:
    """The code is what SDKs retry by; calls of other services pass."""
    passed: list[bytes] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        passed.append(dict(scope["headers"])[b"x-amz-target"])

    faulty = faulty_calls(app, faults, log)
    call(faulty, b"DynamoDB_20120810.PutItem")
    faults.write([AwsFault(service="dynamodb", kind="throttled")])
    start, body = call(faulty, b"DynamoDB_20120810.PutItem")
    assert start["status"] == 400
    assert json.loads(body["body"])["__type"].endswith("#ProvisionedThroughputExceededException")
    call(faulty, b"AmazonSQS.SendMessage")
    assert passed == [b"DynamoDB_20120810.PutItem", b"AmazonSQS.SendMessage"]
    assert [(one.region, one.what) for one in log.entries()] == [("us-east-1", "PutItem")]


def test_a_stand_ins_fault_is_told_each_time_a_request_meets_it() -> None:
    """Setting one is not firing it."""
    told: list[tuple[str, str]] = []
    faults = Faults(lambda fault, region: told.append((fault.kind, region)))
    faults.add(Fault(service="slack", kind="rate_limited", times=2, region="us-east-1"))
    assert told == []
    for region in ("us-east-1", "us-west-2", "us-east-1", "us-east-1"):
        faults.meet("slack", region)
    assert told == [("rate_limited", "us-east-1")] * 2
