"""A probe of a stack: what it offers, what it reads, and when it cannot decide anything."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from clients.alert_source import AlertSource
from clients.sender import Webhook
from loadtests.throughput.measures import read_slo
from loadtests.throughput.stack_probe import POSTS_AT_ONCE, StackProbe, UndecidableError
from loadtests.throughput.telemetry import Telemetry
from tests.fakes.http_server import Answer, ScriptedServer

ACCEPTED = Answer(202, b'{"alerts": [{"alert_id": "a1", "status": "RECEIVED"}]}')
QUEUES = ("processing", "processing_critical", "distribution", "distribution_critical")
ENDPOINTS = SimpleNamespace(region="us-east-1", **{f"{name}_queue_url": name for name in QUEUES})


@dataclass
class Stack:
    """AWS as far as a probe asks it: queues that hold `waiting` messages, each time fewer, and one row."""

    row: dict[str, Any] = field(default_factory=dict)
    waiting: int = 0
    deleted: list[str] = field(default_factory=list)
    made_due: int = 0
    recovered: int = 0

    @property
    def exceptions(self) -> Any:
        """What a refused condition raises."""
        return SimpleNamespace(ConditionalCheckFailedException=ConnectionError)

    def client(self, *_: str) -> "Stack":
        """Any client."""
        return self

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        """What a queue holds."""
        self.waiting = max(0, self.waiting - 1)
        return {"Attributes": {"ApproximateNumberOfMessages": str(self.waiting)}}

    def batch_get_item(self, **_: Any) -> dict[str, Any]:
        """The row, told at once."""
        now = str(time.time_ns() // 1_000_000)
        row = {"alert_id": {"S": "a1"}, "accepted_at_ms": {"N": now}, "notified_at_ms": {"N": now}}
        return {"Responses": {"alerts": [{**row, **self.row}]}}

    def update_item(self, **_: Any) -> None:
        """A follow-up is due; one that has ended is refused."""
        self.made_due += 1
        raise ConnectionError

    def run_recovery(self, _region: str) -> None:
        """The second run follows up."""
        self.recovered += 1
        if self.recovered > 1:
            self.row = {}

    def delete_item(self, *, Key: dict[str, dict[str, str]], **_: Any) -> None:  # noqa: N803 - AWS's word
        """Forget a record."""
        self.deleted.append(Key["name"]["S"])


@dataclass
class Figures:
    """A reader of figures that hardly say anything."""

    model_refused: int = 0
    began: int = 0

    def begin(self) -> None:
        """Count it."""
        self.began += 1

    def end(self, *, posts: int, late_posts: int) -> Telemetry:
        """So many calls of the model were refused."""
        return Telemetry(
            seconds=1.0, posts=posts, late_posts=late_posts, model_calls=9, model_refused=self.model_refused
        )


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A webhook that accepts everything, until a test has it do otherwise."""
    one = ScriptedServer([ACCEPTED])
    yield one
    one.stop()


def probe_of(server: ScriptedServer, stack: Stack, reader: Figures | None = None) -> StackProbe:
    """A probe of a stack behind that webhook."""
    deployment = SimpleNamespace(
        clients=stack,
        alerts_table="alerts",
        coordination_table="coordination",
        run_recovery=stack.run_recovery,
    )
    return StackProbe(
        deployment=deployment,  # type: ignore[arg-type]  # as far as it is used
        endpoints=ENDPOINTS,  # type: ignore[arg-type]  # as far as it is used
        webhook=Webhook("us-east-1", server.url, "key"),
        reader=reader or Figures(),
        source=AlertSource(source="tune"),
        slo=read_slo(),
    )


def test_a_probe_offers_its_rate_and_reads_what_became_of_each_alert(server: ScriptedServer) -> None:
    """Each post once, each alert another one; latency and share come from the ledger."""
    probe = probe_of(server, Stack(row={"analysis_error": {"S": "busy"}}))
    result = probe(60, 1.0)
    assert len(server.heard) == result.telemetry.posts == 60
    events = {json.loads(heard.body)["event_id"] for heard in server.heard}
    assert len(events) == 60
    assert result.measures.error_percent == 0
    assert (result.measures.alone_percent, result.measures.analysed_percent) == (100, 0)
    assert result.measures.critical_p95_s == 0
    assert not result.passed
    probe(60, 1.0)
    assert len({json.loads(heard.body)["event_id"] for heard in server.heard}) == 120


def test_what_is_refused_is_tried_once_and_counted(server: ScriptedServer) -> None:
    """A retry would offer more than the rate."""
    server.script[:] = [*[Answer(503)] * 30, ACCEPTED]
    result = probe_of(server, Stack())(60, 1.0)
    assert len(server.heard) == 60
    assert result.measures.error_percent == pytest.approx(100 * 15 / 45, abs=5)


def test_a_post_that_begins_late_is_counted_once() -> None:
    """It was sent all the same: all posts are those that were due."""
    slow = ScriptedServer([ACCEPTED], delay_s=1.0)
    telemetry = probe_of(slow, Stack())(2.0 * POSTS_AT_ONCE, 1.0).telemetry
    slow.stop()
    assert telemetry.posts == len(slow.heard) == 2 * POSTS_AT_ONCE
    assert 0 < telemetry.late_posts <= POSTS_AT_ONCE


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(403), "answers every post with 403: is the API key the stack's own"),
        (Answer(reset=True), "nothing answers at the webhook of us-east-1"),
    ],
)
def test_a_webhook_that_takes_nothing_at_all_is_no_limit(
    server: ScriptedServer, answer: Answer, says: str
) -> None:
    """A wrong key or a stack that is gone would look like a knee at nothing."""
    server.script[:] = [answer]
    probe = probe_of(server, Stack())
    with pytest.raises(UndecidableError, match=says):
        probe(60, 1.0)


def test_a_probe_of_too_few_alerts_says_how_long_it_would_have_to_be(server: ScriptedServer) -> None:
    """Before it begins."""
    with pytest.raises(UndecidableError, match="are 3 alerts, too few to decide on; 20 take 267 s"):
        probe_of(server, Stack())(0.1, 40.0)
    assert server.heard == []


def test_a_region_settles_before_each_probe(server: ScriptedServer) -> None:
    """Queues are empty, and who was asked to stay away asks again: else the last probe would be measured."""
    stack, paused = Stack(waiting=9), []
    probe = probe_of(server, stack, Figures(model_refused=3))
    probe.pause = paused.append
    probe(60, 1.0)
    assert stack.waiting == 0
    assert stack.deleted == []
    probe.settle()
    assert stack.deleted == ["slack", "claude"]
    assert paused[-1] == 5


def test_what_a_probe_leaves_to_recovery_is_done_before_the_next(server: ScriptedServer) -> None:
    """Recovery would see to it within the next probe, whose limits it would share."""
    stack, paused = Stack(row={"follow_up": {"S": "WANTED"}}), []
    probe = probe_of(server, stack)
    probe(60, 1.0)
    assert stack.recovered == 0
    probe.pause = paused.append
    probe.settle()
    assert (stack.recovered, stack.made_due) == (2, 2)
    probe.settle()
    assert stack.recovered == 2


def test_too_few_messages_to_know_a_backlog_by_decide_nothing(server: ScriptedServer) -> None:
    """All went out in one digest: that is neither a pass nor a limit."""
    with pytest.raises(
        UndecidableError, match="too few messages to know a backlog by; give longer --seconds"
    ):
        probe_of(server, Stack(row={"digest_id": {"S": "d"}}))(60, 1.0)
