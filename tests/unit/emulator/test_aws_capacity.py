"""Limits of AWS's capacity: how they hold, and what is counted."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ministack.services import dynamodb, lambda_svc

from emulator.aws import capacity as module
from emulator.aws.capacity import Capacity
from emulator.aws.event_sources import mapped_concurrency
from emulator.aws_capacity import USAGE_PATH, AwsCapacity, CapacityFile, IndexWrites, Usage, capacity_file

CONFIG = {"FunctionName": "mcp-AnalysisFunction"}
TABLE = {
    "pk_name": "alert_id",
    "sk_name": None,
    "items": {},
    "GlobalSecondaryIndexes": [
        {"IndexName": "timestamp-index", "KeySchema": [{"AttributeName": "severity", "KeyType": "HASH"}]}
    ],
}


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """At zero."""
        self.now = 0.0
        monkeypatch.setattr(module.time, "sleep", self.sleep)

    def __call__(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the capacity."""
    return Clock(monkeypatch)


@pytest.fixture
def limits(tmp_path: Path) -> CapacityFile:
    """The limits in force, none yet."""
    return capacity_file(tmp_path / "capacity.json")


@pytest.fixture
def capacity(limits: CapacityFile, clock: Clock) -> Capacity:
    """What holds them."""
    return Capacity(limits, clock)


def invoke_on(capacity: Capacity, clock: Clock, *, takes_s: float) -> Callable[[Any], dict[str, Any]]:
    """A function that takes `takes_s`, within the capacity; call it with an event."""

    def run(*_: Any) -> dict[str, Any]:
        clock.sleep(takes_s)
        return {"body": None}

    padded = capacity.padded(run)
    return lambda event: padded({}, CONFIG, event, "id", 0.0)


@pytest.mark.parametrize(("takes_s", "lasts_s"), [(0.2, 1.5), (1.5, 1.5), (2.0, 2.0)])
def test_an_invocation_takes_as_long_as_it_has_to_and_no_longer(
    capacity: Capacity, limits: CapacityFile, clock: Clock, takes_s: float, lasts_s: float
) -> None:
    """So a function of n environments takes exactly n invocations in that time."""
    limits.write(AwsCapacity(least_s={"AnalysisFunction": 1.5}))
    invoke_on(capacity, clock, takes_s=takes_s)({"Records": []})
    assert clock.now == lasts_s
    assert capacity.usage.functions["mcp-AnalysisFunction"].busy_s == lasts_s


@pytest.mark.parametrize("event", [{"httpMethod": "GET"}, {}, None])
def test_who_looks_at_a_regions_health_is_answered_as_ever(
    capacity: Capacity, limits: CapacityFile, clock: Clock, event: Any
) -> None:
    """Health checks are no load, and a region that seems lost would spoil the run."""
    limits.write(AwsCapacity(least_s={"AnalysisFunction": 1.5}))
    invoke_on(capacity, clock, takes_s=0.1)(event)
    assert clock.now == 0.1
    assert capacity.usage.functions == {}


def test_other_functions_take_as_long_as_they_take(
    capacity: Capacity, limits: CapacityFile, clock: Clock
) -> None:
    """A limit is one function's."""
    limits.write(AwsCapacity(least_s={"AlertReceptionFunction": 1.5}))
    invoke_on(capacity, clock, takes_s=0.1)({"Records": []})
    assert clock.now == 0.1


def test_errors_and_throttles_are_counted_by_function(capacity: Capacity) -> None:
    """A direct call that was throttled is told of twice, and counted once."""
    failing = capacity.padded(lambda *_: {"error": True})
    failing({}, CONFIG, {"Records": []}, "id", 0.0)
    told = capacity.counting_throttles(lambda *_: None)
    told("mcp-AnalysisFunction", duration_ms=0.0, error=False, throttle=True)
    told("mcp-AnalysisFunction", duration_ms=3.0, error=True, throttle=True)
    told("mcp-AnalysisFunction", duration_ms=3.0, error=False, throttle=False)
    use = capacity.usage.functions["mcp-AnalysisFunction"]
    assert (use.invocations, use.errors, use.throttles) == (1, 1, 1)


@pytest.fixture
def put(capacity: Capacity, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Write an item of so many characters; returns the status."""
    monkeypatch.setattr(dynamodb, "_tables", {"alerts": TABLE})
    write = capacity.limited(lambda _: (200, {}, b"{}"))

    def put_item(*, chars: int = 10, severity: str = "HIGH") -> int:
        item = {"alert_id": {"S": "a"}, "severity": {"S": severity}, "text": {"S": "x" * chars}}
        return write({"TableName": "alerts", "Item": item})[0]

    return put_item


def test_a_key_of_an_index_takes_its_units_a_second_after_its_burst(
    put: Callable[..., int], limits: CapacityFile, clock: Clock, capacity: Capacity
) -> None:
    """Whoever goes on above the rate is throttled for what is above it, and for no more."""
    limits.write(AwsCapacity(index_writes=IndexWrites(index="timestamp-index", per_s=5, burst=5)))
    taken = 0
    for _ in range(1_000):
        taken += put() == 200
        clock.sleep(0.1)
    assert taken == pytest.approx(5 + 5 * 100, abs=2)
    use = capacity.usage.index_writes["alerts/index/timestamp-index HIGH"]
    assert (use.units, use.throttles) == (taken, 1_000 - taken)


def test_each_key_has_units_of_its_own_and_large_items_take_more(
    put: Callable[..., int], limits: CapacityFile
) -> None:
    """A partition is a key's; a unit is a kilobyte."""
    limits.write(AwsCapacity(index_writes=IndexWrites(index="timestamp-index", per_s=1, burst=3)))
    assert [put(chars=2_500), put(), put(severity="LOW")] == [200, 400, 200]


@pytest.mark.parametrize("index", [None, "open-index"])
def test_what_is_not_limited_is_written(
    put: Callable[..., int], limits: CapacityFile, index: str | None
) -> None:
    """Without a limit, and for a table that has no such index."""
    limits.write(AwsCapacity(index_writes=IndexWrites(index=index, per_s=0, burst=0) if index else None))
    assert put() == 200


def test_a_throttled_write_answers_as_dynamodb_does(
    capacity: Capacity, limits: CapacityFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SDKs know the error by its type, and retry."""
    monkeypatch.setattr(dynamodb, "_tables", {"alerts": TABLE})
    limits.write(AwsCapacity(index_writes=IndexWrites(index="timestamp-index", per_s=0, burst=0)))
    write = capacity.limited(lambda _: pytest.fail("it was written"))
    status, _, body = write({"TableName": "alerts", "Item": {"severity": {"S": "LOW"}}})
    assert status == 400
    assert json.loads(body)["__type"].endswith("#ProvisionedThroughputExceededException")


def test_a_process_says_what_it_has_done(capacity: Capacity, clock: Clock) -> None:
    """The supervisor asks for it over HTTP; everything else goes to AWS."""
    invoke_on(capacity, clock, takes_s=0.5)({"Records": []})
    passed: list[str] = []
    sent: list[dict[str, Any]] = []

    async def aws(scope: Any, *_: Any) -> None:
        passed.append(scope["path"])

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def ask() -> None:
        for path in (USAGE_PATH, "/other"):
            await capacity.answering(aws)({"type": "http", "path": path}, None, send)

    asyncio.run(ask())
    assert passed == ["/other"]
    assert msgspec.json.decode(sent[1]["body"], type=Usage).functions["mcp-AnalysisFunction"].busy_s == 0.5


def mapping(**settings: Any) -> dict[str, Any]:
    """A mapping of a queue as ministack keeps it."""
    return {"BatchSize": 5, **settings}


def queue(*visible_at: float) -> dict[str, Any]:
    """A queue with messages that can be seen from these times on."""
    return {"messages": [{"visible_at": at} for at in visible_at]}


@pytest.mark.parametrize(
    ("messages", "waits_s"),
    [
        (queue(98.0, 99.0), 1.0),
        (queue(97.0, 99.0), None),
        (queue(99.0, 99.1, 99.2, 99.3, 99.4), None),
        (queue(99.0, 99.1, 99.2, 99.3, 200.0), 2.0),
        (queue(), None),
    ],
)
def test_a_mapping_waits_for_its_window_unless_the_batch_is_full(
    messages: dict[str, Any], waits_s: float | None
) -> None:
    """From the oldest message that can be seen on; it looks again when the window ends."""
    woken: list[float] = []
    limit = mapped_concurrency(lambda *_: 7, wake_after=woken.append, clock=lambda: 100.0)
    allowed = limit(mapping(MaximumBatchingWindowInSeconds=3), {}, {}, messages)
    assert (allowed, woken) == ((7, []) if waits_s is None else (0, [waits_s]))


@pytest.mark.parametrize(("reserved", "allowed"), [(None, 30), (12, 12)])
def test_each_provisioned_poller_has_ten_invocations_under_way_within_what_is_reserved(
    monkeypatch: pytest.MonkeyPatch, reserved: int | None, allowed: int
) -> None:
    """As AWS says of a poller; the function's own reservation still holds."""
    monkeypatch.setattr(lambda_svc, "_reserved_concurrency", lambda *_: reserved)
    limit = mapped_concurrency(lambda *_: 7, wake_after=lambda _: None)
    pollers = {"MinimumPollers": 2, "MaximumPollers": 3}
    assert limit(mapping(ProvisionedPollerConfig=pollers), {}, {}, queue()) == allowed
