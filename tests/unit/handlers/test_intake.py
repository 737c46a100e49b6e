"""What reception makes of bodies: the formats, and every kind of bad input."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.domain import formats
from handlers.domain.decoding import NULS, NUMBERS, REPEATED, TOO_DEEP, UNREADABLE
from handlers.domain.dialects import severity_of
from handlers.domain.formats import FORMATS, NO_TITLE, parse
from handlers.domain.formats.alertmanager import (
    ALERT_FROM_GROUP,
    LABELS_LEFT_OUT,
    STATUS_FROM_GROUP,
    TITLE_FROM_LABELS,
)
from handlers.domain.formats.generic import NO_SOURCE, TITLE_FROM_MESSAGE
from handlers.domain.limits import (
    CUT_MARK,
    MAX_ALERTS_PER_BODY,
    MAX_BODY_BYTES,
    MAX_ITEM_BYTES,
    MAX_LABELS,
    MAX_MESSAGE_CHARS,
    MAX_TITLE_CHARS,
)
from handlers.domain.refusal import RefusedError
from handlers.domain.values import VALUES_AS_TEXT
from tests.unit.handlers.builders import World, body, fixture
from topology.alerts import FaultState, Severity


def test_generic_body_becomes_one_alert() -> None:
    """The runbook's body is taken as it is."""
    parsed = parse(body(component="worker", host="h1", labels={"team": "pay"}, event_id="e1"), {})
    (alert,) = parsed.alerts
    assert parsed.format == "generic"
    assert (alert.source, alert.title, alert.severity) == ("billing", "Queue is growing", Severity.HIGH)
    assert (alert.component, alert.host, alert.labels) == ("worker", "h1", {"team": "pay"})
    assert (alert.event_id, alert.started_at) == ("e1", "2026-11-23T08:00:00Z")
    assert json.loads(alert.part)["title"] == "Queue is growing"


def test_alertmanager_body_becomes_its_alerts() -> None:
    """Each alert of a v4 body stands alone; a missing fingerprint is replaced by one of the labels."""
    parsed = parse(fixture("alertmanager"), {})
    firing, resolved = parsed.alerts
    assert parsed.format == "alertmanager"
    assert firing.title == "DiskFilling: Disk full in two hours"
    assert (firing.severity, firing.host, firing.component) == (Severity.CRITICAL, "db-1:9100", "node")
    assert (firing.event_id, firing.status) == ("0a1b2c3d4e5f6071", "firing")
    assert firing.message == "/var grows 2 GB an hour"
    assert resolved.event_id is not None
    assert resolved.event_id.startswith("labels:")
    assert json.loads(firing.part)["fingerprint"] == "0a1b2c3d4e5f6071"


def test_resolution_wakes_nobody_and_says_what_it_is() -> None:
    """A resolved alert is INFO, whatever severity its source gave, and its row's title says so."""
    resolved = parse(fixture("alertmanager"), {}).alerts[1]
    assert (resolved.severity, resolved.state) == (Severity.INFO, FaultState.RESOLVED)


@pytest.mark.parametrize(
    ("state", "severity"),
    [("ALARM", Severity.HIGH), ("INSUFFICIENT_DATA", Severity.MEDIUM), ("OK", Severity.INFO)],
)
def test_alarm_state_decides_severity(state: str, severity: Severity) -> None:
    """An alarm has no severity of its own; missing data is unknown, not healthy."""
    alarm = json.loads(fixture("cloudwatch_alarm")) | {"NewStateValue": state}
    (alert,) = parse(json.dumps(alarm).encode(), {}).alerts
    assert alert.severity is severity
    assert alert.status == state
    assert alert.labels["ApiName"] == "orders"


def test_alarm_without_optional_fields_is_taken() -> None:
    """Composite alarms have no trigger; older messages have no ARN."""
    alarm = {"AlarmName": "a", "NewStateValue": "ALARM", "StateChangeTime": "2026-11-23T08:00:00.000+0000"}
    (alert,) = parse(json.dumps(alarm).encode(), {}).alerts
    assert (alert.title, alert.message, alert.component) == ("a", "", None)


@pytest.mark.parametrize(
    ("content", "status", "code", "field"),
    [
        pytest.param(b"", 400, "empty_body", None, id="empty"),
        pytest.param(b" \n", 400, "empty_body", None, id="blank"),
        pytest.param(b"{", 400, "not_json", None, id="truncated"),
        pytest.param(b"\xff\xfe", 400, "not_json", None, id="not UTF-8"),
        pytest.param(b"[]", 400, "not_an_object", None, id="array"),
        pytest.param(b'"text"', 400, "not_an_object", None, id="string"),
        pytest.param(b"null", 400, "not_an_object", None, id="null"),
        pytest.param(b'{"a": 1, "b": }', 400, "not_json", None, id="no value"),
        pytest.param(b'{"a": "x}', 400, "not_json", None, id="string without an end"),
        pytest.param(b"[" * 200_000, 400, "too_deep", None, id="nested without end"),
        pytest.param(b"{}", 422, "unknown_format", None, id="no field known"),
        pytest.param(b'{"title": "x"}', 422, "unknown_format", None, id="one field known"),
        pytest.param(b'{"version": "4", "alerts": []}', 422, "no_alerts", None, id="no alerts"),
        pytest.param(
            b'{"version": "4", "alerts": {}}', 422, "invalid_field", "alerts", id="alerts an object"
        ),
        pytest.param(
            b'{"version": "4", "alerts": [3]}', 422, "invalid_field", "alerts[0]", id="alert a number"
        ),
    ],
)
def test_bad_body_is_refused_with_what_to_correct(
    content: bytes, status: int, code: str, field: str | None
) -> None:
    """Each kind of bad body has a code, the field where there is one, and a hint."""
    with pytest.raises(RefusedError) as refused:
        parse(content, {})
    error = refused.value
    assert (error.http_status, error.code, error.field) == (status, code, field)
    assert error.hint


@pytest.mark.parametrize(
    ("content", "source", "title", "mended"),
    [
        (body(title=None), "billing", "depth 1200 on host a", TITLE_FROM_MESSAGE),
        (body(title=" ", message="\n one\ntwo"), "billing", "one", TITLE_FROM_MESSAGE),
        (body(title=None, message=None), "billing", "An alert without a title (generic)", NO_TITLE),
        (body(title="\u200b"), "billing", "An alert without a title (generic)", NO_TITLE),
        (body(source=None), "unknown", "Queue is growing", NO_SOURCE),
        (body(title=["a"]), "billing", '["a"]', VALUES_AS_TEXT),
        (body(source={}), "{}", "Queue is growing", VALUES_AS_TEXT),
        (
            b'{"version": "4", "alerts": [{"status": "firing", "startsAt": "t", "labels": {}}]}',
            "alertmanager",
            "An alert without a title (alertmanager)",
            NO_TITLE,
        ),
        (
            b'{"version": "4", "commonLabels": {"alertname": "Lost"}, "groupKey": "k"}',
            "alertmanager",
            "Lost",
            ALERT_FROM_GROUP,
        ),
        (
            b'{"AlarmName": "a", "NewStateReason": "r", "StateChangeTime": "t"}',
            "cloudwatch",
            "a",
            "NewStateValue is missing",
        ),
    ],
)
def test_known_body_is_taken_with_what_is_there_and_its_gaps_are_named(
    content: bytes, source: str, title: str, mended: str
) -> None:
    """A sender does not mend what was refused, and somebody has to see its alert."""
    (alert,) = parse(content, {}).alerts
    assert (alert.source, alert.title) == (source, title)
    assert mended in alert.mended


def group(*members: Any, **fields: Any) -> bytes:
    """An Alertmanager body with these members."""
    return json.dumps({"version": "4", "status": "firing", "alerts": list(members)} | fields).encode()


def member(name: str | None = "DiskFilling", **fields: Any) -> dict[str, Any]:
    """A good member; `name` None for one without a name."""
    labels = {"severity": "critical"} | ({} if name is None else {"alertname": name})
    return {
        "status": "firing",
        "startsAt": "2026-11-23T08:00:00Z",
        "labels": labels,
        "fingerprint": name,
    } | fields


GOOD = member()


@pytest.mark.parametrize(
    ("spoilt", "title", "mended"),
    [
        (member(None, labels={"job": "node", "severity": "warning"}), "job=node", TITLE_FROM_LABELS),
        (member(None, annotations={"description": "one\ntwo"}), "one", TITLE_FROM_LABELS),
        (member("Odd", labels={"alertname": "Odd", "port": 9100}), "Odd", VALUES_AS_TEXT),
        (member("Odd", annotations={"summary": 5}), "Odd: 5", VALUES_AS_TEXT),
        (member("Odd", status=None), "Odd", STATUS_FROM_GROUP),
        (member("Odd\0"), "Odd", NULS),
    ],
    ids=["no name", "no label either", "label a number", "annotation a number", "no status", "NUL"],
)
def test_what_can_be_mended_in_a_member_is_mended(spoilt: dict[str, Any], title: str, mended: str) -> None:
    """And its row will say so; the one beside it is as good as before."""
    parsed = parse(group(GOOD, spoilt), {})
    good, other = parsed.alerts
    assert (good.title, good.severity) == ("DiskFilling", Severity.CRITICAL)
    assert (other.title, parsed.refused) == (title, ())
    assert mended in other.mended


@pytest.mark.parametrize(
    ("spoilt", "mended"),
    [
        (b'"x\\u0000"', NULS),
        (b'"\\ud800"', UNREADABLE),
        (b'"\xff"', UNREADABLE),
        (b"NaN", NUMBERS),
        (b"-Infinity", NUMBERS),
        (b"1e999", NUMBERS),
        (b"9" * 5_000, NUMBERS),
        (b'{"a": 1, "a": 2}', REPEATED),
        (b"[" * 200 + b"]" * 200, TOO_DEEP),
        (b"[" * 9_000 + b"]" * 9_000, TOO_DEEP),
        (b'"line\nline\ttab\x01"', None),
        (b'"C:\\Program Files"', None),
    ],
)
def test_what_is_mended_in_one_member_is_said_of_that_one_alone(spoilt: bytes, mended: str | None) -> None:
    """The other one's row is as if nothing had stood beside it."""
    parsed = parse(group(member("Odd", extra="HERE"), GOOD).replace(b'"HERE"', spoilt), {})
    odd, good = parsed.alerts
    assert (odd.title, odd.mended) == ("Odd", (mended,) if mended else ())
    assert (good.title, good.severity, good.mended) == ("DiskFilling", Severity.CRITICAL, ())


def test_lists_under_one_name_are_joined() -> None:
    """Each may hold alerts, and a sender's template that writes the name twice means both."""
    twice = group(GOOD)[:-1] + b', "alerts": [' + json.dumps(member("Other")).encode() + b"]}"
    assert [(alert.title, alert.mended) for alert in parse(twice, {}).alerts] == [
        ("DiskFilling", (REPEATED,)),
        ("Other", (REPEATED,)),
    ]


@pytest.mark.parametrize("fields", [{"version": 4}, {"version": None}, {"commonLabels": 5}, {"status": []}])
def test_odd_field_of_a_group_costs_none_of_its_alerts(fields: dict[str, Any]) -> None:
    """Whoever wrote the group's template, the alerts in it are good."""
    (alert,) = parse(group(GOOD, **fields), {}).alerts
    assert (alert.title, alert.severity) == ("DiskFilling", Severity.CRITICAL)


def test_alerts_own_labels_come_before_the_groups() -> None:
    """Also where a row has no room for all, which it says."""
    common = {f"a{n}": "x" for n in range(100)} | {"severity": "info", "alertname": "Other"}
    world = World()
    (row,) = world.accept(group(GOOD, commonLabels=common))
    assert (row.title, row.severity, len(row.labels)) == ("DiskFilling", Severity.CRITICAL, MAX_LABELS)
    assert row.labels["alertname"] == "DiskFilling"
    assert row.mended == (LABELS_LEFT_OUT, "2 labels that a row has no room for are in its raw part only")


def test_groups_severity_counts_wherever_it_stands_among_its_labels() -> None:
    """A row has no room for it, and the alert is as urgent as it says."""
    labels = {name: text for name, text in GOOD["labels"].items() if name != "severity"}
    common = {f"a{n}": "x" for n in range(100)} | {"severity": "info"}
    (alert,) = parse(group(GOOD | {"labels": labels}, commonLabels=common), {}).alerts
    assert alert.severity is Severity.INFO


def test_what_a_group_says_is_not_copied_whole_into_each_of_its_alerts() -> None:
    """Ten thousand copies of half a megabyte are more than reception's memory, and an answer of 5xx."""
    text = "x" * (MAX_MESSAGE_CHARS + 1)
    body = group(*[{}] * 3, commonAnnotations={"description": text, "summary": text}, status=text, title=text)
    for alert in parse(body, {}).alerts:
        assert len(alert.message) <= MAX_MESSAGE_CHARS
        assert len(alert.title) <= MAX_TITLE_CHARS
        assert len(alert.part) < len(body) / 4


@pytest.mark.parametrize(
    "shared", [[], {}, "", " ", True, None, "null", "<no value>", "N/A", "-", "{{ .ID }}", "vm-${id}"]
)
def test_what_is_no_event_id_makes_no_two_alerts_one(shared: Any) -> None:
    """Then the labels tell Alertmanager's apart, and the content others."""
    members = (member("One", fingerprint=shared), member("Two", fingerprint=shared))
    assert len({alert.event_id for alert in parse(group(*members), {}).alerts}) == 2
    (alert,) = parse(body(event_id=shared), {}).alerts
    assert alert.event_id is None


def test_rows_of_the_oddest_members_fit_into_the_ledger() -> None:
    """Six bytes of JSON for each character of all that a row keeps, and of its raw part."""
    odd = "\x01" * 500
    labels = {"": "nameless"} | {f"{n}{odd}": odd for n in range(80)}
    spoilt = member("Odd", labels=labels, annotations={"description": odd * 60})
    content = group(spoilt, truncatedAlerts=10**50).replace(rb"\u0001", b"\x01")
    (row,) = World().accept(content)
    assert len(msgspec.json.encode(row)) <= MAX_ITEM_BYTES
    assert "" not in row.labels
    assert row.left_out == 1_000_000


@pytest.mark.parametrize(
    "fields",
    [
        {"Trigger": None},
        {"Trigger": {"Dimensions": [{"name": "Id", "value": 5}, 3, {"name": "Other"}]}},
        {"AWSAccountId": 123, "Region": None},
        {"StateChangeTime": None},
        {"NewStateReason": ["a"], "AlarmDescription": {}},
    ],
)
def test_odd_optional_field_costs_no_alarm(fields: dict[str, Any]) -> None:
    """Its name and state are all that an alarm needs."""
    alarm = json.loads(fixture("cloudwatch_alarm")) | fields
    (alert,) = parse(json.dumps(alarm).encode(), {}).alerts
    assert (alert.title, alert.severity) == (alarm["AlarmName"], Severity.HIGH)


@pytest.mark.parametrize("spoilt", [3, None, "x", []])
def test_member_that_cannot_be_taken_costs_no_other_and_is_told(spoilt: Any) -> None:
    """It is named by its index, and an alert of its own says how many are missing."""
    parsed = parse(group(spoilt, GOOD), {})
    good, notice = parsed.alerts
    assert (good.title, good.severity) == ("DiskFilling", Severity.CRITICAL)
    assert [refused.index for refused in parsed.refused] == [0]
    assert (notice.title, notice.severity) == ("1 of 2 alerts of one body could not be taken", Severity.HIGH)
    assert notice.message.startswith("alert 0: ")


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (b'{"source": "s", "title": "a\\ud800b"}', "a\ufffdb"),
        (b'{"source": "s", "title": "a\\udc00b"}', "a\ufffdb"),
        (b'{"source": "s", "title": "a\xed\xa0\x80b"}', "a\ufffd\ufffd\ufffdb"),
        (b'{"source": "s", "title": "caf\xe9"}', "caf\ufffd"),
        (b'\xef\xbb\xbf{"source": "s", "title": "marked"}', "marked"),
        (b'{"source": "s", "title": "a\\u0000b"}', "ab"),
        (b'{"source": "s", "title": "grin \\ud83d\\ude00 \\ud83d"}', "grin \U0001f600 \ufffd"),
        (b'{"source": "s", "title": "path \\\\ud800 \\ud800"}', "path \\ud800 \ufffd"),
    ],
)
def test_character_that_no_row_can_hold_costs_no_alert(content: bytes, title: str) -> None:
    """It is replaced or left out; everything beside it stays as it was sent."""
    (alert,) = parse(content, {}).alerts
    assert alert.title == title


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"severity": 5}, ("severity_word", "5")),
        ({"message": ["a"]}, ("message", '["a"]')),
        ({"title": 404}, ("title", "404")),
        ({"labels": {"port": 9100, "up": True, "none": None}}, ("labels", {"port": "9100", "up": "true"})),
    ],
)
def test_value_that_is_no_text_is_made_one(fields: dict[str, Any], expected: tuple[str, Any]) -> None:
    """And the row will say so, but for a title that is a number."""
    (alert,) = parse(body(**fields), {}).alerts
    assert getattr(alert, expected[0]) == expected[1]
    assert bool(alert.mended) is ("title" not in fields)


@pytest.mark.parametrize(
    ("count", "left_out"),
    [(42, 42), ("42", 42), (41.9, 41), (0, 0), (-1, 0), ("many", 0), (None, 0), ([], 0)],
)
def test_alerts_that_the_sender_left_out_are_counted(count: Any, left_out: int) -> None:
    """Alertmanager cuts a group at `max_alerts` and says by how many."""
    (alert,) = parse(group(GOOD, truncatedAlerts=count), {}).alerts
    assert alert.left_out == left_out


def test_body_at_the_size_limit_is_taken_and_one_byte_more_is_not() -> None:
    """256 KiB is the most."""
    fits = body(message="")
    fits = body(message="x" * (MAX_BODY_BYTES - len(fits)))
    assert len(fits) == MAX_BODY_BYTES
    assert parse(fits, {}).alerts
    with pytest.raises(RefusedError) as refused:
        parse(fits + b" ", {})
    assert (refused.value.http_status, refused.value.code) == (413, "body_too_large")


@pytest.mark.parametrize(("depth", "mended"), [(32, ()), (33, (TOO_DEEP,)), (100_000, (TOO_DEEP,))])
def test_what_is_nested_too_deep_is_cut_and_costs_no_alert(depth: int, mended: tuple[str, ...]) -> None:
    """The limit itself is allowed; beyond it a mark stands in, however deep it goes."""
    (alert,) = parse(
        body(extra="DEEP").replace(b'"DEEP"', b"[" * (depth - 1) + b"]" * (depth - 1)), {}
    ).alerts
    assert (alert.title, alert.mended) == ("Queue is growing", mended)
    assert (CUT_MARK in alert.part) is bool(mended)


def test_most_severe_of_too_many_alerts_are_taken_and_people_are_told_of_the_others() -> None:
    """The limit is per body: a sender that was answered 202 takes all for told."""
    document = json.loads(fixture("alertmanager"))
    page, resolution = document["alerts"]
    document["alerts"] = [resolution, *[page] * (MAX_ALERTS_PER_BODY - 1)]
    assert parse(json.dumps(document).encode(), {}).refused == ()
    document["alerts"] += [page]
    parsed = parse(json.dumps(document).encode(), {})
    *taken, about = parsed.alerts
    assert [alert.severity for alert in taken] == [Severity.CRITICAL] * MAX_ALERTS_PER_BODY
    assert [(member.index, member.error.code) for member in parsed.refused] == [(0, "too_many_alerts")]
    assert (about.title, about.severity) == (
        f"1 of {MAX_ALERTS_PER_BODY + 1} alerts of one body could not be taken",
        Severity.HIGH,
    )


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("FATAL", Severity.CRITICAL),
        ("Sev-1", Severity.CRITICAL),
        ("page", Severity.CRITICAL),
        ("alert", Severity.CRITICAL),
        ("E", Severity.HIGH),
        ("SEVERE", Severity.HIGH),
        ("warning", Severity.MEDIUM),
        ("p4", Severity.LOW),
        ("Informational", Severity.INFO),
        ("CLEAR", Severity.INFO),
        (" Recovered ", Severity.INFO),
        ("combo", Severity.MEDIUM),
        ("", Severity.MEDIUM),
        (None, Severity.MEDIUM),
    ],
)
def test_severity_words_are_mapped(text: str | None, severity: Severity) -> None:
    """The words of common systems have their meaning; the unknown is MEDIUM."""
    assert severity_of(text) is severity


@pytest.mark.parametrize("severity", ["combo", "urgent-ish"])
def test_unknown_severity_word_is_kept_to_be_shown(severity: str) -> None:
    """People see what the sender said; a word that we know needs no showing."""
    (unknown,) = parse(body(severity=severity), {}).alerts
    (known,) = parse(body(severity="warning"), {}).alerts
    assert (unknown.severity, unknown.severity_word) == (Severity.MEDIUM, severity)
    assert known.severity_word is None


@pytest.mark.parametrize(
    "status",
    [
        "resolved",
        "RESOLVED ",
        "cleared",
        "CLEAR",
        "up",
        "recovery",
        "Closed",
        "ended",
        "success",
        "O.K.",
        "\uff2f\uff2b",
    ],
)
def test_each_senders_word_of_resolution_is_one(status: str) -> None:
    """Whatever case and blanks it comes in."""
    (alert,) = parse(body(severity="critical", status=status), {}).alerts
    assert (alert.severity, alert.state) == (Severity.INFO, FaultState.RESOLVED)


def test_severity_of_a_recovery_stands_for_a_missing_status() -> None:
    """A sender of one word, such as Netdata's CLEAR, says by it that the fault is over; a status decides."""
    (cleared,) = parse(body(severity="CLEAR"), {}).alerts
    (down,) = parse(body(severity="CLEAR", status="down"), {}).alerts
    assert (cleared.status, cleared.state) == ("CLEAR", FaultState.RESOLVED)
    assert (down.status, down.state) == ("down", FaultState.FIRING)


@pytest.mark.parametrize(
    "status", ["firing", "INSUFFICIENT_DATA", "nodata", "acknowledged", "down", "inactive", "", "upset"]
)
def test_no_other_status_is_a_resolution(status: str) -> None:
    """Missing data is unknown, never healthy; an unknown word changes nothing."""
    (alert,) = parse(body(severity="critical", status=status), {}).alerts
    assert (alert.severity, alert.title) == (Severity.CRITICAL, "Queue is growing")


def test_formats_are_found_and_the_generic_one_is_asked_last() -> None:
    """A new module in `formats` needs no other change."""
    names = [found.name for found in FORMATS]
    modules = {path.stem for path in Path(formats.__path__[0]).glob("[a-z]*.py")}
    assert (set(names), names[-1]) == (modules, "generic")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
_likely = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("source", "title", "message", "severity", "labels", "timestamp", "status", "version"), _json
    )
    | {
        "alerts": st.lists(
            st.fixed_dictionaries(
                {}, optional=dict.fromkeys(("labels", "status", "startsAt", "annotations"), _json)
            ),
            max_size=3,
        ),
        **dict.fromkeys(("AlarmName", "NewStateValue", "StateChangeTime", "Trigger", "Type"), _json),
    },
)


@given(
    st.binary(max_size=300)
    | _json.map(lambda v: json.dumps(v).encode())
    | _likely.map(lambda v: json.dumps(v).encode())
)
def test_any_body_is_parsed_or_refused(content: bytes) -> None:
    """No input raises anything but a refusal."""
    try:
        titles = [alert.title.strip() for alert in parse(content, {}).alerts]
    except RefusedError as error:
        titles = [error.hint]
    assert all(titles)
