"""Alerts that wait without a message that wakes a worker for them, and what took the messages away."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from clients.queues import message_count
from dr.operations.drain import open_alerts
from runbook.diagnosis.evidence import Evidence, Probe, Scene, Sign
from topology.functions import RECOVERY
from topology.names import LIVE_ALIAS
from topology.queues import WORK_QUEUES

_APPROXIMATE: Final = 0.1
"""SQS counts about: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html"""

_GRACE_S: Final = 120
"""An alert is overdue for up to a minute until Recovery's next run, and until that has worked."""


def _open(scene: Scene, region: str) -> Iterator[Evidence]:
    """Alerts that are overdue while the queues hold fewer wake-ups than alerts are open, or for long."""
    deployment = scene.subject.deployment
    now_s = scene.now_ms // 1_000
    before = _wake_ups(scene, region)
    due = open_alerts(deployment, seen_in=region, owner=region, now_s=now_s)
    if not due.overdue:
        return
    # One that ended since is counted before, one that came since is counted after.
    messages = max(before, _wake_ups(scene, region))
    without = min(due.overdue, due.total - messages)
    recovery = _recovery_by_hand(scene, region)
    if without > messages * _APPROXIMATE:
        detail = f"{due.overdue} alerts of {region} are overdue, and no queue holds a wake-up for {without}"
        yield Evidence(sign=Sign.WAKE_UPS_LOST, region=region, detail=detail, mend=recovery)
        return
    late = open_alerts(deployment, seen_in=region, owner=region, now_s=now_s - _GRACE_S)
    if late.overdue:
        detail = f"{late.overdue} alerts of {region} are overdue for {_GRACE_S // 60} minutes"
        yield Evidence(sign=Sign.OVERDUE, region=region, detail=detail, mend=recovery)


def _wake_ups(scene: Scene, region: str) -> int:
    sqs, endpoints = scene.subject.client("sqs", region), scene.subject.endpoints(region)
    return sum(message_count(sqs, endpoints.queue_url(spec)) for spec in WORK_QUEUES)


def _purges(scene: Scene, region: str) -> Iterator[Evidence]:
    """Purges that CloudTrail has, which may be minutes late; one is over once Recovery has made up for it.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
    """
    deployment, now_s = scene.subject.deployment, scene.now_ms // 1_000
    fresh_s = now_s - scene.subject.config.lease_s - _GRACE_S  # since when Recovery may not have run twice
    endpoints = scene.subject.endpoints(region)
    queues = {endpoints.queue_url(spec): deployment.names.queue(spec) for spec in WORK_QUEUES}
    found = scene.subject.client("cloudtrail", region).lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "PurgeQueue"}],
        StartTime=datetime.fromtimestamp(scene.since_ms // 1_000, UTC),
    )["Events"]
    for event in found:
        record, at = json.loads(event["CloudTrailEvent"]), event["EventTime"].astimezone(UTC)
        queue = queues.get((record.get("requestParameters") or {}).get("queueUrl", ""))
        if queue is None or "errorCode" in record:
            continue
        if (
            at.timestamp() > fresh_s
            or open_alerts(deployment, seen_in=region, owner=region, now_s=now_s).overdue
        ):
            detail = f"{event.get('Username', 'somebody')} purged {queue} at {at:%H:%M:%S} UTC"
            yield Evidence(
                sign=Sign.QUEUE_PURGED, region=region, what=queue, detail=detail,
                mend=_recovery_by_hand(scene, region),
            )  # fmt: skip


def _recovery_by_hand(scene: Scene, region: str) -> str:
    function = f"{scene.subject.deployment.names.function(RECOVERY)}:{LIVE_ALIAS}"
    return scene.aws("lambda invoke /dev/null", region, function_name=function)


WAKE_UP_PROBES: Final = (
    Probe(
        id="purges", category="queues", title="no work queue was purged of late",
        actions=("cloudtrail:LookupEvents",), look=_purges,
    ),
    Probe(
        id="open-alerts", category="records", title="no alert is overdue",
        actions=("dynamodb:Query", "sqs:GetQueueAttributes"), look=_open,
    ),
)  # fmt: skip
