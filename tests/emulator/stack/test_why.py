"""What senders really send, and what is asked about it at night: by an id, a piece of a title, or a file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from emulator.local_stack import LocalStack
from ops.local.running import api_keys
from tests.emulator.stack.conftest import Responder

pytestmark = pytest.mark.emulator

REGION = "us-east-1"
SECRET = "hunter2-of-the-marmots"
PROBE = {"source": "probe", "title": "Marmot tunnel is shut", "severity": "critical", "component": "tunnel"}
JOB = {"source": "cron", "title": "Marmot census failed", "severity": "high", "event_id": "census-77"}
SIGN = {
    "source": "ops",
    "title": "\u06a9\u062a\u0627\u0628\u200c\u062e\u0627\u0646\u0647 of the marmots",
    "severity": "low",
    "labels": {"": "nobody's", "api_token": SECRET},
    "password": SECRET,
    "link": "http://grafana:${PORT}/d/1",
}
GROUP = {
    "version": "4",
    "status": "firing",
    "truncatedAlerts": 17,
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "MarmotLost", "severity": "high"},
            "fingerprint": "fa01",
        },
        {"status": "firing", "labels": {"severity": "low", "queue": "hay"}, "fingerprint": "fa02"},
        "a marmot is no object",
    ],
}


@pytest.fixture(scope="module")
def answers(stack: LocalStack) -> list[requests.Response]:
    """What was answered to each body, in this order; and a text was published to the alarm topic."""
    (key,) = [key for endpoint, key in api_keys(stack.deployment).items() if endpoint.region == REGION]
    headers = {"content-type": "application/json", "x-api-key": key}
    bodies: list[Any] = [
        GROUP,
        *(PROBE | {"status": status} for status in ("down", "up", "down")),
        *(JOB | {"timestamp": f"2026-11-24T02:00:0{second}Z"} for second in (0, 6)),
        SIGN,
        {"unheard": "of marmots", "said": "\u06a9\u062a\u0627\u0628"},
    ]
    stack.deployment.clients.client("sns", REGION).publish(
        TopicArn=stack.deployment.primary.alarm_topic_arn, Message="Marmot backup failed\nsee there"
    )
    url = stack.deployment.primary.webhook_url
    return [requests.post(url, json=body, headers=headers, timeout=60) for body in bodies]


def rules_of(found: dict[str, Any]) -> dict[str, str]:
    """All that the answer tells, by its rule."""
    told: dict[str, str] = {}
    for alert in found["alerts"]:
        for decision in alert["history"]:
            told[decision["rule"]] = f"{told.get(decision['rule'], '')}\n{decision['what']}"
    return told | {one["rule"]: one["what"] for one in found["no_alerts"]}


def test_each_kind_of_odd_event_is_explained_by_what_people_know_of_it(
    answers: list[requests.Response], responder: Responder, eventually: Callable[..., Any]
) -> None:
    """By fingerprint, event id, a pasted id, its words, its letters; refused members and a topic's text."""
    assert [answer.status_code for answer in answers] == [202] * 7 + [422]
    last_down = answers[3].json()["alerts"][0]["alert_id"]

    def why(query: str) -> dict[str, str]:
        return rules_of(json.loads(responder("why", query, "--since", "10m", "--json").stdout))

    asked = {
        "fa01": ("left out by the sender", "left out 17 more"),
        "fa02": ("mended", "made of its labels"),
        "marmot is no object": ("refused", "alerts[2]"),
        f"alert:{last_down}": ("change of state", "is firing by this one"),
        "census-77": ("repeat window", "it repeats"),
        SIGN["title"].replace("\u200c", "?"): ("mended", "label without a name is kept as _"),
        "unheard \u06a9\u062a\u0627\u0628": ("refused", "unknown_format"),
    }
    for query, (rule, what) in asked.items():
        told = why(query)
        assert what in told.get(rule, ""), (query, told)
    text = eventually(lambda: why("marmot backup failed"))
    assert "its text is the alert" in text["mended"]
    assert "refused" not in text


def test_receipts_are_explained_and_a_torn_one_is_named(
    answers: list[requests.Response], responder: Responder, tmp_path: Path
) -> None:
    """An alert that the torn line still names is looked up; one without a row is said to have none."""
    first, second = (answer.json()["alerts"][0]["alert_id"] for answer in answers[4:6])
    stranger = f"a{'0' * 32}"
    rest = {"status": "RECEIVED", "region": REGION, "sent_at_ms": 1, "accepted_at_ms": 2}
    lines = [json.dumps({"alert_id": one} | rest) for one in (stranger, first)]
    file = tmp_path / "receipts.jsonl"
    file.write_text("\n".join([*lines, json.dumps({"alert_id": second} | rest)[:60]]), encoding="utf-8")
    done = responder("why", "--file", str(file), "--json")
    assert done.returncode == 1, "one was answered 202 and has no row"
    found = json.loads(done.stdout)
    assert [one["alert"]["alert_id"] for one in found["alerts"]] == [first, second]
    missing, torn = (one["what"] for one in found["no_alerts"])
    assert missing.startswith(f"{stranger} was answered 202")
    assert "line 3: no whole receipt" in torn
    nobody = responder("why", stranger)
    assert nobody.returncode == 1
    assert f"{stranger}: the ledger has no row of it" in nobody.stderr


def test_no_secret_of_a_body_leaves_by_a_command(
    answers: list[requests.Response], responder: Responder
) -> None:
    """The ledger has the body's part as it came; what is printed of it is redacted, as JSON too."""
    (alert_id,) = (alert["alert_id"] for alert in answers[6].json()["alerts"])
    shows = [("why", alert_id), ("alerts", "show", alert_id), ("parked", "show", alert_id)]
    for words in (*shows, ("alerts", "list", "source=ops")):
        for form in ((), ("--json",)):
            done = responder(*words, *form)
            assert done.returncode == 0, done.stderr
            assert SECRET not in done.stdout + done.stderr
    raw = json.loads(responder("why", alert_id, "--json").stdout)["alerts"][0]["alert"]["raw"]
    assert "[redacted: password]" in raw
