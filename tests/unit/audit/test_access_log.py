"""Receipts from the APIs' access log and reception's own, on CloudWatch Logs by moto."""

import json
from collections.abc import Iterable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from audit.access_log import AccessLogError, access_receipts
from audit.comparison import EVER, Window
from audit.stack import audit_stack
from clients import logs
from clients.deployment import Deployment
from clients.logs import SAME_TOKEN_MAX
from clients.receipts import Receipt, Unread
from tests.fakes.deployment import FAILOVER, PRIMARY

API_GROUP = "/aws/apigateway/mcp-incident-responder-dev-api"
RECEPTION_GROUP = "/aws/lambda/mcp-incident-responder-dev-AlertReceptionFunction"
AT_MS = 1_795_420_800_000


@pytest.fixture
def logged(deployment: Deployment) -> Deployment:
    """The stack with its log groups, empty."""
    for region in (PRIMARY, FAILOVER):
        logs = boto3.client("logs", region_name=region)
        for group in (API_GROUP, RECEPTION_GROUP):
            logs.create_log_group(logGroupName=group)
            logs.create_log_stream(logGroupName=group, logStreamName="s")
    return deployment


def write(group: str, *lines: str, region: str = PRIMARY, at_ms: int = AT_MS) -> None:
    """Put lines into a log."""
    boto3.client("logs", region_name=region).put_log_events(
        logGroupName=group,
        logStreamName="s",
        logEvents=[{"timestamp": at_ms, "message": line} for line in lines],
    )


def answer(request_id: str, *, at_ms: int = AT_MS, **values: str) -> str:
    """A line of the access log."""
    usual = {
        "request_id": request_id, "time_ms": str(at_ms), "method": "POST", "path": "/alerts", "status": "202",
    }  # fmt: skip
    return json.dumps(usual | values)


def accepted(request_id: str, alert_id: str, status: str = "RECEIVED", **values: Any) -> str:
    """A line of reception's log."""
    line = {"level": "INFO", "message": "Accepted an alert", "request_id": request_id, "alert_id": alert_id}
    return json.dumps({**line, "status": status, **values})


def test_each_alert_of_an_accepted_request_has_a_receipt(logged: Deployment) -> None:
    """Of both regions, with the time by API Gateway's clock; Lambda's own lines are passed over."""
    write(API_GROUP, answer("r1"))
    write(
        RECEPTION_GROUP,
        "START RequestId: 1 Version: 7",
        accepted("r1", "a1"),
        accepted("r1", "a1.b", "SUPPRESSED"),
    )
    write(API_GROUP, answer("r2"), region=FAILOVER)
    write(RECEPTION_GROUP, accepted("r2", "a2"), region=FAILOVER)
    assert sorted(access_receipts(logged, EVER), key=repr) == [
        Receipt("a1", "RECEIVED", PRIMARY, AT_MS, AT_MS),
        Receipt("a1.b", "SUPPRESSED", PRIMARY, AT_MS, AT_MS),
        Receipt("a2", "RECEIVED", FAILOVER, AT_MS, AT_MS),
    ]


@pytest.mark.parametrize("values", [{"status": "503"}, {"path": "/health"}, {"method": "GET"}])
def test_what_was_not_answered_202_was_not_promised(logged: Deployment, values: dict[str, str]) -> None:
    """Though reception took it: its answer may have been too late for API Gateway."""
    write(API_GROUP, answer("r1 202", **values))
    write(RECEPTION_GROUP, accepted("r1 202", "a1"))
    assert list(access_receipts(logged, EVER)) == []


def test_a_202_that_reception_does_not_name_is_unaccounted(logged: Deployment) -> None:
    """Its alerts are unknown, so the audit fails and says which request it was."""
    write(API_GROUP, answer("r1"))
    found = audit_stack(logged, receipts=access_receipts(logged, EVER), slack=None)
    assert found.problems == {
        "request:r1": "answered 202, and the log of reception does not say for which alerts"
    }


def test_by_the_access_log_members_are_unknown_and_changes_rest_on_the_ledger(logged: Deployment) -> None:
    """Nobody has written down what was sent; the rows still say which change was not told."""
    write(API_GROUP, *(answer(alert_id) for alert_id in ("a1", "a2", "a1.c")))
    write(RECEPTION_GROUP, accepted("a1", "a1"), accepted("a2", "a2"), accepted("a1.c", "a1.c", "SUPPRESSED"))
    for minute, (alert_id, state, status) in enumerate(
        [("a1", "firing", "NOTIFIED"), ("a2", "resolved", "NOTIFIED"), ("a1.c", "firing", "SUPPRESSED")]
    ):
        at = {"N": str(AT_MS + 60_000 * minute)}
        item = {
            "alert_id": {"S": alert_id}, "status": {"S": status}, "region": {"S": PRIMARY},
            "parent_id": {"S": "a1"}, "fault_key": {"S": "f" * 32}, "state": {"S": state},
            "changed_at_ms": at, "accepted_at_ms": at,
        }  # fmt: skip
        for region in (PRIMARY, FAILOVER):
            boto3.client("dynamodb", region_name=region).put_item(TableName="alerts", Item=item)
    found = audit_stack(logged, receipts=access_receipts(logged, EVER), slack=None)
    assert (found.members, found.bodiless, found.states_known) == (None, 3, {"sender": 0, "ledger": 3})
    assert (found.untold, list(found.problems)) == (1, ["a1.c"])


def test_only_the_window_is_read_with_a_margin_for_late_lines(logged: Deployment) -> None:
    """A request of the window's last moment is logged after it."""
    write(API_GROUP, answer("r1", at_ms=AT_MS - 1), at_ms=AT_MS + 9_000)
    write(RECEPTION_GROUP, accepted("r1", "a1"), at_ms=AT_MS + 8_000)
    write(API_GROUP, answer("r0", at_ms=AT_MS - 300_000), at_ms=AT_MS - 300_000)
    window = Window(since_ms=AT_MS - 10_000, until_ms=AT_MS)
    assert list(access_receipts(logged, window)) == [Receipt("a1", "RECEIVED", PRIMARY, AT_MS - 1, AT_MS - 1)]


def test_a_stack_without_an_access_log_says_how_to_get_one(deployment: Deployment) -> None:
    """No log is not the same as nothing accepted."""
    with pytest.raises(AccessLogError, match="configure apiAccessLog and deploy"):
        list(access_receipts(deployment, EVER))


def page(*lines: str, token: str | None = None) -> dict[str, Any]:
    """A page of FilterLogEvents."""
    events = [{"timestamp": AT_MS, "message": line} for line in lines]
    return {"events": events} | ({"nextToken": token} if token else {})


def pages(logged: Deployment, *answers: Iterable[dict[str, Any]]) -> None:
    """Have CloudWatch Logs give these pages: of the access log, then of reception's log, of the primary."""
    stubber = Stubber(logged.clients.client("logs", PRIMARY))
    for pages_of_log in answers:
        for content in pages_of_log:
            stubber.add_response("filter_log_events", content)
    stubber.activate()


def test_a_token_that_is_given_again_is_not_the_end(logged: Deployment) -> None:
    """CloudWatch Logs searched and found nothing: only a page without a token is the last one."""
    pages(
        logged,
        [
            page(answer("r1"), token="t"),
            *[page(token="t")] * SAME_TOKEN_MAX,
            page(token="u"),
            page(answer("r2")),
        ],
        [page(accepted("r1", "a1"))],
    )
    assert list(access_receipts(logged, EVER)) == [
        Receipt("a1", "RECEIVED", PRIMARY, AT_MS, AT_MS),
        Receipt("request:r2", "RECEIVED", PRIMARY, AT_MS, AT_MS),
    ]


def test_a_log_that_never_ends_is_unread_from_there_on(logged: Deployment) -> None:
    """What was read is audited; the rest is unknown, and the outcome says what to do."""
    pages(
        logged,
        [page(answer("r1"), token="t"), *[page(token="t")] * (SAME_TOKEN_MAX + 1)],
        [page(accepted("r1", "a1"))],
    )
    receipt, unread = access_receipts(logged, EVER)
    assert receipt == Receipt("a1", "RECEIVED", PRIMARY, AT_MS, AT_MS)
    assert isinstance(unread, Unread)
    assert unread.where == f"{API_GROUP} of {PRIMARY} after 1 lines"
    assert "the same token 102 times in a row; audit a shorter time" in unread.why
    assert unread.since_ms < AT_MS


def test_a_log_of_too_many_pages_is_unread_from_there_on(
    logged: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tokens in turn, for ever."""
    monkeypatch.setattr(logs, "PAGES_MAX", 4)
    pages(logged, [page(token="t"), page(token="u")] * 2, [page()])
    [unread] = access_receipts(logged, EVER)
    assert isinstance(unread, Unread)
    assert "4 pages and still another" in unread.why


def test_a_full_page_without_a_token_may_not_be_the_last(
    logged: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the embedded AWS gives it."""
    monkeypatch.setattr(logs, "EVENTS_MAX", 2)
    pages(logged, [page(answer("r1"), answer("r2"))], [page(accepted("r1", "a1"))])
    *receipts, unread = access_receipts(logged, EVER)
    assert len(receipts) == 2
    assert isinstance(unread, Unread)


@pytest.mark.parametrize("cut", range(1, len(answer("r1")), 7))
def test_a_line_that_does_not_end_is_unread(logged: Deployment, cut: int) -> None:
    """Lines of other forms, which Lambda writes, are passed over."""
    write(API_GROUP, '{"note": "202", ' + answer("r1")[1:cut], "202 as text")
    parts = list(access_receipts(logged, EVER))
    assert parts
    assert all(isinstance(part, Unread) for part in parts)


@pytest.mark.parametrize("time_ms", ["-", "", "12.5", "9" * 30])
def test_an_answer_without_a_time_is_unread(logged: Deployment, time_ms: str) -> None:
    """It may be of the window, and may not."""
    write(API_GROUP, answer("r1", time_ms=time_ms))
    [unread] = access_receipts(logged, EVER)
    assert isinstance(unread, Unread)
    found = audit_stack(logged, receipts=access_receipts(logged, EVER), slack=None)
    assert (found.unread, found.passed) == (1, False)


def test_a_region_that_is_lost_is_no_matter_of_configuration(logged: Deployment) -> None:
    """The next step is another than for a log that there is not."""
    logged.clients.lost.add(FAILOVER)  # type: ignore[attr-defined]  # of the fake
    with pytest.raises(AccessLogError, match="see to that, then audit again"):
        list(access_receipts(logged, EVER))
