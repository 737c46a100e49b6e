"""What every format shares: how one is chosen, and what becomes of the members of a body."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from handlers.domain.alert import IncomingAlert
from handlers.domain.decoding import NULS
from handlers.domain.formats import FORMATS, Identity, Ignored, Member, UnknownFormatError, no_object, parse
from handlers.domain.refusal import RefusedError
from tests.unit.handlers.builders import body
from topology.alerts import FaultState, Severity

DOCUMENT: Final = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text()


class Tickets:
    """A source as configuration makes one: members of `tickets`, an open one an alert."""

    name = "tickets"
    last_resort = False
    members = "tickets"
    identity = Identity(event_id="`id`", episode="none", sent_at="none", resolution="`done`")
    severity = "HIGH"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """By its list."""
        return "tickets" in body

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """Pings are none."""
        return [self._member(part, n) for n, part in enumerate(body.get("tickets", [body]))]

    def _member(self, part: Any, index: int) -> Member:
        if not isinstance(part, dict):
            return no_object(part, f"tickets[{index}]")
        if part.get("ping"):
            return Ignored("a ping")
        return IncomingAlert(
            source="tickets",
            title=str(part["title"]),
            severity=Severity.HIGH,
            state=FaultState.RESOLVED if part.get("done") else FaultState.FIRING,
            part=msgspec.json.encode(part).decode(),
        )


SOURCES = (Tickets(),)


def tickets(*members: Any, **fields: Any) -> bytes:
    """A body of these tickets."""
    return json.dumps({"tickets": list(members)} | fields).encode()


def test_configured_source_is_asked_before_the_format_of_last_resort() -> None:
    """However much its body looks like the project's own."""
    content = tickets({"title": "t"}, source="s", title="whole")
    assert parse(content, {}, sources=SOURCES).format == "tickets"
    assert parse(content, {}).format == "generic"


def test_configured_source_is_never_asked_before_a_known_sender() -> None:
    """What somebody wrote into a configuration takes no other sender's alerts."""
    group = {"version": "4", "alerts": [{"labels": {"alertname": "A"}}], "tickets": []}
    assert parse(json.dumps(group).encode(), {}, sources=SOURCES).format == "alertmanager"


@pytest.mark.parametrize(
    "fields",
    [
        {"incident_id": "I5", "timestamp": "2026-11-23T08:00:00Z"},
        {"incident_id": "I5", "incident_url": "https://shop.example/i/5"},
        {"event_type": "trigger"},
        {"event_action": "login"},
        {"service_key": "pay"},
        {"status": "firing", "context": {"shop": 1}, "properties": {}},
        {"metadata": {}, "reason": "full", "type": "disk"},
        {"logger": "shop.pay", "project_name": "shop"},
        {"alert": {"alertId": 5}, "eventType": "ALERT_NOTIFICATION_CLEAR"},
        {"alerts": 5},
    ],
    ids=",".join,
)
def test_field_that_many_senders_have_makes_no_body_theirs(fields: dict[str, Any]) -> None:
    """It keeps its own title, and a configured source gets what is no known sender's."""
    parsed = parse(body(title="Disk full", **fields), {})
    assert (parsed.format, parsed.alerts[0].title) == ("generic", "Disk full")
    assert parse(tickets({"title": "t"}, **fields), {}, sources=SOURCES).format == "tickets"


@pytest.mark.parametrize(
    "fields",
    [
        {"repository": {"name": "shop"}, "sender": {"login": "ops"}},
        {"event": {"event_type": "pagey.ping"}},
        {"kind": "List", "items": []},
        {"alert_id": "5", "alert_type": "error", "alert_transition": "Triggered"},
        {"incident": {"state": "open"}, "version": "1.2"},
        {"AlarmName": "a", "NewStateValue": "ALARM", "Trigger": {}},
        {"messages": [{"event": "incident.trigger"}]},
    ],
    ids=",".join,
)
def test_body_with_a_source_and_a_title_is_the_projects_own(fields: dict[str, Any]) -> None:
    """Also where it has what makes another body a sender's: none of them sends both."""
    assert parse(body(**fields), {}).format == "generic"
    assert parse(body(tickets=[{"title": "t"}], **fields), {}, sources=SOURCES).format == "tickets"


def test_header_chooses_a_configured_source_outright() -> None:
    """Also where its body says nothing of itself; a name that nobody configured chooses nothing."""
    assert parse(b'{"title": "t"}', {"x-alert-source": "tickets"}, sources=SOURCES).format == "tickets"
    assert parse(body(), {"x-alert-source": "other"}, sources=SOURCES).format == "generic"


def test_unknown_body_is_told_every_format_that_there_is() -> None:
    """With the configured ones, so that whoever made a typing error sees it."""
    with pytest.raises(UnknownFormatError) as unknown:
        parse(b'{"a": 1}', {}, sources=SOURCES)
    assert (unknown.value.http_status, unknown.value.code) == (422, "unknown_format")
    for name in ("tickets", *(found.name for found in FORMATS)):
        assert name in unknown.value.hint


def test_body_of_nothing_but_ignored_members_has_no_alerts_and_says_why() -> None:
    """Each reason once."""
    parsed = parse(tickets({"ping": 1}, {"ping": 2}), {}, sources=SOURCES)
    assert (parsed.alerts, parsed.ignored_reason, len(parsed.ignored)) == ((), "a ping", 2)


def test_ignored_member_costs_no_alert_beside_it() -> None:
    """It is named by its place; the alert keeps its own."""
    parsed = parse(tickets({"ping": 1}, {"title": "t"}), {}, sources=SOURCES)
    assert parsed.ignored_reason is None
    assert [(alert.title, alert.index) for alert in parsed.alerts] == [("t", 1)]
    assert [(member.index, member.reason) for member in parsed.ignored] == [(0, "a ping")]


def test_refused_member_is_not_lost_behind_an_ignored_one() -> None:
    """A body without an alert of which something was refused is refused."""
    with pytest.raises(RefusedError, match="no JSON object") as refused:
        parse(tickets({"ping": 1}, 5), {}, sources=SOURCES)
    assert refused.value.body_format == "tickets"


def test_format_may_say_itself_that_a_fault_is_over() -> None:
    """Where its word for that is none that everybody has; a resolution is INFO."""
    (alert,) = parse(tickets({"title": "t", "done": True}), {}, sources=SOURCES).alerts
    assert (alert.state, alert.severity) == (FaultState.RESOLVED, Severity.INFO)


def test_what_is_mended_in_a_member_of_any_list_is_said_of_that_one_alone() -> None:
    """Whatever a format calls its list; what stands beside the list concerns every member."""
    odd, good = parse(tickets({"title": "a\0"}, {"title": "b"}), {}, sources=SOURCES).alerts
    assert (odd.mended, good.mended) == ((NULS,), ())
    both = parse(tickets({"title": "a"}, {"title": "b"}, note="\0"), {}, sources=SOURCES).alerts
    assert [alert.mended for alert in both] == [(NULS,), (NULS,)]


def test_what_is_mended_in_a_list_of_a_body_that_is_one_alert_is_said_of_it() -> None:
    """Its lists are no members."""
    (alert,) = parse(body(tags=["a\0"]), {}).alerts
    assert alert.mended == (NULS,)


def test_document_has_a_line_for_every_format_as_its_module_has_it() -> None:
    """Format by format; a failure prints the lines to put there."""
    wanted = [f"| `{spec.name}` | {' | '.join((*spec.identity, spec.severity))} |" for spec in FORMATS]
    table = DOCUMENT.split("### Identity, repeats")[1].split("### ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    assert [line for line in lines if not line.startswith("| `sns_text`")] == wanted
