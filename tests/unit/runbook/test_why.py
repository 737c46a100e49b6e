"""What became of an event of any kind, and which rule decided it: by rows and lines of real handlers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from clients.deployment import Deployment
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.domain.alert import Alert
from handlers.domain.delivery.routing import Routing
from handlers.domain.formats import parse
from handlers.domain.intake.alarms import AlarmMessage
from handlers.domain.moves import Actor
from handlers.domain.ports import NotifierRefusedError, NotifierUnavailableError
from handlers.domain.states import acknowledged, claimed, deferred, escalated, parked, promoted, rerouted
from runbook.why.bodies import outcome_of
from runbook.why.decision import Decision, Rule
from runbook.why.explanation import Explainer
from runbook.why.logged import decision_of
from runbook.why.search import NO_ROW, SOURCES, Search
from tests.fakes.deployment import FAILOVER, PRIMARY, LossyClients
from tests.unit.handlers.builders import TOPIC, World, body, post
from tests.unit.handlers.test_format_contract import FIXTURES
from topology.functions import ANALYSIS, RECEPTION
from topology.matchers import Matcher
from topology.routes import RouteSpec, encoded_routes
from topology.silences import Silence, packed_silences, stored_text

Put = Callable[..., str]
JSON_TYPE = {"content-type": "application/json"}


def ask(deployment: Deployment, query: str, world: World, **options: Any) -> list[Decision]:
    """All decisions about what the query finds, the deciding one of each event first."""
    search = Search(
        deployment=deployment,
        since_ms=world.clock.ms - 3_600_000,
        until_ms=world.clock.ms + 60_000,
        **options,
    )
    found, explainer = search.find(query), Explainer(deployment, lambda: world.clock.s)
    decisions = [decision_of(line) for line in found.lines]
    for row in found.rows:
        explained = explainer.explain(row)
        assert explained.unknown == ()
        decisions += [explained.decided_by, *explained.decisions]
    return decisions


def send(world: World, **fields: Any) -> Alert:
    """Post the generic body with these fields, a few seconds after the one before; its row."""
    world.clock.advance(7)
    answer = world.answer(post(body(**fields)))
    assert answer.status == 202, answer.body
    row = world.ledger.get(answer.body["alerts"][0]["alert_id"])
    assert row is not None
    return row


def deliver(world: World, *alerts: Alert) -> None:
    """Have the alerts analysed and told."""
    for alert in alerts:
        world.analysis.work(alert.alert_id, world.time())
        world.clock.advance(2)
    for alert in alerts:
        world.distribution.work(alert.alert_id, world.time())


def move(world: World, before: Alert, after: Alert, actor: Actor) -> Alert:
    """Write `after` as the actor does."""
    assert world.ledger.replace(before, after, actor=actor)
    return after


def repeat(world: World) -> str:
    """The same alert once more, sent anew."""
    send(world)
    return send(world, timestamp="2026-11-23T08:00:07Z").alert_id


def repeat_of_an_event(world: World) -> str:
    """The same event half an hour later."""
    send(world, event_id="run-5521")
    world.clock.advance(1_800)
    return send(world, event_id="run-5521", timestamp="2026-11-23T08:30:00Z").alert_id


def same_bytes(world: World) -> str:
    """A sender's retry."""
    send(world)
    return send(world).alert_id


def change(world: World) -> str:
    """Down, up, and down again."""
    send(world, severity="critical", status="down")
    send(world, severity="critical", status="resolved")
    return send(world, severity="critical", status="down", timestamp="2026-11-23T08:01:00Z").alert_id


def resolution(world: World) -> str:
    """It is over."""
    send(world, status="down")
    return send(world, status="resolved").alert_id


def others_severity(world: World) -> str:
    """A warning that is critical now."""
    send(world, severity="warning")
    return send(world, severity="critical").alert_id


def above_quota(world: World) -> str:
    """The third of a minute that takes two."""
    return [send(world, title=f"Number {n}", severity="LOW") for n in range(3)][2].alert_id


def fold(world: World) -> str:
    """What tells of those above the quota."""
    return str([send(world, title=f"Number {n}") for n in range(3)][2].parent_id)


def silenced(world: World) -> str:
    """Of a source that is silenced."""
    alert = send(world, source="noisy")
    deliver(world, alert)
    return alert.alert_id


def routed(world: World) -> str:
    """For a channel of its own."""
    alert = send(world, component="pay")
    deliver(world, alert)
    return alert.alert_id


def route_unusable(world: World) -> str:
    """Its route leads nowhere."""
    alert = send(world)
    world.analysis.work(alert.alert_id, world.time())
    free = world.ledger.get(alert.alert_id)
    assert free is not None
    leased = move(
        world,
        free,
        claimed(free, token="t", due_at=world.clock.s + 60),
        Actor.DISTRIBUTION,
    )
    gone = rerouted(structs.replace(leased, route="pay"), not_before=world.clock.s, lease_s=60)
    return move(world, leased, gone, Actor.DISTRIBUTION).alert_id


def held(world: World) -> str:
    """The second of one fault."""
    first, second = send(world, message="depth 1200"), send(world, message="depth 1300")
    deliver(world, first)
    world.analysis.work(second.alert_id, world.time())
    return second.alert_id


def told(world: World) -> str:
    """By itself."""
    alert = send(world)
    deliver(world, alert)
    return alert.alert_id


def second_severity_leads(world: World) -> str:
    """More severe than the first of its fault."""
    first, second = send(world, severity="LOW"), send(world, severity="CRITICAL")
    deliver(world, first, second)
    return second.alert_id


def second_is_analysed_first(world: World) -> str:
    """As severe as the first of its incident, whose wake-up comes later."""
    first, second = send(world, message="depth 1200"), send(world, message="depth 1300")
    deliver(world, second, first)
    return second.alert_id


def refused_by_slack(world: World) -> str:
    """Never to be taken."""
    alert = send(world)
    world.notifier.script = [NotifierRefusedError("invalid_blocks")]
    deliver(world, alert)
    return alert.alert_id


def posted_without_an_answer(world: World) -> str:
    """Nobody knows whether Slack has it."""
    alert = send(world)
    world.notifier.script = [NotifierUnavailableError("timed out", outcome_unknown=True)]
    deliver(world, alert)
    return alert.alert_id


def tried_in_vain(world: World) -> str:
    """Its analysis failed, and is tried again later."""
    alert = send(world)
    leased = move(world, alert, claimed(alert, token="t", due_at=world.clock.s + 60), Actor.ANALYSIS)
    later = deferred(leased, not_before=world.clock.s + 30, lease_s=60, attempts=1)
    return move(world, leased, later, Actor.ANALYSIS).alert_id


def routed_by_what_was_configured_then(world: World) -> str:
    """No route takes it any more."""
    world.routing = Routing(routes=(RouteSpec(name="old", match=Matcher(service="api"), secret="x"),))
    alert = send(world, component="api")
    deliver(world, alert)
    return alert.alert_id


def in_place_of_a_parked_one(world: World) -> str:
    """What it repeats was given up."""
    first = send(world)
    second = send(world, timestamp="2026-11-23T08:00:09Z")
    given_up = structs.replace(
        parked(first, reason="no_service", due_at=world.clock.s), successor_id=second.alert_id
    )
    world.clock.advance(1)
    move(world, first, given_up, Actor.RECOVERY)
    return move(world, second, promoted(second, due_at=world.clock.s + 60), Actor.RECOVERY).alert_id


def acknowledged_one(world: World) -> str:
    """Somebody sees to it."""
    alert = send(world, severity="CRITICAL")
    deliver(world, alert)
    row = world.ledger.get(alert.alert_id)
    assert row is not None
    return move(world, row, acknowledged(row, by="ann", at=world.clock.s), Actor.OPERATOR).alert_id


def second_way(world: World) -> str:
    """Nobody has seen to it."""
    alert = send(world, severity="CRITICAL")
    return move(world, alert, escalated(alert, at=world.clock.s), Actor.RECOVERY).alert_id


def unanswered_by_the_model(world: World) -> str:
    """The model is slow."""
    alert = send(world, severity="CRITICAL")
    world.executor.late = True
    world.analysis.work(alert.alert_id, world.time())
    return alert.alert_id


def odd_body(**fields: Any) -> Callable[[World], str]:
    """The alert of a body with these fields."""
    return lambda world: send(world, **fields).alert_id


def group(world: World) -> str:
    """Of Alertmanager, with one member that is none and more that its sender left out."""
    labels = {"alertname": "TargetDown", "severity": "high"}
    member = {
        "status": "firing",
        "labels": labels,
        "fingerprint": "f00dfeed",
        "startsAt": "2026-11-23T07:00:00Z",
    }
    content = {"version": "4", "status": "firing", "truncatedAlerts": 42, "alerts": [member, "torn"]}
    assert world.answer(post(json.dumps(content).encode())).status == 202
    return "TargetDown"


def fingerprint(world: World) -> str:
    """By what Alertmanager calls it."""
    group(world)
    return "f00dfeed"


def about_refused_members(world: World) -> str:
    """What tells people of refused members."""
    group(world)
    return "of 2 alerts of one body"


def unknown_format(world: World) -> str:
    """A body of no sender that is known."""
    assert world.answer(post(b'{"nothing": "is known of zanzibar"}')).status == 422
    return "Zanzibar"


def no_json(world: World) -> str:
    """Text."""
    assert world.answer(post(b"disk full on zanzibar")).status == 400
    return "zanzibar"


def wrong_type(world: World) -> str:
    """Of another content type."""
    request = structs.replace(post(b"zanzibar"), headers={"content-type": "text/plain"})
    assert world.answer(request).status == 415
    return "zanzibar"


def key_used_twice(world: World) -> str:
    """Another body under one key."""
    assert world.answer(post(body(), idempotency_key="k1")).status == 202
    assert world.answer(post(body(title="zanzibar"), idempotency_key="k1")).status == 409
    return "zanzibar"


def ping(world: World) -> str:
    """A test of the connection."""
    assert world.answer(post(b'{"zen": "Keep it zanzibar", "hook_id": 1}')).status == 200
    return "zanzibar"


def alarm_text(world: World) -> str:
    """Text on the alarm topic."""
    message = AlarmMessage(topic_arn=TOPIC, message_id="m1", text="zanzibar is on fire")
    world.alarms.take(message, until_ms=world.clock.ms + 4_000)
    return "Zanzibar is on fire"


def pasted_id(world: World) -> str:
    """As Slack's message has it."""
    return f"alert:{send(world).alert_id} "


def title_of_a_group(world: World) -> str:
    """Its words, in another order and with others' marks between."""
    send(world, title="Cafe\u0301 is slow")
    return "[FIRING] Slow (caf\u00e9), is firing"


def refused_after_it_was_taken(world: World) -> str:
    """The same event in two bodies."""
    group(world)
    assert world.answer(post(b'{"nothing": "is known of f00dfeed"}')).status == 422
    return "f00dfeed"


def escaped_letters(world: World) -> str:
    """A body whose sender escapes whatever is no ASCII."""
    assert world.answer(post(json.dumps({"nothing": "\u0633\u0631"}).encode())).status == 422
    return "\u0633\u0631"


KINDS = [
    (repeat, Rule.REPEAT, "7 s after it, within its window of 300 s"),
    (repeat_of_an_event, Rule.REPEAT, "1807 s after it, within its window of 3600 s"),
    (same_bytes, Rule.SAME_BYTES, "came once more"),
    (change, Rule.STATE_CHANGE, "its fault was resolved"),
    (resolution, Rule.RESOLUTION, "asks nobody to act"),
    (others_severity, Rule.IDENTITY, "severity differ"),
    (above_quota, Rule.QUOTA, "above its quota of 2 a minute"),
    (fold, Rule.QUOTA, "stands for 1 alerts of billing"),
    (silenced, Rule.SILENCE, "source=noisy, made by ann because 'moving house'"),
    (routed, Rule.ROUTE, "route pay is the first that takes it: service=pay"),
    (route_unusable, Rule.UNUSABLE_ROUTE, "address of route pay"),
    (held, Rule.INCIDENT, "told together with the 2 alerts of its incident"),
    (told, Rule.SLACK, "Slack took it 2.0 s after it was accepted"),
    (second_severity_leads, Rule.INCIDENT, "each CRITICAL one is"),
    (second_is_analysed_first, Rule.INCIDENT, "analysed first, or more severe"),
    (told, Rule.ROUTE, "none of the 1 routes takes it"),
    (
        routed_by_what_was_configured_then,
        Rule.ROUTE,
        "route old took it; as configured now it would be default",
    ),
    (tried_in_vain, Rule.AT_WORK, "it waits for its analysis, not before"),
    (told, Rule.ANALYSIS, "by the model"),
    (refused_by_slack, Rule.PARKED, "invalid_blocks"),
    (posted_without_an_answer, Rule.DUPLICATE, "outcome_unknown"),
    (posted_without_an_answer, Rule.AT_WORK, "tried 1 times, of 14"),
    (in_place_of_a_parked_one, Rule.PARENT_PARKED, "was PARKED, so this one goes out in its place"),
    (acknowledged_one, Rule.ACKNOWLEDGED, "ann acknowledged it"),
    (second_way, Rule.SECOND_WAY, "went a second way"),
    (unanswered_by_the_model, Rule.ANALYSIS, "the model took longer than 2 s"),
    (odd_body(severity="odd"), Rule.SEVERITY, "odd, is not known"),
    (odd_body(title=" "), Rule.MENDED, "title"),
    (odd_body(link="http://{{.ExternalURL}}/"), Rule.MENDED, "link of kind source is left out"),
    (odd_body(labels={f"l{n}": "x" for n in range(70)}), Rule.MENDED, "6 labels"),
    (odd_body(labels={"": "orphan"}), Rule.MENDED, "label without a name is kept as _"),
    (odd_body(message="x" * 300_000), Rule.MENDED, "longer than a row holds"),
    (group, Rule.LEFT_OUT, "left out 42 more"),
    (fingerprint, Rule.IDENTITY, "`fingerprint`"),
    (about_refused_members, Rule.REFUSED, "tells of members that were refused"),
    (group, Rule.ACCEPTED, "took it in as alertmanager"),
    (unknown_format, Rule.REFUSED, "error unknown_format"),
    (no_json, Rule.REFUSED, "error not_json"),
    (wrong_type, Rule.REFUSED, "error unsupported_media_type, field Content-Type"),
    (key_used_twice, Rule.REFUSED, "error idempotency_key_reused"),
    (ping, Rule.IGNORED, "ping of GitHub"),
    (alarm_text, Rule.ACCEPTED, "took it in as sns_text"),
    (alarm_text, Rule.MENDED, "so its text is the alert"),
    (pasted_id, Rule.ACCEPTED, "took it in as generic"),
    (title_of_a_group, Rule.ACCEPTED, "took it in as generic"),
    (refused_after_it_was_taken, Rule.ACCEPTED, "took it in as alertmanager"),
    (refused_after_it_was_taken, Rule.REFUSED, "error unknown_format"),
    (escaped_letters, Rule.REFUSED, "error unknown_format"),
]


@pytest.mark.parametrize(
    ("happens", "rule", "what"), KINDS, ids=[f"{n}-{rule}" for n, (_, rule, _) in enumerate(KINDS)]
)
def test_each_kind_of_event_is_explained_by_its_rule(
    deployment: Deployment, world: World, happens: Callable[[World], str], rule: Rule, what: str
) -> None:
    """By the rule that decided it and its figures, whatever became of the event."""
    pay = RouteSpec(name="pay", match=Matcher(service="pay"), secret="x")
    noisy = Silence(
        silence_id="s-1",
        matcher=Matcher(source="noisy"),
        from_s=1,
        until_s=world.clock.s + 90_000,
        reason="moving house",
        by="ann",
    )
    world.routing, world.silenced.text = Routing(routes=(pay,)), stored_text([noisy])
    clients = deployment.clients
    assert isinstance(clients, LossyClients)
    clients.environments[deployment.names.function(ANALYSIS)] |= {
        "ALERT_ROUTES": encoded_routes([pay]),
        "ALERT_SILENCES": packed_silences([noisy]),
    }
    decisions = ask(deployment, happens(world), world)
    found = [one.what for one in decisions if one.rule is rule]
    assert any(what in text for text in found), [(one.rule, one.what) for one in decisions]


DECIDED = {
    repeat: Rule.REPEAT,
    above_quota: Rule.QUOTA,
    refused_by_slack: Rule.PARKED,
    told: Rule.SLACK,
    held: Rule.INCIDENT,
    fold: Rule.AT_WORK,
    posted_without_an_answer: Rule.AT_WORK,
    tried_in_vain: Rule.AT_WORK,
}


@pytest.mark.parametrize(("happens", "rule"), DECIDED.items(), ids=[*DECIDED.values()])
def test_one_rule_is_named_as_the_one_that_decided(
    deployment: Deployment, world: World, happens: Callable[[World], str], rule: Rule
) -> None:
    """Why the alert stands where it does now."""
    decisions = ask(deployment, happens(world), world)
    assert decisions[0].rule is rule, decisions[0]


def test_a_body_is_explained_by_itself(deployment: Deployment, world: World) -> None:
    """Its alerts are found by their faults, and what is none or refused says why, without a log."""
    labels = {"alertname": "TargetDown", "severity": "high"}
    member = {"status": "firing", "labels": labels, "startsAt": "2026-11-23T07:00:00Z"}
    other = member | {"labels": labels | {"alertname": "Unsent"}}
    content = {"version": "4", "status": "firing", "alerts": [member]}
    assert world.answer(post(json.dumps(content).encode())).status == 202
    content["alerts"] += [other, "torn"]  # type: ignore[operator]  # a list
    outcome = outcome_of(deployment, Explainer(deployment).rules, json.dumps(content).encode(), JSON_TYPE)
    assert [row["title"] for row in outcome.rows] == ["TargetDown"]
    told = [(one.rule, one.what) for one in outcome.decisions]
    assert (Rule.REFUSED, True) in [(rule, "alert 2 of the body is refused" in what) for rule, what in told]
    assert any("alert 1 of the body would be taken" in what for _, what in told)
    for bad, rule in ((b"{}", Rule.REFUSED), (b'{"zen": "x", "hook_id": 1}', Rule.IGNORED)):
        (decision,) = outcome_of(deployment, Explainer(deployment).rules, bad, JSON_TYPE).decisions
        assert decision.rule is rule


def test_an_event_id_is_found_however_old_it_is(deployment: Deployment, world: World) -> None:
    """By the index of faults; of a source that is no known sender's, where the source is named."""
    group(world)
    send(world, event_id="run-5521", source="cron")
    world.clock.advance(30 * 86_400)
    assert ask(deployment, "f00dfeed", world)
    assert not ask(deployment, "run-5521", world)
    assert ask(deployment, "run-5521", world, source="cron")


def test_what_known_senders_are_called_is_known() -> None:
    """By each sample of each format but the project's own, whose sources have any name."""
    sources = set()
    for file in FIXTURES.glob("*/*.json"):
        if file.parent.name != "generic":
            sources |= {alert.source for alert in parse(file.read_bytes(), {}).alerts}
    assert sources <= set(SOURCES)


def test_a_log_that_is_not_read_is_unknown_and_the_rest_is_told(deployment: Deployment, world: World) -> None:
    """One line for each region's function, and the ledger's decisions all the same."""
    alert_id = told(world)
    clients = deployment.clients
    assert isinstance(clients, LossyClients)
    clients.lost = {FAILOVER}
    row = attributes_of(world.ledger.get(alert_id))  # type: ignore[arg-type]  # it is there
    explained = Explainer(deployment).explain(row)
    assert explained.decided_by.rule is Rule.SLACK
    assert len(explained.unknown) == 4
    assert all(f"in {FAILOVER} was not read" in text for text in explained.unknown)


def test_an_id_without_a_row_is_looked_for_in_the_logs(deployment: Deployment, world: World) -> None:
    """What was accepted and is gone is told with what the functions logged of it."""
    alert_id = send(world).alert_id
    deployment.clients.client("dynamodb", PRIMARY).delete_item(
        TableName=deployment.alerts_table, Key={"alert_id": {"S": alert_id}}
    )
    search = Search(deployment=deployment, since_ms=world.clock.ms - 60_000, until_ms=world.clock.ms + 1)
    found = search.find(alert_id)
    assert [decision_of(line).rule for line in found.lines] == [Rule.ACCEPTED]
    assert found.unknown == [f"{alert_id}: {NO_ROW}"]


def test_what_a_sender_wrote_is_redacted_wherever_it_is_told(deployment: Deployment, world: World) -> None:
    """Row and decisions, labels by their names; what is our own is as it was."""
    row = attributes_of(
        send(
            world,
            title="password=hunter2hunter2",
            labels={"api_token": "marmot"},
            severity="token=hunter3hunter3",
        )
    )
    explained = Explainer(deployment, lambda: world.clock.s).explain(row)
    told = repr(explained)
    assert not [secret for secret in ("hunter2", "marmot", "hunter3") if secret in told]
    assert explained.row["open_key"] == row["open_key"]


def test_alerts_of_a_body_beyond_the_limit_are_said_to_be_left_out(
    deployment: Deployment, world: World
) -> None:
    """A thousand of one body are a thousand searches."""
    members = [{"status": "firing", "labels": {"alertname": f"Down {n}"}} for n in range(3)]
    content = json.dumps({"version": "4", "status": "firing", "alerts": members}).encode()
    assert world.answer(post(content)).status == 202
    outcome = outcome_of(deployment, Explainer(deployment).rules, content, JSON_TYPE, limit=2)
    assert len(outcome.rows) == 2
    assert outcome.unknown == ["the other 1 alerts of the body were not looked for: see --limit"]


def test_a_piece_of_text_is_looked_for_in_a_bounded_number_of_rows(
    deployment: Deployment, world: World
) -> None:
    """What is older is unknown, not absent; how many were read is said."""
    for title in ("zanzibar", "Another", "A third"):
        send(world, title=title)
    span = {"since_ms": world.clock.ms - 60_000, "until_ms": world.clock.ms + 1}
    found = Search(deployment=deployment, read_max=2, **span).find("zanzibar")
    assert found.rows == []
    assert found.unknown == ["older rows were not looked at: see --read-max, --until"]
    assert found.rows_read
    assert found.read_units


def test_a_time_finds_the_nearest_first(deployment: Deployment, world: World) -> None:
    """Not the newest, which in a storm are minutes away."""
    wanted = send(world, title="Wanted")
    send(world, title="Later")
    at_ms = wanted.accepted_at_ms
    found = Search(deployment=deployment, since_ms=at_ms - 60_000, until_ms=at_ms + 60_000, limit=1).around(
        at_ms
    )
    assert [row["title"] for row in found.rows] == ["Wanted"]
    assert found.rows_read == 2
    assert found.unknown == ["there may be more than these 1: see --limit, --since, --until"]


def test_a_time_finds_all_that_came_around_it(deployment: Deployment, world: World) -> None:
    """Alerts, and what became none."""
    send(world)
    unknown_format(world)
    search = Search(
        deployment=deployment, since_ms=world.clock.ms - 60_000, until_ms=world.clock.ms + 60_000, limit=9
    )
    found = search.around(world.clock.ms)
    assert (len(found.rows), len(found.lines), found.unknown) == (1, 1, [])


def test_what_the_limit_leaves_out_is_said(deployment: Deployment, world: World) -> None:
    """So that nobody takes the newest for all."""
    span = {"since_ms": world.clock.ms - 60_000, "until_ms": world.clock.ms + 60_000}
    send(world)
    send(world, title="Another")
    found = Search(deployment=deployment, limit=1, **span).find("billing")
    assert [row["title"] for row in found.rows] == ["Another"]
    assert found.unknown == ["there may be more than these 1: see --limit, --since, --until"]


def test_a_log_with_more_lines_than_are_read_is_unknown_from_there_on(
    deployment: Deployment, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused later may be what is asked for."""
    monkeypatch.setattr("runbook.why.logged.LINES_MAX", 2)
    for _ in range(3):
        unknown_format(world)
    now_ms = world.clock.ms
    search = Search(deployment=deployment, since_ms=now_ms - 60_000, until_ms=now_ms + 1)
    (unknown,) = search.find("zanzibar").unknown
    assert unknown.startswith(f"the log of {RECEPTION.suffix} in {PRIMARY} was read to 2026-")


def test_what_nobody_knows_says_where_it_was_looked_for(deployment: Deployment, world: World) -> None:
    """So that a person knows what was not looked at."""
    send(world)
    search = Search(deployment=deployment, since_ms=world.clock.ms - 60_000, until_ms=world.clock.ms)
    found = search.find("no such thing")
    assert (found.rows, found.lines) == ([], [])
    assert found.looked_at[1:] == [
        "the text of 1 rows of the ledger",
        "what reception's log says was refused or ignored",
    ]
