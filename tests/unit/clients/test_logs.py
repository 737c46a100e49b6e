"""Lines of the functions' logs, on CloudWatch Logs by moto."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from clients import logs
from clients.deployment import Deployment
from clients.logs import LogCutOffError, read_events
from tests.fakes.deployment import FAILOVER, PRIMARY
from topology.functions import ANALYSIS

GROUP = "/aws/lambda/mcp-incident-responder-dev-AnalysisFunction"
AT_MS = 1_795_420_800_000


@pytest.fixture
def logged(deployment: Deployment) -> Deployment:
    """The stack, whose analysis function has run in the primary only."""
    client = boto3.client("logs", region_name=PRIMARY)
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName="s")
    messages = ["START RequestId: r1\n", '{"message": "Claude analysis", "alert_id": "a1"}\n', '{"mess']
    client.put_log_events(
        logGroupName=GROUP,
        logStreamName="s",
        logEvents=[{"timestamp": AT_MS + n, "message": line} for n, line in enumerate(messages)],
    )
    return deployment


def read(logged: Deployment, region: str = PRIMARY, **wanted: Any) -> list[logs.LogLine]:
    """What analysis logged since the beginning."""
    return read_events(logged, ANALYSIS, region, since_ms=AT_MS, **wanted)


def test_lines_come_in_order_of_time_with_their_fields(logged: Deployment) -> None:
    """Those of Lambda's own and torn ones have none."""
    lines = read(logged)
    assert [line.fields for line in lines] == [None, {"message": "Claude analysis", "alert_id": "a1"}, None]
    assert [line.at_ms for line in lines] == [AT_MS, AT_MS + 1, AT_MS + 2]
    assert (lines[0].text, lines[0].function) == ("START RequestId: r1", "AnalysisFunction")


def test_a_function_that_never_ran_has_no_lines(logged: Deployment) -> None:
    """Its log group may not even be there."""
    assert read(logged, FAILOVER) == []


def test_a_pattern_a_time_and_a_limit_choose_lines(logged: Deployment) -> None:
    """The first ones of those that match."""
    assert [line.at_ms for line in read(logged, pattern='"Claude analysis"')] == [AT_MS + 1]
    assert [line.at_ms for line in read(logged, until_ms=AT_MS + 1, limit=1)] == [AT_MS]


def test_a_region_that_refuses_is_no_empty_log(logged: Deployment) -> None:
    """Who asks has to say that nothing is known."""
    stubber = Stubber(logged.clients.client("logs", PRIMARY))
    stubber.add_client_error("filter_log_events", "AccessDeniedException")
    with stubber, pytest.raises(ClientError, match="AccessDenied"):
        read(logged)


def test_a_log_without_a_way_to_its_rest_says_so(logged: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full page and no token, as the embedded AWS gives it."""
    monkeypatch.setattr(logs, "EVENTS_MAX", 3)
    with pytest.raises(LogCutOffError, match="a full page"):
        read(logged, limit=4)
