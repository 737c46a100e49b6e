"""Purging queues of wake-ups: only where Recovery works, and until every alert was seen to again."""

import dataclasses
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from msgspec.structs import replace
from typer.testing import CliRunner

from clients.deployment import Deployment
from clients.rows import LedgerUnreachableError
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from handlers.domain.states import notified
from ops.cli import app
from ops.opened_stack import OpenedStack
from ops.runbook import queue_commands
from runbook import purge as module
from runbook.purge import Purge, PurgeRefusedError, Returned
from tests.fakes.aws_refusals import Refusals, refusal
from tests.fakes.deployment import FAILOVER, PRIMARY, deployment_on_moto
from tests.fakes.moto_clients import moto_client
from tests.fakes.stack_clients import StackClients
from tests.unit.handlers.builders import row
from topology.alerts import Status
from topology.errors import ExplainedError
from topology.queues import DISTRIBUTION_QUEUE, PROCESSING

DUE_S = 1_800_000_060


@pytest.fixture
def deployment(aws: None) -> Deployment:  # noqa: ARG001 - moto must run
    """A stack with two alerts at work and one at rest, and their wake-ups."""
    deployment = dataclasses.replace(deployment_on_moto(), clients=StackClients())
    rested = notified(row("a0rest", status=Status.ANALYZED), at_ms=1_800_000_000_000)
    for alert in (replace(row("a0one"), due_at=DUE_S), replace(row("a0two"), due_at=DUE_S + 60), rested):
        put(alert)
        for queue in (PROCESSING, DISTRIBUTION_QUEUE):
            moto_client("sqs", PRIMARY).send_message(
                QueueUrl=deployment.primary.queue_url(queue), MessageBody=alert.alert_id
            )
    return deployment


@pytest.fixture
def clients(deployment: Deployment) -> StackClients:
    """The stack's clients."""
    assert isinstance(deployment.clients, StackClients)
    return deployment.clients


def put(alert: Any) -> None:
    """Store an alert."""
    moto_client("dynamodb", PRIMARY).put_item(TableName="alerts", Item=item_of(attributes_of(alert)))


def purge_of(deployment: Deployment, *, now_s: float = DUE_S) -> Purge:
    """The purge of the primary region's processing queue."""
    return Purge(deployment, [deployment.primary], [PROCESSING], now_s=lambda: now_s)


def test_purge_empties_the_queues_that_are_named_and_no_other(deployment: Deployment) -> None:
    """Of the regions that are named."""
    purge = purge_of(deployment)
    assert purge.depths() == {(PRIMARY, "processing"): 3}
    purge.purge()
    assert purge.depths() == {(PRIMARY, "processing"): 0}
    other = Purge(deployment, [deployment.primary], [DISTRIBUTION_QUEUE])
    assert other.depths() == {(PRIMARY, "distribution"): 3}


def test_alerts_are_followed_until_each_was_seen_to(deployment: Deployment, clients: StackClients) -> None:
    """Recovery runs while one of them is due; what it woke has another version."""
    purge, told = purge_of(deployment), list[Returned]()
    before = purge.waiting()
    assert sorted(one.alert_id for one in before) == ["a0one", "a0two"]

    def recover(returned: Returned) -> None:
        told.append(returned)
        if len(told) == 1:
            put(replace(row("a0one"), due_at=DUE_S + 120, attempts=1))
        else:
            put(notified(row("a0two", status=Status.ANALYZED), at_ms=1_800_000_100_000))

    returned = purge.follow(before, within_s=60, lease_s=0, progress=recover)
    assert [(one.seen_to, one.at_rest) for one in told] == [(0, 0), (1, 0), (2, 1)]
    assert (returned.all_back, told[0].last_due_at) == (True, DUE_S + 60)
    assert [one["InvocationType"] for one in clients.invoked] == ["Event"], "nothing was due the second time"


def test_what_was_woken_while_sqs_was_deleting_has_to_be_seen_to_again(deployment: Deployment) -> None:
    """Its wake-up may be gone; what came to rest meanwhile is back, and a newcomer is followed."""
    purge = purge_of(deployment)
    before = purge.waiting()
    put(replace(row("a0one"), due_at=DUE_S, attempts=1))
    put(notified(row("a0two", status=Status.ANALYZED), at_ms=1_800_000_100_000))
    put(row("a0three"))
    returned = purge.follow(purge.renewed(before), within_s=0, lease_s=0, progress=lambda _: None)
    assert (returned.waiting, returned.seen_to, returned.at_rest) == (3, 1, 1)


def test_more_than_is_followed_is_said(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never taken for all there is."""
    purge = purge_of(deployment)
    assert (len(purge.waiting()), purge.more) == (2, False)
    monkeypatch.setattr(module, "FOLLOWED_MAX", 1)
    assert (len(purge.waiting()), purge.more) == (1, True)


def test_what_was_purged_before_a_refusal_is_named(deployment: Deployment, clients: StackClients) -> None:
    """And that it comes back: nobody follows it then."""
    asked: list[str] = []

    class Second:
        def __init__(self, sqs: Any) -> None:
            self._sqs = sqs

        def purge_queue(self, *, QueueUrl: str) -> None:  # noqa: N803 - AWS's name
            if asked:
                raise refusal("AccessDenied", status=403)
            asked.append(QueueUrl)

    clients.over["sqs"] = Second
    with pytest.raises(PurgeRefusedError, match=r"Purged are processing in us-east-1: Recovery brings"):
        Purge(deployment, [deployment.primary], [PROCESSING, DISTRIBUTION_QUEUE]).purge()


def test_what_is_not_back_in_time_is_counted_with_when_it_is_due(deployment: Deployment) -> None:
    """Never taken for back, nor for due much later where it is within a lease."""
    purge = purge_of(deployment)
    returned = purge.follow(purge.waiting(), within_s=0, lease_s=120, progress=lambda _: None)
    assert returned == Returned(waiting=2, seen_to=0, at_rest=0, last_due_at=DUE_S + 60)
    assert not returned.all_back
    assert not returned.in_time


def test_what_is_due_only_after_the_wait_is_not_waited_for(deployment: Deployment) -> None:
    """A follow-up may be due in hours: it is counted, and the wait ends with what is due before."""
    put(replace(row("a0two"), due_at=DUE_S + 4_000))
    purge, told = purge_of(deployment), list[Returned]()

    def recover(returned: Returned) -> None:
        told.append(returned)
        put(replace(row("a0one"), due_at=DUE_S + 120, attempts=1))

    returned = purge.follow(purge.waiting(), within_s=3_600, lease_s=120, progress=recover)
    assert [one.in_time for one in told] == [False, True]
    assert (returned.seen_to, returned.due_later, returned.last_due_at) == (1, 1, DUE_S + 4_000)
    assert not returned.all_back


def test_nothing_is_purged_where_recovery_fails(deployment: Deployment, clients: StackClients) -> None:
    """It would bring nothing back."""
    purge = purge_of(deployment)
    purge.check_recovery()
    clients.answer = {"FunctionError": "Unhandled"}
    with pytest.raises(PurgeRefusedError, match=r"Recovery fails in us-east-1.*nothing was purged"):
        purge.check_recovery()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (refusal("AWS.SimpleQueueService.PurgeQueueInProgress", status=403), "being purged already"),
        (refusal("AccessDenied", status=403), "put that right"),
        (EndpointConnectionError(endpoint_url="sqs"), "by --region"),
    ],
    ids=["in progress", "denied", "silent"],
)
def test_what_sqs_does_not_do_is_one_line(
    deployment: Deployment, clients: StackClients, error: Exception, says: str
) -> None:
    """With a next step."""
    clients.over["sqs"] = Refusals("purge_queue", error)
    with pytest.raises(PurgeRefusedError, match=says) as raised:
        purge_of(deployment).purge()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("after", ["lost", "denied"])
def test_an_aws_error_after_the_purge_says_that_it_was_purged(
    deployment: Deployment, clients: StackClients, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line: what came back is unknown, and where to look."""

    class ThenGone:
        def __init__(self, sqs: Any) -> None:
            self.get_queue_attributes = sqs.get_queue_attributes

        def purge_queue(self, **_: Any) -> None:
            if after == "lost":
                clients.lost = {PRIMARY, FAILOVER}
            else:
                clients.over["dynamodb"] = Refusals("batch_get_item", refusal("AccessDenied", status=403))

    clients.over["sqs"] = ThenGone
    monkeypatch.setattr(queue_commands, "open_stack", lambda *_: OpenedStack(deployment, None))
    monkeypatch.setattr(queue_commands, "PURGE_S", 0)
    done = CliRunner().invoke(app, ["queue", "purge", "processing", "--region", PRIMARY, "--yes"])
    assert done.exit_code == 1
    assert isinstance(done.exception, ExplainedError)
    [line] = str(done.exception).splitlines()
    assert line.startswith("the queues are purged and Recovery goes on")
    assert "`responder alerts list`" in line


def test_without_a_ledger_nothing_is_known(deployment: Deployment, clients: StackClients) -> None:
    """So nothing is purged: the command counts first."""
    clients.lost = {PRIMARY, FAILOVER}
    with pytest.raises(LedgerUnreachableError, match="no region's ledger answers"):
        purge_of(deployment).waiting()
