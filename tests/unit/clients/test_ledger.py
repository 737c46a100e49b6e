"""What an operator does about PARKED alerts, on DynamoDB's own rules, by moto."""

import json
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from msgspec import structs

from clients.deployment import Deployment
from clients.ledger import REDRIVE_GRACE_S, ParkedAlerts, Redrive
from clients.rows import LedgerUnreachableError
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from handlers.domain.states import parked
from tests.fakes.deployment import FAILOVER, PRIMARY
from tests.unit.handlers.builders import row

NOW_S = 1_900_000_000


def put(alert_id: str, *, region: str = PRIMARY, **values: Any) -> None:
    """Store a PARKED row in the region that owns it; a value of None leaves the attribute out."""
    alert = structs.replace(parked(row(), reason="Slack says no_service", due_at=1_800_000_900), attempts=12)
    given: dict[str, Any] = {
        **attributes_of(alert),
        "alert_id": alert_id,
        "region": region,
        "owner": region,
        "open_key": f"{region}#PARKED",
        "title": "Disk full",
        "accepted_at_ms": 1_800_000_000_000,
        **values,
    }
    row_item = item_of({name: value for name, value in given.items() if value is not None})
    boto3.client("dynamodb", region_name=region).put_item(TableName="alerts", Item=row_item)


def stored(alert_id: str, region: str = PRIMARY) -> dict[str, Any]:
    """The raw item."""
    found = boto3.client("dynamodb", region_name=region).get_item(
        TableName="alerts", Key={"alert_id": {"S": alert_id}}
    )
    return dict(found["Item"])


def wake_ups(url: str, region: str = PRIMARY) -> list[str]:
    """The ids that lie in a queue."""
    answer = boto3.client("sqs", region_name=region).receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"])["alert_id"] for message in answer.get("Messages", [])]


def test_parked_alerts_of_both_regions_are_listed_newest_last(deployment: Deployment) -> None:
    """With what a person needs to decide."""
    put("a1", accepted_at_ms=3_000)
    put("a2", region=FAILOVER, accepted_at_ms=1_000, successor_id="a2.b")
    put("a3", accepted_at_ms=2_000)
    found = ParkedAlerts(deployment).read(limit=10)
    assert [one.alert_id for one in found] == ["a2", "a3", "a1"]
    assert (found[0].severity, found[0].reason, found[0].successor_id) == (
        "HIGH",
        "Slack says no_service",
        "a2.b",
    )


def test_more_parked_alerts_than_one_read_takes_are_listed(deployment: Deployment) -> None:
    """DynamoDB reads a hundred at once; the limit is of each region."""
    for n in range(130):
        put(f"a{n}", accepted_at_ms=n)
    assert len(ParkedAlerts(deployment).read(limit=120)) == 120
    assert len(ParkedAlerts(deployment).read(limit=200)) == 130


def test_an_alert_that_the_index_still_shows_is_not_listed(deployment: Deployment) -> None:
    """The index lags behind: what the row says counts."""
    put("a1", status="RECEIVED")
    assert ParkedAlerts(deployment).read(limit=10) == []


def test_a_lost_regions_parked_alerts_are_asked_of_the_other(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its replica has them; which region did not answer is said once."""
    put("a1", region=FAILOVER, open_key=f"{PRIMARY}#PARKED", owner=PRIMARY)
    deployment.clients.lost = {PRIMARY}  # type: ignore[attr-defined]  # `LossyClients`
    assert [one.alert_id for one in ParkedAlerts(deployment).read(limit=10)] == ["a1"]
    line = f"{PRIMARY} did not answer; {FAILOVER} did, and was asked instead\n"
    assert capsys.readouterr().err == line
    deployment.clients.lost = {PRIMARY, FAILOVER}  # type: ignore[attr-defined]  # `LossyClients`
    with pytest.raises(LedgerUnreachableError, match="does not answer"):
        ParkedAlerts(deployment).read(limit=10)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "It has expired"}}, "Query"),
            "ExpiredTokenException",
        ),
        (NoCredentialsError(), "credentials"),
    ],
    ids=["refused", "no credentials"],
)
def test_what_no_region_can_help_is_not_called_silence(
    deployment: Deployment, error: Exception, said: str
) -> None:
    """Nobody brings a region back because credentials have expired."""

    def refuse(**_: Any) -> None:
        raise error

    for region in (PRIMARY, FAILOVER):
        events = deployment.clients.client("dynamodb", region).meta.events
        events.register("before-call.dynamodb.Query", refuse)
    with pytest.raises(LedgerUnreachableError, match=said) as raised:
        ParkedAlerts(deployment).read(limit=10)
    assert "bring the region back" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("severity", "queue"), [("HIGH", "processing"), ("CRITICAL", "processing_critical")])
def test_a_redriven_alert_starts_again_and_is_woken(
    deployment: Deployment, severity: str, queue: str
) -> None:
    """RECEIVED, under its owner's key, with all its attempts before it."""
    put("a1", severity=severity)
    assert ParkedAlerts(deployment).redrive("a1", now_s=NOW_S) is Redrive.DONE
    item = stored("a1")
    assert (item["status"]["S"], item["attempts"]["N"]) == ("RECEIVED", "0")
    assert item["open_key"]["S"] == f"{PRIMARY}#{severity}"
    assert int(item["due_at"]["N"]) == NOW_S + REDRIVE_GRACE_S
    assert "parked_reason" not in item
    assert wake_ups(getattr(deployment.primary, f"{queue}_queue_url")) == ["a1"]


def test_an_alert_is_redriven_in_the_region_that_owns_it(deployment: Deployment) -> None:
    """Under an eventual ledger another region's write could be overwritten by the owner's."""
    put("a1", region=FAILOVER)
    put("a1", owner=FAILOVER)
    assert ParkedAlerts(deployment).redrive("a1", now_s=NOW_S) is Redrive.DONE
    assert stored("a1", FAILOVER)["status"]["S"] == "RECEIVED"
    assert stored("a1", PRIMARY)["status"]["S"] == "PARKED"
    assert wake_ups(deployment.failover.processing_queue_url, FAILOVER) == ["a1"]


def test_a_lost_owner_is_stood_in_for_under_a_strong_ledger_only(deployment: Deployment) -> None:
    """Nothing is written where the write could be lost."""
    put("a1", region=FAILOVER, owner=PRIMARY)
    deployment.clients.lost = {PRIMARY}  # type: ignore[attr-defined]  # `LossyClients`
    eventual = replace(deployment, ledger_consistency="eventual")
    with pytest.raises(LedgerUnreachableError, match=PRIMARY):
        ParkedAlerts(eventual).redrive("a1", now_s=NOW_S)
    assert stored("a1", FAILOVER)["status"]["S"] == "PARKED"
    assert ParkedAlerts(deployment).redrive("a1", now_s=NOW_S) is Redrive.DONE
    assert stored("a1", FAILOVER)["status"]["S"] == "RECEIVED"


@pytest.mark.parametrize("alert_id", ["a9", "", "no such thing", "a" * 3_000])
def test_what_is_no_alert_is_not_redriven(deployment: Deployment, alert_id: str) -> None:
    """Whatever a person types."""
    assert ParkedAlerts(deployment).redrive(alert_id, now_s=NOW_S) is Redrive.MISSING


@pytest.mark.parametrize("status", ["RECEIVED", "ANALYZED", "NOTIFIED", "SUPPRESSED"])
def test_an_alert_that_is_not_parked_is_left_alone(deployment: Deployment, status: str) -> None:
    """Only a PARKED one moves by an operator."""
    put("a1", status=status)
    before = stored("a1")
    assert ParkedAlerts(deployment).redrive("a1", now_s=NOW_S) is Redrive.NOT_PARKED
    assert stored("a1") == before


def test_an_alert_that_is_moved_meanwhile_is_not_overwritten(deployment: Deployment) -> None:
    """Recovery looks at PARKED alerts too; the write holds only for the row that was read."""
    put("a1")
    events = deployment.clients.client("dynamodb", PRIMARY).meta.events
    events.register("before-call.dynamodb.UpdateItem", lambda **_: put("a1", due_at=7))
    assert ParkedAlerts(deployment).redrive("a1", now_s=NOW_S) is Redrive.CHANGED
    assert (stored("a1")["status"]["S"], stored("a1")["due_at"]["N"]) == ("PARKED", "7")


def test_a_redrive_whose_wake_up_is_not_sent_counts(deployment: Deployment) -> None:
    """The ledger has it: Recovery finds it when its minute is over."""
    put("a1")
    boto3.client("sqs", region_name=PRIMARY).delete_queue(QueueUrl=deployment.primary.processing_queue_url)
    outcome = ParkedAlerts(deployment).redrive("a1", now_s=NOW_S)
    assert outcome is Redrive.DONE_WITHOUT_WAKE_UP
    assert outcome.done
    assert stored("a1")["status"]["S"] == "RECEIVED"


def test_a_family_is_the_first_alert_and_its_repeats(deployment: Deployment) -> None:
    """Seen from any of them."""
    put("a1")
    put("a1.b", status="SUPPRESSED", parent_id="a1", open_key=None, due_at=None)
    put("a1.c", status="NOTIFIED", parent_id="a1", open_key=None, due_at=None)
    alerts = ParkedAlerts(deployment)
    expected = [("a1", "PARKED"), ("a1.b", "SUPPRESSED"), ("a1.c", "NOTIFIED")]
    for alert_id in ("a1", "a1.c"):
        row = alerts.get(alert_id)
        assert row is not None
        assert alerts.family(row) == expected


def test_a_row_is_shown_with_plain_values(deployment: Deployment) -> None:
    """Numbers are whole numbers, as the handlers write them."""
    put("a1")
    row = ParkedAlerts(deployment).get("a1")
    assert row is not None
    assert json.loads(json.dumps(row))["attempts"] == 12
    assert ParkedAlerts(deployment).get("a2") is None
