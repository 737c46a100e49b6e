"""What senders really send, through HTTP and the alarm topic to the ledger and Slack: nobody is silenced."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from emulator.client import Emulator
from emulator.local_stack import LocalStack
from emulator.protocol import SlackMessage
from handlers.domain.limits import MAX_ALERTS_PER_BODY
from ops.local.running import api_keys

pytestmark = pytest.mark.emulator

Eventually = Callable[..., Any]
Post = Callable[[object], requests.Response]

REGION = "us-east-1"


@pytest.fixture(scope="module")
def post(stack: LocalStack) -> Post:
    """Post a body, as it is or as JSON."""
    (key,) = [key for endpoint, key in api_keys(stack.deployment).items() if endpoint.region == REGION]
    headers = {"content-type": "application/json", "x-api-key": key}

    def send(body: object) -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return requests.post(stack.deployment.primary.webhook_url, data=data, headers=headers, timeout=60)

    return send


@pytest.fixture
def row(stack: LocalStack) -> Callable[[str], dict[str, Any]]:
    """The row of an alert, typed as DynamoDB has it."""
    dynamodb = stack.deployment.clients.client("dynamodb", REGION)

    def read(alert_id: str) -> dict[str, Any]:
        key = {"alert_id": {"S": alert_id}}
        return dict(
            dynamodb.get_item(TableName=stack.deployment.alerts_table, Key=key, ConsistentRead=True)["Item"]
        )

    return read


@pytest.fixture
def message(emulator: Emulator, eventually: Eventually) -> Callable[[str], SlackMessage]:
    """The message of an alert, once Slack has it: of more than three at a time it would get a digest."""

    def find(alert_id: str) -> SlackMessage:
        found = eventually(lambda: [one for one in emulator.slack_messages() if alert_id in one.alert_ids])
        assert len(found) == 1
        return found[0]

    return find


def ids(answer: requests.Response) -> list[str]:
    """Of a 202, in its order."""
    assert answer.status_code == 202, answer.text
    return [alert["alert_id"] for alert in answer.json()["alerts"]]


def shown(message: SlackMessage) -> str:
    """All that a message says."""
    return json.dumps(message.payload, ensure_ascii=False)


def member(name: str | None, **fields: Any) -> dict[str, Any]:
    """One alert of a group; `name` None for one without a name."""
    labels = {"severity": "critical", "instance": "lb-7"} | ({"alertname": name} if name else {})
    return {"status": "firing", "labels": labels, "startsAt": "2026-11-24T09:30:00Z"} | fields


def group(*members: Any, **fields: Any) -> dict[str, Any]:
    """An Alertmanager body."""
    return {"version": "4", "status": "firing", "receiver": "r", "alerts": list(members)} | fields


def test_spoilt_members_of_a_group_cost_no_good_one_and_are_seen(
    post: Post, row: Callable[[str], dict[str, Any]], message: Callable[[str], SlackMessage]
) -> None:
    """Four are mended, one is refused by its index and told, and what the sender left out is shown."""
    (alert_id,) = ids(post(group(member("Carts are lost", fingerprint="c6"), truncatedAlerts=17)))
    assert row(alert_id)["left_out"]["N"] == "17"
    assert "17 alerts of its group" in shown(message(alert_id))
    deep = b"[" * 3_000 + b"]" * 3_000
    spoilt = [
        member(None, labels={"severity": "warning", "queue": "invoices"}, fingerprint="c2"),
        member("Odd values", labels={"alertname": "Odd values", "port": 443, "up": None}, fingerprint="c3"),
        member("Deep", extra="DEEP", fingerprint="c4"),
        member("Number", value="NUMBER", fingerprint="c5"),
        "no object",
    ]
    body = json.dumps(group(*spoilt, member("Login is down", fingerprint="c1"))).encode()
    answer = post(body.replace(b'"DEEP"', deep).replace(b'"NUMBER"', b"NaN"))
    alert_ids = ids(answer)
    rows = [row(alert_id) for alert_id in alert_ids]
    assert [found["title"]["S"] for found in rows] == [
        "queue=invoices",
        "Odd values",
        "Deep",
        "Number",
        "Login is down",
        "1 of 6 alerts of one body could not be taken",
    ]
    assert [refused["index"] for refused in answer.json()["refused"]] == [4]
    assert all("mended" in found for found in rows[:4])
    assert (rows[4]["severity"]["S"], "mended" in rows[4]) == ("CRITICAL", False)
    assert "alert 4: alerts[4] is no JSON object" in rows[5]["message"]["S"]


@pytest.mark.slow
def test_odd_characters_numbers_and_links_arrive_as_far_as_anybody_can_show_them(
    post: Post, row: Callable[[str], dict[str, Any]], message: Callable[[str], SlackMessage]
) -> None:
    """Joiners where a script needs them, no button for an address that is none, and nothing refused."""

    def sent(name: str, **fields: Any) -> str:
        (alert_id,) = ids(
            post({"source": "agent", "title": name, "message": name, "severity": "high"} | fields)
        )
        return alert_id

    joined = "\u06a9\u062a\u0627\u0628\u200c\u062e\u0627\u0646\u0647 \U0001f469\u200d\U0001f680"
    told = shown(message(sent(f"{joined} pay\u200bments \u202eelif", link="http://grafana:${PORT}/d/1")))
    assert f"{joined} payments elif" in told
    assert "button" not in told
    nameless = row(sent("Labels", labels={"": "nobody's", "team": "web"}))
    assert nameless["labels"]["M"] == {"_": {"S": "nobody's"}, "team": {"S": "web"}}
    numbers = (
        b'{"source": "agent", "title": "Numbers", "severity": "high", "timestamp": 987654321098765432109876,'
        b' "load": 1e308, "ratio": -Infinity, "path": "D:\\Profiles\\x", "text": "two\nlines"}'
    )
    (alert_id,) = ids(post(numbers))
    assert row(alert_id)["started_at"]["S"] == "987654321098765432109876"
    assert '"load":1e308' in row(alert_id)["raw"]["S"]


@pytest.mark.slow
def test_alerts_that_differ_in_a_label_are_two_and_an_event_stamped_anew_is_one(
    post: Post, row: Callable[[str], dict[str, Any]]
) -> None:
    """What tells alerts apart is what they are about, never when they were sent."""
    certificate = {
        "source": "certs",
        "title": "Certificate ends in 3 days",
        "severity": "high",
        "host": "edge",
    }
    (first,) = ids(post(certificate | {"labels": {"name": "shop.example"}}))
    (second,) = ids(post(certificate | {"labels": {"name": "pay.example"}}))
    assert row(second)["status"]["S"] != "SUPPRESSED"
    assert first != second
    run = {
        "source": "cron",
        "title": "Export failed",
        "severity": "high",
        "event_id": "run-88",
        "status": "failed",
    }
    (once,) = ids(post(run | {"timestamp": "2026-11-24T02:00:00Z"}))
    again = post(run | {"timestamp": "2026-11-24T02:00:06Z"}).json()["alerts"][0]
    assert (again["status"], again["parent_id"]) == ("SUPPRESSED", once)


def test_second_outage_is_told_after_the_recovery_between(
    emulator: Emulator, post: Post, message: Callable[[str], SlackMessage]
) -> None:
    """Down, up, down within the window: each goes out, and Slack ends with the outage."""
    probe = {
        "source": "probe",
        "title": "Search is unreachable",
        "severity": "critical",
        "component": "search",
    }
    alert_ids, sent = [], []
    for status in ("down", "up", "down"):
        alert_ids += ids(post(probe | {"status": status}))
        sent.append(message(alert_ids[-1]))
    assert ["[RESOLVED]" in shown(one) for one in sent] == [False, True, False]
    mine = [one for one in emulator.slack_messages() if set(one.alert_ids) & set(alert_ids)]
    assert "[RESOLVED]" not in shown(mine[-1])


def test_every_alert_of_a_large_group_is_taken_the_worst_one_last(
    post: Post, row: Callable[[str], dict[str, Any]], message: Callable[[str], SlackMessage]
) -> None:
    """More than the 100 that were once the most. All but two repeat one another, so Slack gets two."""
    repeated = [member("Disk slow", annotations={"description": "x" * 2_500}, fingerprint="d1")] * 130
    answer = post(group(*repeated, member("Ledger is lost", fingerprint="d2")))
    alert_ids = ids(answer)
    assert MAX_ALERTS_PER_BODY >= 1_000
    assert len(set(alert_ids)) == 131
    assert row(alert_ids[-1])["title"]["S"] == "Ledger is lost"
    message(alert_ids[-1])


@pytest.mark.slow
def test_each_word_for_a_recovery_wakes_nobody(post: Post, row: Callable[[str], dict[str, Any]]) -> None:
    """Whatever case and blanks: INFO, and its title says so."""
    for word in ("RESOLVED\n", " Cleared", "UP", "recovered", "closed", "ended", "Success", "ok "):
        alert = {"source": "s", "title": f"Queue of {word.strip()}", "severity": "critical", "status": word}
        (alert_id,) = ids(post(alert))
        found = row(alert_id)
        assert (found["severity"]["S"], found["title"]["S"][:11]) == ("INFO", "[RESOLVED] "), word


def test_grafanas_group_keeps_its_severity(post: Post, row: Callable[[str], dict[str, Any]]) -> None:
    """However alike its body is to the project's own, under which it would be MEDIUM."""
    grafana = group(member("Slow"), version="1", orgId=3, title="[FIRING:1] Slow", message="**Firing**")
    (alert_id,) = ids(post(grafana))
    found = row(alert_id)
    assert (found["format"]["S"], found["severity"]["S"]) == ("grafana_alerting", "CRITICAL")


@pytest.mark.slow
def test_whatever_arrives_on_the_alarm_topic_reaches_people(
    emulator: Emulator, stack: LocalStack, eventually: Eventually
) -> None:
    """A text, another service's event, and alarms without a trigger that anybody expects."""
    anomaly = {
        "AlarmName": "cart-band",
        "NewStateValue": "ALARM",
        "StateChangeTime": "2026-11-24T08:00:00.236+0000",
        "AlarmDescription": None,
        "AWSAccountId": 123456789012,
        "Trigger": {"Metrics": [{"Id": "m1", "MetricStat": {"Metric": {"Dimensions": [{"name": "F"}]}}}]},
    }
    event = {
        "source": "aws.backup",
        "detail-type": "Backup Job State Change",
        "detail": {"state": "FAILED-9"},
    }
    sent = {
        "MEDIUM: Restore of vault-3": "Restore of vault-3 failed",
        "HIGH: cart-band": json.dumps(anomaly),
        "FAILED-9": json.dumps(event),
    }
    sns = stack.deployment.clients.client("sns", REGION)
    for told, text in sent.items():
        sns.publish(TopicArn=stack.deployment.primary.alarm_topic_arn, Message=text)
        eventually(lambda told=told: any(told in shown(one) for one in emulator.slack_messages()))
