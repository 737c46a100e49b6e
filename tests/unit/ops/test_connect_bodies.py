"""What the templates of `responder connect` have senders post is taken, with its severity and state."""

import json
import re
from pathlib import Path
from typing import Final

import pytest

from handlers.domain.formats import FORMATS, parse
from handlers.domain.identity import fault_key_of
from ops.connect.senders import SENDERS, Address
from topology.alerts import FaultState, Severity

DOCUMENT: Final = (Path(__file__).parents[3] / "docs" / "senders.md").read_text(encoding="utf-8")
PLACE: Final = Address(
    "both", "us-east-1", "https://alerts.example.com/alerts", "key", "arn:aws:sns:us-east-1:1:a"
)

DATADOG: Final = {
    "$ALERT_ID": "160077064",
    "$ALERT_CYCLE_KEY": "8306082202796025694",
    "$ALERT_SCOPE": "host:db-1",
    "$ALERT_PRIORITY": "P1",
    "$TEXT_ONLY_MSG": "Free space is under 5 %",
    "$HOSTNAME": "db-1",
    "$TAGS": "team:web,monitor",
    "$LINK": "https://app.datadoghq.com/event/jump_to?event_id=1",
    "$DATE": "1733930135000",
    "$ALERT_TYPE": "error",
}
UPTIME_KUMA: Final = {
    "{{ monitorJSON.id }}": "7",
    "{{ name | json }}": '"Shop"',
    "{{ msg | json }}": '"[Shop]"',
}


def posted(sender: str) -> str:
    """The body that a sender's template has it post, with the names of its own variables."""
    text = SENDERS[sender].configuration([PLACE])
    if sender == "curl":
        body = re.search(r"--data-binary '(.*)'", text)
        assert body is not None
        return body[1]
    document = json.loads(text)
    return str(document["payload"] if sender == "datadog" else document["webhookCustomBody"])


@pytest.mark.parametrize(
    ("sender", "values", "firing", "resolved"),
    [
        (
            "datadog",
            DATADOG,
            {"$ALERT_TITLE": "[Triggered] Disk", "$ALERT_TRANSITION": "Triggered"},
            {"$ALERT_TITLE": "[Recovered] Disk", "$ALERT_TRANSITION": "Recovered"},
        ),
        (
            "uptime-kuma",
            UPTIME_KUMA,
            {"{{ status | json }}": '"🔴 Down"'},
            {"{{ status | json }}": '"✅ Up"'},
        ),
        ("curl", {'"low"': '"high"'}, {}, {'"firing"': '"resolved"'}),
    ],
)
def test_a_template_tells_an_outage_and_its_end(
    sender: str, values: dict[str, str], firing: dict[str, str], resolved: dict[str, str]
) -> None:
    """Loud as it is meant to be, as the format that `--wait` waits for, and both of one fault."""
    told = []
    for changing in (firing, resolved):
        text = posted(sender)
        for name, value in (values | changing).items():
            assert name in text
            text = text.replace(name, value)
        parsed = parse(text.encode(), {})
        assert parsed.format in SENDERS[sender].formats
        told += parsed.alerts
    assert [alert.state for alert in told] == [FaultState.FIRING, FaultState.RESOLVED]
    assert told[0].severity in {Severity.CRITICAL, Severity.HIGH}
    assert len({fault_key_of(alert) for alert in told}) == 1
    assert [alert.mended for alert in told] == [(), ()]


def test_the_documented_body_of_scripts_is_taken_as_it_is() -> None:
    """With its severity."""
    body = re.search(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    assert body is not None
    (alert,) = parse(body[1].encode(), {}).alerts
    assert (alert.event_id, alert.severity, alert.mended) == ("backup/db-1", Severity.HIGH, ())


def test_what_is_waited_for_is_a_format() -> None:
    """A name that no format has would be waited for in vain."""
    names = {known.name for known in FORMATS}
    waited = {name for sender in SENDERS.values() for name in sender.formats}
    assert waited <= names
