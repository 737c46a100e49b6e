"""The coordination table on DynamoDB's own rules, by moto, with the table of the topology."""

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from handlers.adapters.aws import clients
from handlers.adapters.aws.coordination import DynamoCoordination
from handlers.domain.delivery.breaker import Breaker
from handlers.domain.delivery.rate_limit import RateLimiter
from handlers.domain.ports import MALFORMED, CoordinationUnavailableError, Record
from tests.fakes.machine import FakeClock
from tests.unit.handlers.builders import REGION, SLACK_INTERVAL_MS


@pytest.fixture
def coordination(tables: dict[str, str]) -> DynamoCoordination:
    """On an empty table."""
    return DynamoCoordination(clients.client("dynamodb", REGION), tables["coordination"])


def put(item: dict[str, Any]) -> None:
    """Store an item that somebody else wrote."""
    boto3.client("dynamodb", region_name=REGION).put_item(TableName="coordination", Item=item)


def test_record_comes_back_with_a_version_that_counts_up(coordination: DynamoCoordination) -> None:
    """Nothing at first; then 1, 2, with the values of the last write only."""
    assert coordination.read("slack") is None
    assert coordination.write("slack", None, {"next_ms": 5, "old": -1})
    first = coordination.read("slack")
    assert first == Record(version=1, values={"next_ms": 5, "old": -1})
    assert coordination.write("slack", first, {"next_ms": 1_795_420_800_000})
    assert coordination.read("slack") == Record(version=2, values={"next_ms": 1_795_420_800_000})
    assert coordination.read("claude") is None


def test_write_on_an_old_view_loses(coordination: DynamoCoordination) -> None:
    """One of two that read the same record writes; so does one of two that found none."""
    assert coordination.write("slack", None, {"a": 1})
    assert not coordination.write("slack", None, {"a": 2})
    seen = coordination.read("slack")
    assert coordination.write("slack", seen, {"a": 3})
    assert not coordination.write("slack", seen, {"a": 4})
    assert coordination.read("slack") == Record(version=2, values={"a": 3})


def test_record_that_is_gone_is_not_written_over(coordination: DynamoCoordination) -> None:
    """Whoever deletes a malformed record starts it anew, from what is then there."""
    assert not coordination.write("slack", Record(version=3, values={}), {"a": 1})
    assert coordination.read("slack") is None


def test_record_without_values_is_a_record(coordination: DynamoCoordination) -> None:
    """An empty map is a map."""
    assert coordination.write("slack", None, {})
    assert coordination.read("slack") == Record(version=1, values={})


def test_additions_count_up_in_a_window_and_begin_anew_in_the_next(coordination: DynamoCoordination) -> None:
    """What comes late is counted in the window that has begun since."""
    counts = [
        coordination.add("quota#x", number, window=window, expires_at=9_000 + window)
        for number, window in ((5, 7), (2, 7), (4, 8), (1, 7), (1, 8))
    ]
    assert counts == [5, 7, 4, 5, 6]
    assert coordination.read("quota#x") == Record(version=1, values={"window": 8, "count": 6})
    coordination.delete_expired("quota#x", now_s=9_007)
    assert coordination.read("quota#x") is not None
    coordination.delete_expired("quota#x", now_s=9_008)
    assert coordination.read("quota#x") is None


def test_addition_that_others_are_faster_than_is_tried_again(aws: None) -> None:  # noqa: ARG001 - credentials
    """Somebody began the window between our two writes; whoever loses for ever is told so."""
    client = clients.client("dynamodb", REGION, attempts=1)
    lost = "ConditionalCheckFailedException"
    begun = {"Attributes": {"values": {"M": {"count": {"N": "6"}}}}}
    with Stubber(client) as stub:
        stub.add_client_error("update_item", lost)
        stub.add_client_error("put_item", lost)
        stub.add_response("update_item", begun)
        assert DynamoCoordination(client, "coordination").add("q", 1, window=7, expires_at=9) == 6
        for operation in ("update_item", "put_item") * 3:
            stub.add_client_error(operation, lost)
        with pytest.raises(CoordinationUnavailableError, match="begun by others"):
            DynamoCoordination(client, "coordination").add("q", 1, window=7, expires_at=9)


@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"version": {"N": "1"}},
        {"version": {"S": "1"}, "values": {"M": {}}},
        {"version": {"N": "1"}, "values": {"M": {"a": {"S": "x"}}}},
        {"version": {"N": "1"}, "values": {"M": {"a": {"N": "1.5"}}}},
        {"version": {"N": "1"}, "values": {"L": []}},
    ],
)
def test_malformed_record_is_unavailable(coordination: DynamoCoordination, rest: dict[str, Any]) -> None:
    """Each caller knows what to do without it, and the log says what to delete. It costs no other."""
    put({"name": {"S": "slack"}, **rest})
    with pytest.raises(CoordinationUnavailableError, match="'slack' is malformed"):
        coordination.read("slack")
    good = Record(version=1, values={"a": 1})
    assert coordination.write("good", None, good.values)
    malformed = Record(version=MALFORMED, values={})
    assert coordination.read_many(["slack", "good", "none"]) == {"slack": malformed, "good": good}
    assert coordination.write("slack", malformed, {"a": 1})
    assert coordination.read("slack") == good


def test_missing_table_is_unavailable(aws: None) -> None:  # noqa: ARG001 - moto must run
    """Both ways."""
    coordination = DynamoCoordination(clients.client("dynamodb", REGION), "nowhere")
    with pytest.raises(CoordinationUnavailableError):
        coordination.read("slack")
    with pytest.raises(CoordinationUnavailableError):
        coordination.write("slack", None, {})
    with pytest.raises(CoordinationUnavailableError):
        coordination.add("slack", 1, window=1, expires_at=1)


@pytest.mark.parametrize("code", ["ConditionalCheckFailedException", "ReplicatedWriteConflictException"])
def test_lost_race_is_no_failure(aws: None, code: str) -> None:  # noqa: ARG001 - credentials
    """Within a region or between two: whoever loses reads again."""
    client = clients.client("dynamodb", REGION, attempts=1)
    with Stubber(client) as stub:
        stub.add_client_error("put_item", code)
        assert not DynamoCoordination(client, "coordination").write("slack", None, {"a": 1})


def test_pace_and_breaker_work_on_it(coordination: DynamoCoordination) -> None:
    """Two instances share one slot, and one circuit."""
    clock = FakeClock()
    one, other = (
        RateLimiter(coordination=coordination, clock=clock, interval_ms=SLACK_INTERVAL_MS) for _ in range(2)
    )
    assert one.reserve(urgent=True) == 0
    assert other.reserve(urgent=True) == SLACK_INTERVAL_MS
    asking, learning = (Breaker(coordination=coordination, clock=clock) for _ in range(2))
    assert asking.allows()
    asking.failed(stay_away_s=60)
    assert not learning.allows()
