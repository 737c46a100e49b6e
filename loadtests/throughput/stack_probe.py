"""A probe of a running stack: a rate is offered to one region, and what became of each alert is read.

Every post is tried once, as the limit of one region is looked for: sources that try again, or elsewhere,
would change the rate that is offered.
"""

import contextlib
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chaos.queues import work_queues
from clients.alert_source import AlertSource
from clients.deployment import Deployment, RegionEndpoints
from clients.load import Arrival, Load
from clients.queues import RECEIVED, WAITING, message_count
from clients.rows import read_items
from clients.schedules import Stage, Stages
from clients.sender import POST_TIMEOUT_S, Webhook
from handlers.adapters.aws.items import plain_of
from handlers.domain.limits import REMEMBERED_MS
from loadtests.throughput.measures import Measures, Slo, breaches
from loadtests.throughput.measuring import LEAD_IN, AlertOutcome, measure, served_per_s
from loadtests.throughput.telemetry import Telemetry, TelemetryReader
from topology.alerts import FollowUp, Severity
from topology.errors import ExplainedError
from topology.records import CLAUDE_BREAKER, SLACK_RATE
from topology.tables import ALERTS

POSTS_AT_ONCE: Final = 64
GRACE_S: Final = 15.0
"""How long after a probe's end an alert may still be told."""

SETTLED_WITHIN_S: Final = 60.0
BEGINS_AFTER_S: Final = 0.3
WARM_UP_PER_S: Final = 4.0
WARM_UP_S: Final = 4.0
_POLL_S: Final = 0.5
_RECOVERED_S: Final = 3.0
_PERCENT: Final = 100.0
_ACCEPTED: Final = 202
_SERVER_ERROR: Final = 500
LEAST_ALERTS: Final = 20
"""In the steady part of a probe: a percent of fewer is a fraction of an alert."""

_COUNTED: Final = (WAITING, RECEIVED)
"""Delayed ones are left: of alerts that went out in a digest meanwhile, which are dropped at a look, and of
those that are known to be unfinished."""
_ATTRIBUTES: Final = ("accepted_at_ms", "notified_at_ms", "digest_id", "analysis_error", "follow_up")


class UndecidableError(ExplainedError):
    """A probe would measure nothing: what is wrong with it, and what to do."""


@dataclass(frozen=True)
class ProbeResult:
    """A rate that was offered, and what came of it. `breaches` are the thresholds that were missed."""

    per_s: float
    seconds: float
    measures: Measures
    served_per_s: float
    breaches: tuple[str, ...]
    telemetry: Telemetry

    @property
    def passed(self) -> bool:
        """Whether every threshold was met."""
        return not self.breaches


@dataclass(kw_only=True)
class StackProbe:
    """Probes one region of a stack, which settles before each probe: nothing is left of the one before."""

    deployment: Deployment
    endpoints: RegionEndpoints
    webhook: Webhook
    reader: TelemetryReader
    source: AlertSource
    slo: Slo
    progress: Callable[[str], None] = lambda _: None
    pause: Callable[[float], object] = time.sleep
    _number: int = 0
    _refused: bool = False
    _unfinished: Sequence[str] = ()

    def warm_up(self) -> None:
        """Have workers start and analyses be cached, without measuring.

        Raises as a probe does.
        """
        self.progress("warming up")
        self._offer(WARM_UP_PER_S, WARM_UP_S)
        self.settle()

    def __call__(self, per_s: float, seconds: float) -> ProbeResult:
        """Offer `per_s` alerts a second for so many seconds.

        Raises:
            UndecidableError: it is too short to decide anything, or the webhook takes nothing at all.
            LoadFailedError: the load died.
            botocore.exceptions.ClientError, BotoCoreError, EmulatorError: the stack does not answer.
        """
        alerts = int(per_s * seconds * (1 - LEAD_IN))
        if alerts < LEAST_ALERTS:
            needed = math.ceil(LEAST_ALERTS / per_s / (1 - LEAD_IN))
            raise UndecidableError(
                f"{seconds:g} s at {per_s:.3g} alerts a second are {alerts} alerts, too few to decide on; "
                f"{LEAST_ALERTS} take {needed} s, which --seconds {2 * needed} would give each probe"
            )
        self.settle()
        self.progress(f"{per_s:.3g} a second for {seconds:g} s")
        self.reader.begin()
        begun_s, arrivals, never_sent = self._offer(per_s, seconds)
        late = sum(arrival.late for arrival in arrivals)
        telemetry = self.reader.end(posts=len(arrivals) + never_sent, late_posts=late + never_sent)
        outcomes = self._outcomes(begun_s, arrivals)
        self._refused = bool(telemetry.slack_refused or telemetry.model_refused)
        posts = telemetry.slack_posts + telemetry.slack_refused
        refused = _PERCENT * telemetry.slack_refused / posts if posts else 0.0
        analysed_only = any(one.metric == "analysed_percent" for one in self.slo)
        measures = measure(outcomes, slack_refused_percent=refused, seconds=seconds)
        if (
            measures.growth_percent is None
            and not measures.untold_percent
            and measures.alone_percent is not None
        ):
            raise UndecidableError(
                f"{seconds:g} s at {per_s:.3g} alerts a second make too few messages to know a backlog by; "
                "give longer --seconds, or more of --critical"
            )
        return ProbeResult(
            per_s,
            seconds,
            measures,
            served_per_s(outcomes, seconds=seconds, analysed_only=analysed_only),
            breaches(self.slo, measures),
            telemetry,
        )

    def settle(self) -> None:
        """Have nothing left of the probe before: no message, no alert to be told or followed up, no back-off.

        Recovery runs out of turn, and the records of Slack's pace and the model's breaker are deleted, as an
        operator may do too. What takes longer than `SETTLED_WITHIN_S` is left.
        """
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while (left := sum(map(self._messages, work_queues(self.endpoints)))) and time.monotonic() < deadline:
            self.progress(f"waiting for {left} messages")
            self.pause(_POLL_S)
        if self._refused:
            self._forget_back_offs()
        while self._unfinished and time.monotonic() < deadline:
            self.progress(f"waiting for {len(self._unfinished)} alerts to be told of or followed up")
            self._finish()
        self._unfinished = ()

    def _finish(self) -> None:
        """Have Recovery see now to what it would see to within the next probe, and wait a little."""
        for alert_id, row in self._rows(self._unfinished).items():
            if row.get("follow_up") == FollowUp.WANTED:
                self._make_due(alert_id)
        self.deployment.run_recovery(self.endpoints.region)
        self.pause(_RECOVERED_S)
        self._unfinished = _unfinished(self._unfinished, self._rows(self._unfinished))

    def _make_due(self, alert_id: str) -> None:
        """A follow-up waits a minute, which is of no use here. One that has ended meanwhile is left alone."""
        dynamodb = self._client("dynamodb")
        with contextlib.suppress(dynamodb.exceptions.ConditionalCheckFailedException):
            dynamodb.update_item(
                TableName=self.deployment.alerts_table,
                Key={ALERTS.hash_key.name: {"S": alert_id}},
                UpdateExpression="SET due_at = :now",
                ConditionExpression="attribute_exists(due_at)",
                ExpressionAttributeValues={":now": {"N": f"{time.time():.0f}"}},
            )

    def _forget_back_offs(self) -> None:
        dynamodb = self._client("dynamodb")
        for record in (SLACK_RATE, CLAUDE_BREAKER):
            dynamodb.delete_item(TableName=self.deployment.coordination_table, Key={"name": {"S": record}})
        self.pause(REMEMBERED_MS / 1000)

    def _offer(self, per_s: float, seconds: float) -> tuple[float, list[Arrival], int]:
        """When the load began (epoch seconds), the posts that ended, and how many were never sent."""
        arrivals: list[Arrival] = []
        schedule = Stages((Stage(seconds, per_s, per_s),))
        begin_at, first = time.time() + BEGINS_AFTER_S, self._number
        with tempfile.TemporaryDirectory(prefix="responder-tune-") as folder:
            load = Load(
                post=lambda number: self.source.post(first + number, (self.webhook,)),
                schedule=schedule,
                receipts=Path(folder) / "receipts.jsonl",
                at_once=POSTS_AT_ONCE,
                begin_at=begin_at,
                ended=arrivals.append,
                retry_for_s=0.0,
            )
            load.start()
            try:
                load.wait(BEGINS_AFTER_S + seconds + 2 * POST_TIMEOUT_S)
            finally:
                load.stop()
        self._number += schedule.count
        _check_answers(self.endpoints.region, arrivals)
        return begin_at, arrivals, load.never_sent

    def _outcomes(self, begun_s: float, arrivals: Sequence[Arrival]) -> list[AlertOutcome]:
        """What became of each alert, once all are told or their grace is over."""
        ids = [receipt.alert_id for arrival in arrivals for receipt in arrival.outcome.alerts]
        deadline, rows = time.monotonic() + GRACE_S, self._rows(ids)
        while time.monotonic() < deadline and any("notified_at_ms" not in row for row in rows.values()):
            self.pause(_POLL_S)
            rows = self._rows(ids)
        self._unfinished = _unfinished(ids, rows)
        return [self._outcome(begun_s, arrival, rows) for arrival in arrivals]

    def _outcome(self, begun_s: float, arrival: Arrival, rows: dict[str, dict[str, Any]]) -> AlertOutcome:
        row = next((rows.get(receipt.alert_id, {}) for receipt in arrival.outcome.alerts), {})
        return AlertOutcome(
            due_s=arrival.due_s,
            ended_s=arrival.ended_s,
            status=arrival.outcome.status,
            critical=arrival.post.severity is Severity.CRITICAL,
            accepted_s=_since(begun_s, row.get("accepted_at_ms")),
            told_s=_since(begun_s, row.get("notified_at_ms")),
            digest_id=row.get("digest_id"),
            analysed="analysis_error" not in row,
        )

    def _rows(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What the ledger says of these alerts, by id."""
        found = read_items(
            self._client("dynamodb"), self.deployment.alerts_table, ids, attributes=_ATTRIBUTES
        )
        return {row["alert_id"]: row for row in map(plain_of, found)}

    def _messages(self, url: str) -> int:
        return message_count(self._client("sqs"), url, _COUNTED)

    def _client(self, service: str) -> Any:
        return self.deployment.clients.client(service, self.endpoints.region)


def _check_answers(region: str, arrivals: Sequence[Arrival]) -> None:
    """Nobody can be overloaded who never answers, or refuses whatever comes.

    Raises:
        UndecidableError: saying which.
    """
    statuses = {arrival.outcome.status for arrival in arrivals}
    if statuses == {None}:
        raise UndecidableError(f"nothing answers at the webhook of {region}; see `responder local status`")
    refused = statuses - {None}
    if refused and max(status or 0 for status in refused) < _SERVER_ERROR and _ACCEPTED not in refused:
        said = ", ".join(sorted(map(str, refused)))
        raise UndecidableError(
            f"the webhook of {region} answers every post with {said}: is the API key the stack's own?"
        )


def _unfinished(ids: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Those that people are to be told of, or of whose analysis."""
    found = {alert_id: rows.get(alert_id, {}) for alert_id in ids}
    return [key for key, row in found.items() if "notified_at_ms" not in row or "follow_up" in row]


def _since(begun_s: float, at_ms: int | None) -> float | None:
    return None if at_ms is None else at_ms / 1000 - begun_s
