"""Dead letters by moto's SQS: why each lies there, sending before deleting, and what is never touched."""

import dataclasses
import json
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from msgspec.structs import replace

from clients.deployment import Deployment
from clients.rows import LedgerUnreachableError
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from handlers.domain.states import notified
from runbook.dead_letters.actions import DeadLetters, Place, Tally
from runbook.dead_letters.letters import REDRIVEN, DeadLetter, Reason, Selection
from runbook.dead_letters.log_lines import last_lines
from tests.fakes.aws_refusals import Refusals, refusal
from tests.fakes.deployment import FAILOVER, PRIMARY, deployment_on_moto
from tests.fakes.moto_clients import moto_client
from tests.fakes.stack_clients import StackClients
from tests.unit.handlers.builders import row
from tests.unit.runbook.conftest import FakeLogs
from topology.alerts import Severity, Status
from topology.functions import ANALYSIS
from topology.queues import PROCESSING_DLQ

SNS_EVENT = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "Disk full"}}]}
FAILED_ALARM = {
    "version": "1.0",
    "timestamp": "2026-11-24T21:52:47.333Z",
    "requestContext": {
        "requestId": "8ea123e4-1db7-4aca-ad10-d9ca1234c1fd",
        "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:"
        "mcp-incident-responder-dev-AlertReceptionFunction:live",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    },
    "requestPayload": SNS_EVENT,
    "responseContext": {"statusCode": 200, "executedVersion": "7", "functionError": "Unhandled"},
    "responsePayload": {"errorMessage": "the ledger is away", "errorType": "LedgerUnavailableError"},
}
"""Of the form in https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""

ALL = Selection(reasons=frozenset(Reason))
AS_USUAL = Selection(reasons=REDRIVEN)


@pytest.fixture
def deployment(aws: None) -> Deployment:  # noqa: ARG001 - moto must run
    """A stack with nothing in its queues."""
    return dataclasses.replace(deployment_on_moto(), clients=StackClients())


@pytest.fixture
def clients(deployment: Deployment) -> StackClients:
    """The stack's clients."""
    assert isinstance(deployment.clients, StackClients)
    return deployment.clients


@pytest.fixture
def place(deployment: Deployment) -> Place:
    """The primary region's dead-letter queue of analysis."""
    return Place(deployment.primary, PROCESSING_DLQ)


@pytest.fixture
def dead(deployment: Deployment) -> DeadLetters:
    """Its dead letters."""
    return DeadLetters(deployment)


def put_row(alert_id: str, *, region: str = PRIMARY, rested: bool = False, **changes: Any) -> None:
    """Store an alert."""
    alert = replace(row(alert_id, status=Status.ANALYZED if rested else Status.RECEIVED), **changes)
    alert = notified(alert, at_ms=1_800_000_000_000) if rested else alert
    moto_client("dynamodb", region).put_item(TableName="alerts", Item=item_of(attributes_of(alert)))


def wake_up(alert_id: str) -> str:
    """A wake-up's body."""
    return json.dumps({"alert_id": alert_id})


def put(place: Place, *bodies: str) -> None:
    """Put messages into a dead-letter queue."""
    sqs = moto_client("sqs", place.region)
    for body in bodies:
        sqs.send_message(QueueUrl=place.endpoints.queue_url(place.queue), MessageBody=body)


def bodies_in(url: str, region: str = PRIMARY) -> list[str]:
    """What lies in a queue and is not hidden."""
    sqs, found = moto_client("sqs", region), []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in messages]
    return found


def dead_bodies(place: Place) -> list[str]:
    """What lies in a dead-letter queue."""
    return bodies_in(place.endpoints.queue_url(place.queue), place.region)


def poisoned(place: Place) -> None:
    """One message of each reason."""
    put_row("a0open")
    put_row("a0rest", rested=True)
    put_row("a0torn")
    moto_client("dynamodb", PRIMARY).update_item(
        TableName="alerts",
        Key={"alert_id": {"S": "a0torn"}},
        UpdateExpression="REMOVE title",
    )
    put(place, "not json", '{"alert_id": 7}', wake_up("a0gone"), wake_up("a0open"), wake_up("a0rest"))
    put(place, wake_up("a0torn"), json.dumps(FAILED_ALARM), wake_up("'; DROP \x1b[2J"))


def test_each_message_has_the_reason_why_it_lies_there(dead: DeadLetters, place: Place) -> None:
    """By its body and by the ledger; looking at it leaves it where it is, for the next to see."""
    poisoned(place)
    for _ in range(2):
        [survey] = dead.survey([place], at_most=100)
        assert not survey.problem
        assert [(one.reason, one.alert_id) for one in survey.letters] == [
            (Reason.UNREADABLE_BODY, ""),
            (Reason.UNREADABLE_BODY, ""),
            (Reason.UNKNOWN_ALERT, "a0gone"),
            (Reason.NOT_AT_REST, "a0open"),
            (Reason.AT_REST, "a0rest"),
            (Reason.UNREADABLE_ROW, "a0torn"),
            (Reason.FAILED_ALARM, ""),
            (Reason.UNKNOWN_ALERT, "'; DROP \x1b[2J"),
        ]
    assert survey.letters[4].detail == "NOTIFIED"
    assert survey.letters[6].detail == "LedgerUnavailableError: the ledger is away"


def test_record_of_another_function_is_no_alarm_of_ours(dead: DeadLetters, place: Place) -> None:
    """Nobody is invoked with what a stranger put there."""
    other = FAILED_ALARM | {
        "requestContext": {"functionArn": "arn:aws:lambda:us-east-1:1:function:other:live"}
    }
    put(place, json.dumps(other))
    [survey] = dead.survey([place], at_most=10)
    assert [one.reason for one in survey.letters] == [Reason.UNREADABLE_BODY]


def test_an_empty_id_chooses_nothing(dead: DeadLetters, place: Place) -> None:
    """Such as of a script's variable that is not set: not every message that has no alert."""
    poisoned(place)
    [survey] = dead.survey([place], at_most=100)
    chosen = Selection(reasons=frozenset(Reason), ids=frozenset({""}))
    assert not any(chosen.takes(letter) for letter in survey.letters)


def test_survey_says_how_many_it_did_not_look_at(dead: DeadLetters, place: Place) -> None:
    """Never that a queue has as many as were looked at."""
    put(place, *(f"poison {n}" for n in range(25)))
    [survey] = dead.survey([place], at_most=10)
    assert (len(survey.letters), survey.more) == (10, 15)


def test_newest_message_of_each_reason_has_its_last_line(
    dead: DeadLetters, deployment: Deployment, clients: StackClients, place: Place
) -> None:
    """Found by its own id, however many lines about others the log has."""
    put(place, "older poison")
    time.sleep(0.002)  # SQS dates messages by the millisecond
    put(place, "newer poison")
    surveys = dead.survey([place], at_most=10)
    older, newer = sorted(surveys[0].letters, key=lambda one: one.message.sent_at_ms)
    at_ms = newer.message.sent_at_ms
    clients.over["logs"] = lambda _: FakeLogs(
        events=[
            (deployment.names.log_group(ANALYSIS), at_ms + n, json.dumps({"message_id": name, "try": n}))
            for n, name in enumerate((newer.message.message_id, older.message.message_id) * 2)
        ]
    )
    lines = last_lines(deployment, surveys)
    assert {name: line.fields for name, line in lines.items()} == {
        newer.message.message_id: {"message_id": newer.message.message_id, "try": 2}
    }


def test_redrive_sends_what_is_not_at_rest_where_it_goes_next(
    dead: DeadLetters, deployment: Deployment, clients: StackClients, place: Place
) -> None:
    """By severity and step, whatever queue it failed in; an alarm goes to reception; the rest stays."""
    poisoned(place)
    put_row("a0urgent", severity=Severity.CRITICAL)
    put_row("a0next", status=Status.ANALYZED)
    put(place, wake_up("a0urgent"), wake_up("a0next"))
    tally = dead.redrive(place, AS_USUAL, per_s=1_000)
    assert tally.done == {Reason.NOT_AT_REST: 3, Reason.FAILED_ALARM: 1}
    assert tally.left == {
        Reason.UNREADABLE_BODY: 2, Reason.UNKNOWN_ALERT: 2, Reason.AT_REST: 1, Reason.UNREADABLE_ROW: 1,
    }  # fmt: skip
    assert (tally.undeleted, tally.hidden, tally.problem) == (0, 0, "")
    primary = deployment.primary
    assert [*map(json.loads, bodies_in(primary.processing_queue_url))] == [{"alert_id": "a0open"}]
    assert [*map(json.loads, bodies_in(primary.processing_critical_queue_url))] == [{"alert_id": "a0urgent"}]
    assert [*map(json.loads, bodies_in(primary.distribution_queue_url))] == [{"alert_id": "a0next"}]
    [invoked] = clients.invoked
    assert json.loads(invoked["Payload"]) == SNS_EVENT
    assert (invoked["InvocationType"], invoked["Qualifier"]) == ("Event", "live")
    assert len(dead_bodies(place)) == 6


def test_redrive_run_again_counts_what_is_left(dead: DeadLetters, place: Place) -> None:
    """Nothing is sent a second time."""
    poisoned(place)
    dead.redrive(place, AS_USUAL, per_s=1_000)
    again = dead.redrive(place, AS_USUAL, per_s=1_000)
    assert (again.done.total(), again.left.total()) == (0, 6)


def test_poison_that_is_named_goes_back_as_it_is(
    dead: DeadLetters, deployment: Deployment, place: Place
) -> None:
    """After a release that can read it: by its reason, or by the id of the message alone."""
    put(place, "not json", "nor this")
    [survey] = dead.survey([place], at_most=10)
    one = next(letter for letter in survey.letters if letter.message.body == "nor this")
    chosen = Selection(reasons=frozenset({Reason.UNREADABLE_BODY}), ids=frozenset({one.message.message_id}))
    assert dead.redrive(place, chosen, per_s=1_000).done == {Reason.UNREADABLE_BODY: 1}
    assert bodies_in(deployment.primary.processing_queue_url) == ["nor this"]
    assert dead_bodies(place) == ["not json"]


@pytest.mark.parametrize("call", ["send_message_batch", "delete_message_batch"])
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (refusal("ThrottlingException"), "run it again to go on"),
        (refusal("AccessDenied", status=403), "put right what it says, then run it again"),
        (EndpointConnectionError(endpoint_url="sqs"), "run it again to go on, once the region answers"),
        (NoCredentialsError(), "put right what it says, then run it again"),
    ],
    ids=["throttled", "denied", "silent", "no credentials"],
)
def test_what_was_not_both_sent_and_deleted_is_still_there(
    dead: DeadLetters, clients: StackClients, place: Place, call: str, error: Exception, says: str
) -> None:
    """One line with a next step, and the next run finds every message that this one did not finish."""
    put_row("a0open")
    put(place, wake_up("a0open"), "not json")
    clients.over["sqs"] = Refusals(call, error)
    tally = dead.redrive(place, AS_USUAL, per_s=1_000)
    assert tally.problem.endswith(says)
    assert "\n" not in tally.problem
    clients.over.clear()
    assert len(dead_bodies(place)) == (2 if call == "send_message_batch" else 1), "the deleted one is hidden"


def test_run_waits_for_what_a_killed_one_has_hidden(dead: DeadLetters, place: Place) -> None:
    """A killed run's messages come up after a while: the next run does not end without them."""
    put_row("a0open")
    put(place, wake_up("a0open"))
    hidden = moto_client("sqs", PRIMARY).receive_message(
        QueueUrl=place.endpoints.queue_url(place.queue), VisibilityTimeout=1
    )
    assert len(hidden["Messages"]) == 1
    [survey] = dead.survey([place], at_most=10)
    assert survey.more + len(survey.letters) == 1
    assert dead.redrive(place, AS_USUAL, per_s=1_000).done == {Reason.NOT_AT_REST: 1}


class _KilledError(BaseException):
    """What no code can catch and go on after."""


def _instead(client: Any, _of: Any) -> Any:
    return client


class _Dying:
    """SQS for a process that is killed right before or after its `dies_at`th call."""

    def __init__(self, client: Any, *, dies_at: int, after: bool) -> None:
        self._client, self.left, self._after = client, dies_at, after

    def __getattr__(self, name: str) -> Any:
        def call(**asked: Any) -> Any:
            self.left -= 1
            if self.left < 0 or (self.left == 0 and not self._after):
                raise _KilledError
            answer = getattr(self._client, name)(**asked)
            if self.left == 0:
                raise _KilledError
            return answer

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_redrive_killed_anywhere_loses_nothing(
    dead: DeadLetters,
    deployment: Deployment,
    clients: StackClients,
    place: Place,
    after: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever call was its last: run again, each alert has been woken, and no message is left."""
    monkeypatch.setattr("runbook.dead_letters.queue.HIDDEN_S", 1)
    ids = {f"a{n}" for n in range(12)}
    for alert_id in ids:
        put_row(alert_id)
    dies_at, killed = 0, True
    while killed:
        put(place, *map(wake_up, sorted(ids)))
        dying = _Dying(moto_client("sqs", PRIMARY), dies_at=(dies_at := dies_at + 1), after=after)
        clients.over["sqs"] = partial(_instead, dying)
        try:
            dead.redrive(place, AS_USUAL, per_s=1_000)
            killed = False
        except _KilledError:
            clients.over.clear()
            dead.redrive(place, AS_USUAL, per_s=1_000)
        clients.over.clear()
        woken = {json.loads(one)["alert_id"] for one in bodies_in(deployment.primary.processing_queue_url)}
        assert woken == ids
        assert dead_bodies(place) == []
    assert dies_at >= 8, "receive, send and delete of two batches, and the end"


def test_interrupted_run_gives_back_what_it_held(dead: DeadLetters, place: Place) -> None:
    """Ctrl-C hides nothing from whoever comes next."""
    put(place, *(f"poison {n}" for n in range(12)))

    def interrupt(_: Tally) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dead.redrive(place, AS_USUAL, per_s=1_000, progress=interrupt)
    assert len(dead_bodies(place)) == 12


def test_a_survey_that_is_interrupted_ends_every_queue_at_once(
    deployment: Deployment, clients: StackClients
) -> None:
    """A queue of any length is left where it is, and says when its messages are there again."""
    first, second = Place(deployment.primary, PROCESSING_DLQ), Place(deployment.failover, PROCESSING_DLQ)
    endless = EndlessQueue(interrupted=first.endpoints.queue_url(first.queue))
    clients.over["sqs"] = lambda _: endless
    with pytest.raises(KeyboardInterrupt, match="there again within 60 s"):
        DeadLetters(deployment).survey([first, second], at_most=1_000_000_000)
    assert endless.given_back == 0


class EndlessQueue:
    """SQS whose queues never end, but for one where a person ends the command."""

    def __init__(self, interrupted: str) -> None:
        """`interrupted`: its URL."""
        self.given_back = self._received = 0
        self._interrupted, self._begun = interrupted, threading.Event()

    def receive_message(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
        """A message, ever another."""
        if QueueUrl == self._interrupted:
            self._begun.wait(60)
            raise KeyboardInterrupt
        self._begun.set()
        self._received += 1
        one = str(self._received)
        return {"Messages": [{"MessageId": one, "ReceiptHandle": one, "Body": "poison"}]}

    def change_message_visibility_batch(self, **_: Any) -> None:
        """See boto3."""
        self.given_back += 1


def test_redrive_keeps_to_its_rate(deployment: Deployment, place: Place) -> None:
    """So many a second, in small batches where it is slow."""
    slept: list[float] = []
    for n in range(6):
        put_row(f"a{n}")
        put(place, wake_up(f"a{n}"))
    dead = DeadLetters(deployment, now_s=lambda: sum(slept), sleep=slept.append)
    assert dead.redrive(place, AS_USUAL, per_s=2).done.total() == 6
    assert (len(slept), sum(slept)) == (3, 3.0)


def test_drop_deletes_only_what_was_written_down(dead: DeadLetters, place: Place) -> None:
    """A full disk drops nothing."""
    poisoned(place)
    chosen = Selection(reasons=frozenset({Reason.AT_REST, Reason.UNREADABLE_BODY}))

    def full_disk(_place: Place, _letters: Sequence[DeadLetter]) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        dead.drop(place, chosen, keep=full_disk)
    [survey] = dead.survey([place], at_most=100)
    assert len(survey.letters) == 8
    kept: list[str] = []
    tally = dead.drop(place, chosen, keep=lambda _, letters: kept.extend(one.message.body for one in letters))
    assert tally.done == {Reason.AT_REST: 1, Reason.UNREADABLE_BODY: 2}
    assert kept == ["not json", '{"alert_id": 7}', wake_up("a0rest")]
    assert len(dead_bodies(place)) == 5


def test_lost_region_is_unknown_and_the_other_answers(
    dead: DeadLetters, clients: StackClients, deployment: Deployment
) -> None:
    """Of both its queues, in one line each; never taken for empty."""
    put(Place(deployment.failover, PROCESSING_DLQ), "not json")
    clients.lost = {PRIMARY}
    surveys = dead.survey(dead.places(), at_most=10)
    assert [(one.place.region, bool(one.problem), len(one.letters)) for one in surveys] == [
        (PRIMARY, True, 0), (PRIMARY, True, 0), (FAILOVER, False, 1), (FAILOVER, False, 0),
    ]  # fmt: skip


def test_nothing_is_sent_or_dropped_without_the_ledger(
    dead: DeadLetters, clients: StackClients, place: Place
) -> None:
    """Whether an alert is at rest is then unknown, and unknown is not "not at rest"."""
    clients.over["dynamodb"] = Refusals("batch_get_item", refusal("InternalServerError", status=500))
    put(place, wake_up("a0open"))
    with pytest.raises(LedgerUnreachableError):
        dead.redrive(place, AS_USUAL, per_s=1_000)
    with pytest.raises(LedgerUnreachableError):
        dead.drop(place, ALL, keep=lambda *_: None)
    assert dead_bodies(place) == [wake_up("a0open")]
