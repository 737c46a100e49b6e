"""The last release beside today's: what either writes the other reads, as every deployment needs it to."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import boto3
import msgspec
import pytest
from moto import mock_aws

from simulator.drawing import scenario_of
from simulator.releases.archive import last_release, load
from simulator.releases.mixed import NOW
from simulator.releases.release import Release
from simulator.scenario import CONSISTENCIES, Consistency, Mix, mixes_of
from simulator.simulation import run
from simulator.wiring import Ports, PostedMessage
from tests.fakes.aws_tables import create_tables
from topology.matchers import Matcher
from topology.queues import Queue
from topology.silences import Silence, stored_text

T = TypeVar("T")
R = TypeVar("R")

SEEDS = (1, 6)
REGION, PEER = "us-east-1", "us-west-2"
LAST, TODAY = load(last_release()), NOW
BOTH_WAYS = pytest.mark.parametrize(
    ("first", "second"), [(LAST, TODAY), (TODAY, LAST)], ids=["last, then today", "today, then last"]
)


@dataclass
class Machine:
    """What a handler needs of the machine it runs on, and the services beside AWS."""

    release: Release
    refuses: bool = False
    posts: list[PostedMessage] = field(default_factory=list)
    silences: str = ""
    published: list[str] = field(default_factory=list)
    now: int = 1_795_420_800_000
    drawn: int = 0

    def now_ms(self) -> int:
        """A tick each time."""
        self.now += 1
        return self.now

    def sleep(self, seconds: float) -> None:
        """Nothing waits here."""
        self.now += round(seconds * 1000)

    def hex(self, digits: int) -> str:
        """Another one each time, in each release."""
        self.drawn += 1
        return f"{self.drawn:0{digits - 5}x}{self.release.name.encode().hex()[:5]}"

    def fraction(self) -> float:
        """The middle."""
        return 0.5

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """One after the other."""
        return [function(item) for item in items]

    def overlap(self, call: Callable[[], Any], *, patience_s: float, meanwhile: Callable[[], None]) -> Any:
        """The call is always in time."""
        assert patience_s > 0
        del meanwhile
        return call()

    def get_remaining_time_in_millis(self) -> int:
        """A minute."""
        return 60_000

    def analyse(self, alert: Any, *, timeout_s: float) -> Any:
        """The model's answer, as the release wants it."""
        assert timeout_s > 0
        return self.release.wiring.model_answer(f"about {alert.title}")

    def read(self) -> str:
        """The silences that people made."""
        return self.silences

    def publish(self, subject: str, text: str) -> None:
        """The second way takes everything."""
        assert subject
        self.published.append(text)

    def post(self, message: Any, *, timeout_s: float) -> str | None:
        """Slack takes everything, or nothing."""
        assert timeout_s > 0
        if self.refuses:
            raise self.release.wiring.ERRORS.NotifierRefusedError("invalid_blocks")
        self.posts.append(self.release.wiring.posted(message))
        return "1795420800.000100"


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """DynamoDB with the tables and SQS with the queues, under their keys."""
    logging.disable(logging.CRITICAL)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        create_tables(REGION)
        sqs = boto3.client("sqs", region_name=REGION)
        for queue in Queue:
            sqs.create_queue(QueueName=queue)
        yield boto3.client("dynamodb", region_name=REGION), sqs
    logging.disable(logging.NOTSET)


def ports_of(machine: Machine, clients: tuple[Any, Any]) -> Ports:
    """The ports of a function of the machine's release, over the clients."""
    dynamodb, sqs = clients
    adapters = machine.release.adapters
    return Ports(
        ledger=adapters.ledger(dynamodb),
        coordination=adapters.coordination(dynamodb),
        cache=adapters.cache(dynamodb),
        queue_sender=adapters.queue_sender(sqs),
        analyst=machine,
        notifier=machine,
        machine=machine,
        region=REGION,
        peer=PEER,
        consistency="strong",
        takeover_after_s=900,
        source_quota_per_minute=3_000,
        silences=machine,
        escalation=machine,
        notifiers={},
        escalate_after_s=600,
    )


def accept(machine: Machine, clients: tuple[Any, Any], **fields: str) -> str:
    """The id that a machine's reception answers an alert with."""
    body = {"source": "billing", "title": "Queue is growing", "message": "depth 1200", "severity": "HIGH"}
    wiring = machine.release.wiring
    status, answer = wiring.answer(
        wiring.webhook(ports_of(machine, clients)),
        machine,
        method="POST",
        path="/alerts",
        headers={"content-type": "application/json"},
        body=msgspec.json.encode(body | fields),
    )
    assert status == 202
    return str(answer["alerts"][0]["alert_id"])


def work(machine: Machine, function: str, queue: Queue, clients: tuple[Any, Any]) -> list[str]:
    """Have a machine's worker do all messages of a queue; their bodies."""
    batch = clients[1].receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    failures: list[Exception] = []
    wiring = machine.release.wiring
    kept = wiring.work(
        wiring.BUILDERS[function](ports_of(machine, clients)),
        machine,
        messages=[(message["MessageId"], message["Body"]) for message in batch],
        failed=lambda _alert_id, error, _is_poison: failures.append(error),
    )
    assert (kept, failures) == (frozenset(), [])
    for message in batch:
        clients[1].delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in batch]


def row(alert_id: str, clients: tuple[Any, Any]) -> dict[str, Any]:
    """A row as both releases read it: attribute for attribute the same."""
    rows = [
        msgspec.to_builtins(release.adapters.ledger(clients[0]).get(alert_id)) for release in (LAST, TODAY)
    ]
    shared = rows[0].keys() & rows[1].keys()
    assert {name: rows[0][name] for name in shared} == {name: rows[1][name] for name in shared}
    return dict(rows[1])


@BOTH_WAYS
def test_alert_goes_from_release_to_release(
    first: Release, second: Release, clients: tuple[Any, Any]
) -> None:
    """Taken in by one, analysed by the other, posted by the one: rows and wake-ups are read at each step."""
    one, other = Machine(first), Machine(second)
    alert_id = accept(one, clients)
    assert row(alert_id, clients)["status"] == "RECEIVED"
    assert work(other, "analysis", Queue.PROCESSING, clients) != []
    assert row(alert_id, clients)["status"] == "ANALYZED"
    assert work(one, "distribution", Queue.DISTRIBUTION, clients) != []
    stored = row(alert_id, clients)
    assert (stored["status"], stored["analysis"]["summary"]) == ("NOTIFIED", "about Queue is growing")
    assert [post.key for post in one.posts] == [alert_id]
    assert other.posts == []


@BOTH_WAYS
def test_repeat_is_known_to_the_other_release(
    first: Release, second: Release, clients: tuple[Any, Any]
) -> None:
    """They give an alert the same identity, so its repeat is SUPPRESSED whoever takes it in."""
    parent_id = accept(Machine(first), clients)
    assert accept(Machine(second), clients) == parent_id  # the same bytes: a retry
    child_id = accept(Machine(second), clients, timestamp="2026-11-23T08:00:30Z")
    assert child_id != parent_id
    child = row(child_id, clients)
    assert (child["status"], child["parent_id"]) == ("SUPPRESSED", parent_id)


@BOTH_WAYS
def test_outage_after_a_recovery_is_told_by_the_other_release(
    first: Release, second: Release, clients: tuple[Any, Any]
) -> None:
    """They read each other's records of a fault."""
    accept(Machine(first), clients)
    accept(Machine(second), clients, status="ok")
    outage = row(accept(Machine(first), clients), clients)
    assert (outage["status"], outage.get("parent_id")) == ("RECEIVED", None)


@BOTH_WAYS
def test_parked_alert_of_one_release_is_promoted_by_the_other(
    first: Release, second: Release, clients: tuple[Any, Any]
) -> None:
    """Recovery finds by the other release's keys what nobody stands in for."""
    one, other = Machine(first, refuses=True), Machine(second)
    parent_id = accept(one, clients)
    child_id = accept(one, clients, timestamp="2026-11-23T08:00:30Z")
    work(other, "analysis", Queue.PROCESSING, clients)
    work(one, "distribution", Queue.DISTRIBUTION, clients)
    assert row(parent_id, clients)["status"] == "PARKED"
    other.now = one.now + 7_200_000
    wiring = second.wiring
    assert wiring.recover(wiring.recovery(ports_of(other, clients)), other)
    assert row(child_id, clients)["status"] == "RECEIVED"
    assert row(parent_id, clients)["successor_id"] == child_id


def test_held_alert_is_told_by_the_last_release(clients: tuple[Any, Any]) -> None:
    """It knows no incidents: what waits for its time goes out by itself then."""
    today, last = Machine(TODAY), Machine(LAST)
    accept(today, clients, event_id="1")
    work(today, "analysis", Queue.PROCESSING, clients)
    work(today, "distribution", Queue.DISTRIBUTION, clients)
    held_id = accept(today, clients, event_id="2")
    work(today, "analysis", Queue.PROCESSING, clients)
    held = row(held_id, clients)
    assert (held["status"], held["lead"]) == ("ANALYZED", None)
    last.now = (held["due_at"] + 1) * 1000
    assert LAST.wiring.recover(LAST.wiring.recovery(ports_of(last, clients)), last)
    work(last, "distribution", Queue.DISTRIBUTION, clients)
    stored = row(held_id, clients)
    assert (stored["status"], stored["incident_id"]) == ("NOTIFIED", held["incident_id"])
    assert [post.key for post in last.posts] == [held_id]


def test_silenced_alert_is_left_alone_by_the_last_release(clients: tuple[Any, Any]) -> None:
    """It finds it under no key, and suppresses what repeats it; today's tells people at the silence's end."""
    today, last = Machine(TODAY), Machine(LAST)
    now_s = today.now // 1000
    silence = Silence(
        silence_id="s", matcher=Matcher(source="billing"), from_s=now_s, until_s=now_s + 60, reason="r"
    )
    today.silences = stored_text([silence])
    alert_id = accept(today, clients)
    work(today, "analysis", Queue.PROCESSING, clients)
    silenced = row(alert_id, clients)
    assert (silenced["status"], silenced["silence_id"]) == ("SUPPRESSED", "s")
    repeat = row(accept(last, clients, timestamp="2026-11-23T08:00:30Z"), clients)
    assert (repeat["status"], repeat["parent_id"]) == ("SUPPRESSED", alert_id)
    last.now = today.now = (now_s + 120) * 1000
    assert LAST.wiring.recover(LAST.wiring.recovery(ports_of(last, clients)), last)
    assert row(alert_id, clients) == silenced
    assert TODAY.wiring.recover(TODAY.wiring.recovery(ports_of(today, clients)), today)
    assert row(alert_id, clients)["status"] == "RECEIVED"


def test_unacknowledged_alert_is_left_alone_by_the_last_release(clients: tuple[Any, Any]) -> None:
    """Its Recovery looks under no such key, and the second way is taken by today's."""
    today, last = Machine(TODAY), Machine(LAST)
    alert_id = accept(today, clients, severity="CRITICAL")
    work(today, "analysis", Queue.PROCESSING_CRITICAL, clients)
    work(today, "distribution", Queue.DISTRIBUTION_CRITICAL, clients)
    waiting = row(alert_id, clients)
    assert (waiting["status"], waiting["open_key"]) == ("NOTIFIED", f"{REGION}#UNACKNOWLEDGED")
    last.now = today.now = (waiting["escalate_at"] + 1) * 1000
    assert LAST.wiring.recover(LAST.wiring.recovery(ports_of(last, clients)), last)
    assert row(alert_id, clients) == waiting
    assert TODAY.wiring.recover(TODAY.wiring.recovery(ports_of(today, clients)), today)
    assert alert_id in today.published[0]
    assert row(alert_id, clients)["escalated_at"] is not None


@BOTH_WAYS
def test_coordination_record_has_one_version(
    first: Release, second: Release, clients: tuple[Any, Any]
) -> None:
    """Whoever read an older one loses, in either release."""
    one, other = (release.adapters.coordination(clients[0]) for release in (first, second))
    assert one.write("r", None, {"next_ms": 1})
    stale = other.read("r")
    assert (stale.version, dict(stale.values)) == (1, {"next_ms": 1})
    assert one.write("r", one.read("r"), {"next_ms": 2})
    assert not other.write("r", stale, {"next_ms": 3})
    assert other.write("r", other.read("r"), {"next_ms": 4})
    assert dict(one.read("r").values) == {"next_ms": 4}


@BOTH_WAYS
def test_cached_analysis_is_used_by_the_other_release(
    first: Release, second: Release, clients: tuple[Any, Any]
) -> None:
    """And ends when its writer said."""
    analysis = first.wiring.model_answer("a summary").analysis
    asked = {} if first.name == LAST.name else {"asked_ms": 1}  # which release 0.1.0 does not know
    first.adapters.cache(clients[0]).put("signature", analysis, expires_at=2_000, **asked)
    cache = second.adapters.cache(clients[0])
    assert msgspec.to_builtins(cache.get("signature", now_s=1_999)) == msgspec.to_builtins(analysis)
    assert cache.get("signature", now_s=2_000) is None


@pytest.mark.parametrize("consistency", CONSISTENCIES)
@pytest.mark.parametrize("mix", mixes_of(LAST.name), ids=str)
def test_mixed_releases_keep_every_promise(consistency: Consistency, mix: Mix) -> None:
    """Under faults, with either release in either region; `make simulate-mixed` runs many seeds."""
    logging.disable(logging.CRITICAL)
    try:
        for seed in SEEDS:
            outcome = run(scenario_of(seed, consistency, mix))
            assert outcome.violation is None, f"seed {seed}: {outcome.violation}"
    finally:
        logging.disable(logging.NOTSET)
