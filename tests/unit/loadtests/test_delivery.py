"""From the 202 to Slack: joined by id, digests by the ledger, and nobody who was not told is left out."""

from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from clients.deployment import Deployment
from emulator.protocol import SlackMessage
from loadtests.delivery import CRITICAL, OTHER, Delivery
from loadtests.figures import Accepted
from tests.fakes.deployment import FAILOVER, PRIMARY, deployment_on_moto


@pytest.fixture
def deployment(aws: None) -> Deployment:  # noqa: ARG001 - moto runs meanwhile
    """A stack with an empty ledger."""
    return deployment_on_moto()


@dataclass
class FakeSlack:
    """What an emulator says of Slack."""

    messages: list[SlackMessage] = field(default_factory=list)

    def status(self) -> Any:
        """The emulator's status."""
        return type("Status", (), {"slack_messages": len(self.messages)})

    def slack_messages(self, *, after: int = 0) -> list[SlackMessage]:
        """The messages but for the first ones."""
        return self.messages[after:]

    def say(self, at_ms: int, *alert_ids: str, digest: str = "", follow_up: str = "") -> None:
        """Receive a message."""
        message = SlackMessage(
            received_at_ms=at_ms,
            channel="c",
            alert_ids=alert_ids,
            region="r",
            payload={},
            digests=((digest, 2),) if digest else (),
            follow_ups=(follow_up,) if follow_up else (),
        )
        self.messages.append(message)


def put(alert_id: str, status: str, *, region: str = FAILOVER, **attributes: Any) -> None:
    """Store a row."""
    item = {"alert_id": {"S": alert_id}, "status": {"S": status}, "severity": {"S": "HIGH"}, **attributes}
    boto3.client("dynamodb", region_name=region).put_item(TableName="alerts", Item=item)


@pytest.fixture
def told() -> list[tuple[str, float, str | None]]:
    """What was told."""
    return []


@pytest.fixture
def slack() -> FakeSlack:
    """A Slack that has a message from before the run already."""
    fake = FakeSlack()
    fake.say(1, "a1", digest="d1")
    return fake


@pytest.fixture
def delivery(deployment: Deployment, slack: FakeSlack, told: list[Any]) -> Delivery:
    """Three accepted alerts, one CRITICAL."""
    made = Delivery(deployment, slack, lambda *what: told.append(what))  # type: ignore[arg-type] # a fake
    made.accept([Accepted("a1", 1_000, "CRITICAL"), Accepted("a2", 2_000, "HIGH"), Accepted("a3", 3_000)])
    return made


def test_an_alert_told_alone_counts_from_its_202_to_its_first_message(
    delivery: Delivery, slack: FakeSlack, told: list[Any]
) -> None:
    """What Slack had before the run, and later messages of the same alert, count for nothing."""
    slack.say(4_500, "a1")
    slack.say(9_000, "a1")
    delivery.read_slack()
    assert told == [(CRITICAL, 3_500, None)]
    assert delivery.messages == 2


def test_a_message_may_be_read_before_the_worker_tells_of_its_alert(
    delivery: Delivery, slack: FakeSlack, told: list[Any]
) -> None:
    """Workers report every few seconds."""
    slack.say(5_000, "late")
    delivery.read_slack()
    delivery.accept([Accepted("late", 4_000, "LOW")])
    assert told == [(OTHER, 1_000, None)]


def test_a_digests_members_are_found_by_the_ledger(
    delivery: Delivery, slack: FakeSlack, told: list[Any]
) -> None:
    """Slack's message names a digest, the rows of its members too; the severity may be the row's."""
    for alert_id in ("a2", "a3"):
        put(alert_id, "NOTIFIED", digest_id={"S": "d2"}, notified_at_ms={"N": "7100"})
    slack.say(7_000, digest="d2")
    delivery.read_slack()
    delivery.read_ledger()
    assert sorted(told) == [(OTHER, 4_000, None), (OTHER, 5_000, None)]
    assert delivery.pending == ["a1"]


def test_a_digest_that_slack_shows_after_the_ledger_was_read_is_joined_at_the_end(
    delivery: Delivery, slack: FakeSlack, told: list[Any]
) -> None:
    """The two are read one after the other."""
    put("a2", "NOTIFIED", digest_id={"S": "d2"})
    delivery.read_ledger()
    slack.say(7_000, digest="d2")
    delivery.read_slack()
    delivery.end()
    assert (OTHER, 5_000, None) in told


def test_who_was_not_told_counts_with_the_time_until_now(delivery: Delivery, told: list[Any]) -> None:
    """Left out, the slowest would make the figures better; a SUPPRESSED one has a parent that was told."""
    put("a1", "PARKED")
    put("a2", "SUPPRESSED")
    delivery.read_ledger()
    delivery.end()
    assert {(kind, why) for kind, _, why in told} == {
        (CRITICAL, "not told in Slack: PARKED"),
        (OTHER, "not told in Slack: not at rest"),
    }
    assert min(latency_ms for _, latency_ms, _ in told) > 1_000_000


def test_without_a_slack_to_read_the_ledgers_time_is_believed(
    deployment: Deployment, told: list[Any]
) -> None:
    """As on a real stack."""
    delivery = Delivery(deployment, None, lambda *what: told.append(what))
    delivery.accept([Accepted("a1", 1_000, "CRITICAL")])
    put("a1", "NOTIFIED", notified_at_ms={"N": "3000"})
    delivery.read_ledger()
    assert told == [(CRITICAL, 2_000, None)]


def test_a_lost_regions_ledger_is_read_in_the_other_one(
    deployment: Deployment, delivery: Delivery, told: list[Any]
) -> None:
    """Which one is lost does not matter."""
    deployment.clients.lost.add(FAILOVER)  # type: ignore[attr-defined] # the fake's
    put("a1", "PARKED", region=PRIMARY)
    delivery.read_ledger()
    assert delivery.pending == ["a2", "a3"]
    assert not told
