"""What `responder connect --wait` finds: an alert's row, or why a body became none; and how it says so."""

import json
from typing import Any

from botocore.exceptions import ClientError

from ops.connect.arrival import Arrival, wait_for_arrival
from tests.fakes.recorded_aws import Answers, RecordedAws, recorded_deployment

SINCE_S = 1_800_000_000.0
NOTIFIED = {
    "alert_id": {"S": "a1"},
    "status": {"S": "NOTIFIED"},
    "format": {"S": "datadog"},
    "severity": {"S": "HIGH"},
    "timestamp": {"N": "1800000001"},
    "accepted_at_ms": {"N": "1800000001000"},
    "notified_at_ms": {"N": "1800000002500"},
    "title": {"S": "Disk"},
}
NOTHING: Answers = {"dynamodb.query": {"Items": []}, "logs.filter_log_events": {"events": []}}


def arrived(answers: Answers, *, within_s: float = 0.0, lost: tuple[str, ...] = ()) -> Arrival:
    """What is found, without waiting for more."""
    aws = RecordedAws({**NOTHING, **answers})
    aws.lost |= set(lost)
    return wait_for_arrival(recorded_deployment(aws), ("datadog",), since_s=SINCE_S, within_s=within_s)


def logged(message: str, **fields: object) -> dict[str, Any]:
    """One page of reception's log."""
    line = json.dumps({"message": message, **fields})
    return {"events": [{"message": "START RequestId"}, {"message": line}, {"message": "{ torn"}]}


def test_an_alert_of_the_sender_is_found_once_and_is_over_when_it_rests() -> None:
    """Both regions have the row, and five severities are asked; another format's is nobody's test."""
    other = {**NOTIFIED, "alert_id": {"S": "a2"}, "format": {"S": "generic"}}
    arrival = arrived({"dynamodb.query": {"Items": [NOTIFIED, other]}}, within_s=60)
    assert [alert["alert_id"] for alert in arrival.alerts] == ["a1"]
    assert arrival.over


def test_an_alert_under_way_is_not_over() -> None:
    """At the end of the time it is shown as it is."""
    arrival = arrived({"dynamodb.query": {"Items": [{**NOTIFIED, "status": {"S": "ANALYZED"}}]}})
    assert [alert["status"] for alert in arrival.alerts] == ["ANALYZED"]
    assert not arrival.over


def test_what_one_region_knows_to_rest_rests() -> None:
    """A replica that is behind says less, whichever is asked first."""
    behind = {**NOTIFIED, "status": {"S": "RECEIVED"}}
    for ahead, other in (("us-east-1", "us-west-2"), ("us-west-2", "us-east-1")):
        answers: Answers = {
            f"dynamodb.query@{ahead}": {"Items": [NOTIFIED]},
            f"dynamodb.query@{other}": {"Items": [behind]},
        }
        assert arrived(answers).alerts[0]["status"] == "NOTIFIED"


def test_a_body_that_was_refused_or_ignored_is_over_with_what_the_log_says() -> None:
    """With the region that took it; Lambda's own lines and torn ones are passed over."""
    for message in ("Refused a request", "Refused members of a body", "Ignored what is no alert"):
        page = logged(message, error="unknown_format", sample="{}")
        arrival = arrived({"logs.filter_log_events@us-west-2": page}, within_s=60)
        assert arrival.over
        assert arrival.log_lines == (
            {"message": message, "error": "unknown_format", "sample": "{}", "region": "us-west-2"},
        )


def test_what_another_sender_posted_is_not_taken_for_the_test_alert() -> None:
    """On a busy stack others' successes are ignored all the time; what is of no known format may be ours."""
    others = logged("Ignored what is no alert", format="github_actions", reason="it ended with success")
    assert arrived({"logs.filter_log_events": others}).log_lines == ()
    for body_format in ("datadog", "unknown"):
        line = logged("Refused a request", format=body_format)
        assert arrived({"logs.filter_log_events@us-west-2": line}).over


def test_a_line_that_only_quotes_the_words_is_none() -> None:
    """Such as an alert whose text has them."""
    assert arrived({"logs.filter_log_events": logged("Accepted an alert", title="Refused")}).log_lines == ()


def test_a_region_that_does_not_answer_is_named_and_the_other_is_read() -> None:
    """Missing data is unknown: it is said beside what was found."""
    arrival = arrived({"dynamodb.query": {"Items": [NOTIFIED]}}, lost=("us-east-1",))
    assert [alert["alert_id"] for alert in arrival.alerts] == ["a1"]
    assert arrival.unreadable.keys() == {"us-east-1"}


def test_a_log_that_cannot_be_read_takes_nothing_from_the_ledger() -> None:
    """Whoever may not read logs still sees the alert."""
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "FilterLogEvents")
    arrival = arrived({"dynamodb.query": {"Items": [NOTIFIED]}, "logs.filter_log_events": denied})
    assert [alert["alert_id"] for alert in arrival.alerts] == ["a1"]
    assert arrival.unreadable.keys() == {"us-east-1", "us-west-2"}
