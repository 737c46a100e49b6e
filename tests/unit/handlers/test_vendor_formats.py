"""What the words of PagerDuty, Datadog, Sentry, Opsgenie, New Relic, GitHub and Kubernetes come to."""

import json
from typing import Any

import pytest

from handlers.domain.alert import IncomingAlert
from handlers.domain.formats import parse
from handlers.domain.identity import fault_key_of, identity_of
from handlers.domain.values import Fields, time_of
from tests.unit.handlers.builders import fixture
from topology.alerts import FaultState, Severity


def real(name: str) -> Any:
    """A body of the fixtures, to be changed."""
    return json.loads(fixture(name))


def alert_of(body: Any, **headers: str) -> IncomingAlert | None:
    """The one alert of a body; None where it is ignored."""
    parsed = parse(json.dumps(body).encode(), {key.replace("_", "-"): text for key, text in headers.items()})
    return parsed.alerts[0] if parsed.alerts else None


def taken(body: Any, **headers: str) -> IncomingAlert:
    """The one alert of a body that is taken."""
    alert = alert_of(body, **headers)
    assert alert is not None
    return alert


@pytest.mark.parametrize(
    "happened", ["triggered", "reopened", "unacknowledged", "escalated", "priority_updated"]
)
def test_pagerduty_incident_that_is_open_fires(happened: str) -> None:
    """And is a repeat of what opened it, unless its priority changed or it was opened again."""
    body = real("pagerduty_v3/firing")
    opened = taken(body)
    body["event"]["event_type"] = f"incident.{happened}"
    body["event"]["occurred_at"] = "2026-11-23T08:30:00Z"
    assert identity_of(taken(body)) == identity_of(opened)
    body["event"]["data"]["reopened_at"] = "2026-11-23T08:30:00Z"
    assert identity_of(taken(body)) != identity_of(opened)
    assert fault_key_of(taken(body)) == fault_key_of(opened)


@pytest.mark.parametrize(
    ("status", "state"),
    [("triggered", FaultState.FIRING), ("resolved", FaultState.RESOLVED), ("acknowledged", None)],
)
def test_pagerduty_event_that_is_not_known_is_judged_by_its_incident(status: str, state: Any) -> None:
    """PagerDuty adds types over time."""
    body = real("pagerduty_v3/firing")
    body["event"]["event_type"] = "incident.snoozed"
    body["event"]["data"]["status"] = status
    alert = alert_of(body)
    assert (alert.state if alert else None) is state


def test_pagerduty_incident_that_was_merged_says_into_which() -> None:
    """Since its fault may go on there."""
    body = real("pagerduty_v3/resolved")
    body["event"]["data"]["resolve_reason"] = {"type": "merge_resolve_reason", "incident": {"id": "POTHER"}}
    assert "POTHER" in taken(body).message


def test_pagerduty_routing_key_tells_faults_apart_and_is_kept_nowhere() -> None:
    """A deduplication key is one of its routing key alone; the key itself is a secret."""
    body = real("pagerduty_events/firing")
    alert = taken(body)
    other = taken(body | {"routing_key": "R0000000000000000000000000000002"})
    assert fault_key_of(alert) != fault_key_of(other)
    assert body["routing_key"] not in repr(alert)


def test_pagerduty_event_without_a_deduplication_key_is_known_by_its_content() -> None:
    """As at PagerDuty, which makes one up for each."""
    body = real("pagerduty_events/firing")
    del body["dedup_key"]
    assert taken(body).event_id is None


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"severity": "P1"}, Severity.CRITICAL),
        ({"severity": "", "title": "[P4] [Triggered] Errors"}, Severity.LOW),
        ({"severity": "", "priority": "normal"}, Severity.HIGH),
        ({"severity": "", "alert_transition": "Warn"}, Severity.MEDIUM),
        ({"severity": "", "alert_transition": "No Data"}, Severity.MEDIUM),
    ],
)
def test_datadog_severity_is_the_monitors_priority_else_by_the_transition(
    fields: dict[str, str], severity: Severity
) -> None:
    """An event's own priority, normal or low, says nothing of it."""
    assert taken(real("datadog/firing") | fields).severity is severity


def test_datadog_reminder_is_a_repeat() -> None:
    """`Re-Triggered` and `Renotify` only say that it was told before; a warning is another alert."""
    body = real("datadog/firing")
    first = identity_of(taken(body))
    assert identity_of(taken(real("datadog/firing_again"))) == first
    assert identity_of(taken(body | {"alert_transition": "Renotify"})) == first
    assert identity_of(taken(body | {"alert_transition": "Warn"})) != first


def test_datadog_scopes_of_one_monitor_are_faults_of_their_own() -> None:
    """Also where only the title names them, and where a variable was not filled in."""
    body = real("datadog/firing_without_a_template")
    other = body | {"title": body["title"].replace("basket", "orders")}
    assert fault_key_of(taken(body)) != fault_key_of(taken(other))
    templated = real("datadog/firing") | {"scopes": "$ALERT_SCOPE"}
    assert taken(templated).labels["scope"] == "service:basket"


@pytest.mark.parametrize(("severity", "expected"), [("error", Severity.HIGH), ("info", None)])
def test_flux_event_has_a_severity_where_kubernetes_has_a_type(severity: str, expected: Any) -> None:
    """It is the same otherwise, and what went well is no alert either."""
    body = real("kubernetes_event/firing")
    del body["type"]
    alert = alert_of(body | {"severity": severity})
    assert (alert.severity if alert else None) is expected


def test_sentry_issue_is_one_fault_whoever_tells_of_it() -> None:
    """An alert rule, the issue itself, an error and the older plugin: a resolution ends all of them."""
    names = ("sentry/firing", "sentry/firing_event", "sentry/firing_error", "sentry/firing_regressed")
    keys = {fault_key_of(taken(real(name))) for name in (*names, "sentry/resolved")}
    assert len(keys) == 1
    legacy = real("sentry_legacy/firing") | {"id": "4801"}
    assert {fault_key_of(taken(legacy))} == keys


def test_sentry_header_says_what_a_body_without_data_is_about() -> None:
    """So that it is taken with what is there."""
    alert = taken({"action": "critical"}, sentry_hook_resource="metric_alert")
    assert (alert.severity, alert.state) == (Severity.CRITICAL, FaultState.FIRING)
    assert alert.mended
    assert alert_of({"action": "created"}, sentry_hook_resource="comment") is None


@pytest.mark.parametrize("action", ["assigned", "archived", "ignored"])
def test_sentry_issue_that_somebody_handles_is_no_alert(action: str) -> None:
    """Its fault is neither new nor over."""
    assert alert_of(real("sentry/firing") | {"action": action}) is None


@pytest.mark.parametrize(
    ("priority", "severity"), [(1, Severity.CRITICAL), ("P5", Severity.INFO), (3, Severity.MEDIUM)]
)
def test_opsgenie_priority_may_be_a_number(priority: Any, severity: Severity) -> None:
    """Both are found in bodies."""
    body = real("opsgenie/firing")
    body["alert"]["priority"] = priority
    assert taken(body).severity is severity


def test_opsgenie_action_of_the_accounts_own_is_taken() -> None:
    """Somebody had it sent here on purpose."""
    assert taken(real("opsgenie/firing") | {"action": "CallTheResponder"}).state is FaultState.FIRING


def test_newrelic_issue_that_is_acknowledged_is_told_again_only_with_another_priority() -> None:
    """Created and activated are one outage."""
    body = real("newrelic/firing")
    assert identity_of(taken(body | {"state": "CREATED"})) == identity_of(taken(body))
    acknowledged = body | {"state": "ACKNOWLEDGED"}
    assert alert_of(acknowledged) is None
    assert taken(acknowledged | {"trigger": "PRIORITY_CHANGE"}).state is FaultState.FIRING


@pytest.mark.parametrize("conclusion", ["failure", "timed_out", "startup_failure", "new word"])
def test_github_run_that_failed_is_an_alert_louder_on_the_default_branch(conclusion: str) -> None:
    """So is a conclusion that is not known."""
    body = real("github_actions/firing")
    body["workflow_run"]["conclusion"] = conclusion
    assert taken(body).severity is Severity.HIGH
    body["workflow_run"]["head_branch"] = "fix-totals"
    assert taken(body).severity is Severity.MEDIUM


@pytest.mark.parametrize(
    "conclusion", ["success", "neutral", "skipped", "cancelled", "stale", "action_required"]
)
def test_github_run_that_did_not_fail_is_no_alert(conclusion: str) -> None:
    """A pipeline of green builds says nothing."""
    body = real("github_actions/firing")
    body["workflow_run"]["conclusion"] = conclusion
    assert alert_of(body) is None


def test_github_check_that_is_asked_for_again_is_no_failure_of_its_own() -> None:
    """Its body still has the conclusion of the time before."""
    assert alert_of(real("github_actions/firing_check") | {"action": "rerequested"}) is None


def test_github_run_that_succeeds_at_a_later_attempt_ends_its_failure() -> None:
    """The next run of the pipeline is another event, whatever becomes of it."""
    failed, mended = taken(real("github_actions/firing")), taken(real("github_actions/resolved"))
    assert mended.state is FaultState.RESOLVED
    assert fault_key_of(failed) == fault_key_of(mended)
    next_run = real("github_actions/firing")
    next_run["workflow_run"]["id"] += 1
    assert fault_key_of(taken(next_run)) != fault_key_of(failed)


def test_github_event_without_a_run_is_ignored_by_its_name() -> None:
    """Whatever else a webhook is subscribed to."""
    body = {
        "ref": "refs/heads/main",
        "repository": {"full_name": "parcels/basket"},
        "sender": {"login": "ada"},
    }
    parsed = parse(json.dumps(body).encode(), {"x-github-event": "push"})
    assert (parsed.format, parsed.alerts) == ("github_actions", ())
    assert "push" in (parsed.ignored_reason or "")


@pytest.mark.parametrize("around", ["object", "event"])
def test_kubernetes_event_is_found_inside_a_watch_or_a_router(around: str) -> None:
    """Beside whatever they say of it."""
    event = real("kubernetes_event/firing")
    assert taken({"type": "ADDED", "verb": "ADDED", around: event}) == taken(event)


def test_kubernetes_list_gives_its_warnings_alone() -> None:
    """A list of something else gives none."""
    parsed = parse(fixture("kubernetes_event/firing_list"), {})
    assert [alert.labels["reason"] for alert in parsed.alerts] == ["BackOff", "FailedScheduling"]
    assert [member.index for member in parsed.ignored] == [0]
    pods = {"kind": "List", "apiVersion": "v1", "items": [{"kind": "Pod", "metadata": {"name": "a"}}]}
    assert alert_of(pods) is None


def test_kubernetes_event_of_another_text_is_another_alert() -> None:
    """A pod's second volume is not its first, whatever the reason's name."""
    body = real("kubernetes_event/firing")
    other = body | {"metadata": body["metadata"] | {"uid": "another"}, "message": "another volume"}
    assert fault_key_of(taken(body)) != fault_key_of(taken(other))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1795420800, "2026-11-23T08:00:00.000Z"),
        (1795420800123, "2026-11-23T08:00:00.123Z"),
        ("1795420800123", "2026-11-23T08:00:00.123Z"),
        (1795420800123000000, "2026-11-23T08:00:00.123Z"),
        (1795420800.25, "2026-11-23T08:00:00.250Z"),
        ("2026-11-23T08:00:00+0000", "2026-11-23T08:00:00+0000"),
        ("null", None),
        (True, None),
        (-1, None),
        ([1], None),
        (10**300, None),
    ],
)
def test_time_is_read_in_any_unit_since_the_epoch(value: Any, text: str | None) -> None:
    """Text that is no number stays as it is; what is no time is none."""
    assert time_of(value) == text


def test_what_is_missing_or_of_the_wrong_kind_is_noted_by_its_path_once() -> None:
    """Of a whole body in one place, so that a row can say it."""
    fields = Fields({"a": {"b": [1]}, "c": "x", "d": 5})
    assert fields.inner("a").text("b", needed=True) is None
    assert fields.inner("a").text("b", needed=True) is None
    assert fields.inner("c").values == {}
    assert (fields.text("d"), fields.title("e", stand_in="s"), fields.id("f", "c")) == ("5", "s", "x")
    assert fields.mended == (
        "a.b is no text",
        "a.b is missing",
        "c is no object",
        "e is missing",
        "f is missing",
    )
