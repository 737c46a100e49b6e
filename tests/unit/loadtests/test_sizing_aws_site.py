"""Sampling versions of a deployed function: what is asked of Lambda, and what its answers come to."""

import base64
import io
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from moto import mock_aws

from clients.deployment import Deployment
from handlers.adapters.aws.items import item_of, plain_of
from loadtests.isolated.events import PAYLOADS, WEIGHTS, Event
from loadtests.sizing import aws_site
from loadtests.sizing.aws_site import COLD_AT_ONCE, AwsSite
from loadtests.sizing.plan import Plan
from loadtests.sizing.report_lines import NoReportError
from loadtests.sizing.search import search
from loadtests.sizing.stored_alerts import DUE_AFTER_S, SOURCE, StoredAlerts
from loadtests.sizing.versions import SizeRefusedError
from tests.fakes.deployment import PRIMARY, deployment_on_moto
from topology.functions import ANALYSIS, DISTRIBUTION, FUNCTIONS, RECEPTION, RECOVERY, FunctionSpec
from topology.names import Names

REPORT = (
    "REPORT RequestId: 8f5\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB\t"
    "Max Memory Used: 96 MB"
)


class ThrottledError(Exception):
    """AWS has no room now."""


@dataclass
class Stack:
    """Lambda, its versions and the tables as far as a site asks them; answers come from `tails` in turn."""

    tails: list[str] = field(default_factory=lambda: [REPORT])
    answer: Any = None
    throttled: int = 0
    told: bool = True
    refused_mb: int = 10_240
    invoked: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    prepared: int = 0

    class exceptions:  # noqa: N801 - boto3's word
        """What Lambda raises."""

        TooManyRequestsException = ThrottledError

    def invoke(self, *, Qualifier: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's word
        """Answer with the next tail."""
        if self.throttled:
            self.throttled -= 1
            raise ThrottledError
        self.invoked.append(Qualifier)
        tail = self.tails.pop(0) if len(self.tails) > 1 else self.tails[0]
        answer = {
            "LogResult": base64.b64encode(tail.encode()).decode(),
            "Payload": io.BytesIO(json.dumps(self.answer).encode()),
        }
        return answer | ({"FunctionError": "Unhandled"} if "Status" in tail else {})

    def publish(self, _spec: FunctionSpec, memory_mb: int) -> str:
        """The next version."""
        if memory_mb >= self.refused_mb:
            raise SizeRefusedError("AWS refuses it")
        self.made.append(str(len(self.made) + 2))
        return self.made[-1]

    def delete(self, _spec: FunctionSpec, version: str) -> None:
        """It is gone."""
        self.deleted.append(version)

    def prepare(self, event: Event) -> Event:
        """As it is."""
        self.prepared += 1
        return event

    def wait_until_told(self) -> None:
        """Nobody waits."""

    def told_alone(self, _event: Event) -> bool:
        """As the test has it."""
        return self.told


def site_of(stack: Stack, *, reserved: int | None = None, asks_model: bool = False) -> AwsSite:
    """A site of that stack."""
    return AwsSite(
        stack,
        Names("dev"),
        alerts=stack,  # type: ignore[arg-type]  # as far as it is used
        versions=stack,  # type: ignore[arg-type]  # as far as it is used
        reserved=dict.fromkeys(FUNCTIONS, reserved),
        slack_interval_s=0.0,
        asks_model=asks_model,
    )


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_site, "THROTTLED_PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr(aws_site, "GATHERED_WITHIN_S", 0.0)


def test_warm_samples_come_of_one_version_that_has_had_each_payload() -> None:
    """In turn, one after the other; the version is kept for the rounds to come."""
    stack = Stack(answer={"statusCode": 202})
    site = site_of(stack)
    samples = site.sample("reception", 512, cold=False, count=4)
    samples += site.sample("reception", 512, cold=False, count=2)
    assert Counter(one.payload for one in samples) == {"one alert": 3, "group of 20": 3}
    assert stack.made == ["2"]
    assert stack.invoked == ["2"] * (2 + 6)
    one = samples[0]
    assert (one.memory_mb, one.duration_ms, one.billed_ms, one.max_memory_mb) == (512, 12.34, 13, 96)
    assert (one.cold, one.init_ms, one.target_share, one.cpu_share) == (False, None, None, None)


@pytest.mark.parametrize(
    ("spec", "reserved", "at_once"),
    [(ANALYSIS, None, COLD_AT_ONCE), (ANALYSIS, 4, 2), (RECEPTION, 1, 1), (DISTRIBUTION, None, 1)],
)
def test_cold_samples_come_of_new_versions_within_half_of_what_is_reserved(
    spec: FunctionSpec, reserved: int | None, at_once: int
) -> None:
    """Each version is deleted at once; the stack's own invocations keep their room."""
    stack = Stack(
        tails=[f"{REPORT}\tInit Duration: 200.00 ms"], answer={"statusCode": 202, "batchItemFailures": []}
    )
    samples = site_of(stack, reserved=reserved).sample(spec.key, 512, cold=True, count=6)
    assert [one.cold for one in samples] == [True] * 6
    assert max(Counter(stack.invoked).values()) == at_once
    assert stack.deleted == stack.made == list(dict.fromkeys(stack.invoked))


@pytest.mark.parametrize(
    ("tail", "answer", "outcome"),
    [
        (f"{REPORT}\tStatus: timeout", None, "timeout"),
        (f"{REPORT}\tStatus: error\tError Type: Runtime.OutOfMemory", None, "out_of_memory"),
        (REPORT, {"batchItemFailures": [{"itemIdentifier": "m0"}]}, "function_error"),
    ],
)
def test_a_size_that_fails_is_a_result_and_not_asked_again(tail: str, answer: Any, outcome: str) -> None:
    """One sample says so."""
    stack = Stack(tails=[tail], answer=answer)
    (sample,) = site_of(stack).sample("analysis", 512, cold=False, count=5)
    assert sample.outcome == outcome


def test_a_size_that_the_account_may_not_have_is_a_result() -> None:
    """New accounts have a lower limit."""
    (sample,) = site_of(Stack(refused_mb=3_009)).sample("recovery", 4_096, cold=True, count=5)
    assert sample.outcome == "AWS refuses it"
    plan = Plan(sizes=(4_096,), payloads=WEIGHTS["recovery"])
    found = search(site_of(Stack(refused_mb=3_009)), "recovery", plan)
    assert (found.best_mb, found.sizes[0].bad) == (None, "AWS refuses it")


def test_new_faults_are_sent_only_where_the_model_may_be_asked() -> None:
    """It costs money."""
    known = {one.name: one.weight for one in PAYLOADS[ANALYSIS] if "new" not in one.name}
    assert site_of(Stack()).weights["analysis"] == known
    assert site_of(Stack(), asks_model=True).weights == WEIGHTS


def test_a_throttled_invocation_is_made_again() -> None:
    """The stack works meanwhile; in the end it is an error, not a sample."""
    stack = Stack(throttled=2)
    assert len(site_of(stack).sample("recovery", 512, cold=False, count=1)) == 1
    with pytest.raises(ThrottledError):
        site_of(Stack(throttled=9)).sample("recovery", 512, cold=False, count=1)


def test_an_alert_that_slack_had_no_room_for_is_no_sample() -> None:
    """It was put off, which takes less time; after some tries the site has no more samples."""
    stack = Stack(told=False, answer={"batchItemFailures": []})
    assert site_of(stack).sample("distribution", 512, cold=False, count=2) == []
    assert len(stack.invoked) == 1 + 3 * 2


def test_an_answer_without_a_report_ends_the_sweep() -> None:
    """In one clear line."""
    with pytest.raises(NoReportError):
        site_of(Stack(tails=["cut off"])).sample("recovery", 512, cold=False, count=1)


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    """A stack's tables."""
    with mock_aws():
        yield deployment_on_moto()


def rows_of(deployment: Deployment, table: str = "alerts") -> list[dict[str, Any]]:
    """What a table holds."""
    items = deployment.clients.client("dynamodb", PRIMARY).scan(TableName=table)["Items"]
    return [plain_of(item) for item in items]


def test_alerts_are_stored_for_each_wake_up_with_an_analysis_unless_their_fault_is_new(
    deployment: Deployment,
) -> None:
    """INFO, for nobody but the invocation for an hour; all is deleted, by another run too."""
    alerts = StoredAlerts(deployment, PRIMARY)
    known, batch, new = PAYLOADS[ANALYSIS]
    ids = [json.loads(one["body"])["alert_id"] for one in alerts.prepare(batch.event(1))["Records"]]
    (row, *_), cached = rows_of(deployment), rows_of(deployment, "analysis-cache")
    assert {one["alert_id"] for one in rows_of(deployment)} == set(ids)
    assert (row["severity"], row["source"], row["status"]) == ("INFO", SOURCE, "RECEIVED")
    assert row["due_at"] == row["timestamp"] + DUE_AFTER_S > time.time()
    assert (len(ids), len(cached)) == (batch.alerts, 1)
    alerts.prepare(known.event(2))
    alerts.prepare(new.event(3))
    alerts.prepare(PAYLOADS[DISTRIBUTION][0].event(4))
    assert rows_of(deployment, "analysis-cache") == cached
    assert len(rows_of(deployment)) == batch.alerts + 3
    assert StoredAlerts(deployment, PRIMARY).delete() == 0
    assert rows_of(deployment) == rows_of(deployment, "analysis-cache") == []


def test_what_reception_takes_in_finds_its_analysis(deployment: Deployment) -> None:
    """Else the stack would ask the model for each new cause."""
    alerts = StoredAlerts(deployment, PRIMARY)
    for payload in PAYLOADS[RECEPTION]:
        event = payload.event(7)
        assert alerts.prepare(event) == event
    assert rows_of(deployment) == []
    assert len(rows_of(deployment, "analysis-cache")) > 1
    assert alerts.prepare(PAYLOADS[RECOVERY][0].event(1)) == {}


def test_a_row_that_somebody_is_at_work_on_is_left(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wake-up for it may be under way, which would find nothing and end in a dead-letter queue."""
    monkeypatch.setattr("loadtests.sizing.stored_alerts.AT_REST_WITHIN_S", 0.0)
    alerts = StoredAlerts(deployment, PRIMARY)
    alerts.prepare(PAYLOADS[DISTRIBUTION][0].event(1))
    (row,) = rows_of(deployment)
    client = deployment.clients.client("dynamodb", PRIMARY)
    client.put_item(TableName="alerts", Item=item_of({**row, "due_at": row["timestamp"] + 120}))
    assert alerts.delete() == 1
    assert len(rows_of(deployment)) == 1
