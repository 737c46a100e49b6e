"""The alerts themselves: dead-letter queues, what is PARKED, what is open and for how long, expired rows."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from clients.checks import Check, Finding, failed, ok, unknown
from clients.metrics import own_metric, read_metrics
from clients.queues import message_count
from clients.rows import read_items
from deploy.checks.subject import Subject
from handlers.adapters.aws.items import plain_of
from runbook.health.functions import DAILY_SEE
from topology.alerts import Severity, open_key, parked_key
from topology.health import EXPIRED_MAX_S, STUCK_AFTER_S
from topology.metrics import OLDEST_EXPIRED, PERIOD_S
from topology.tables import OPEN_INDEX

COUNTED_MAX: Final = 1_000
"""Alerts of a region, and of each key of the index, that are counted and looked at."""

_AGES: Final = {"under 5 min": 300, "under 1 h": 3_600, "under 1 day": 86_400}
_OLDER: Final = "older"
_UNSEEN: Final = "of unknown age"
_COUNTED_SINCE: Final = timedelta(minutes=15)
"""Recovery says each minute how old the oldest expired row is; CloudWatch may be minutes late."""

_DEAD_LETTERS_SEE: Final = "docs/runbook.md#reprocess-failed-messages-from-the-dlq"
_DOWN_SEE: Final = "docs/runbook.md#system-down"


def dead_letter_check(subject: Subject) -> Check:
    """Both dead-letter queues of a region are empty."""
    return subject.check(
        "dead-letters",
        "queues",
        "the dead-letter queues are empty",
        actions=("sqs:GetQueueAttributes",),
        run=_dead_letters,
        see=_DEAD_LETTERS_SEE,
    )


def rest_checks(subject: Subject) -> Iterator[Check]:
    """What is not delivered: PARKED alerts, and open ones that Recovery does not bring on."""
    yield subject.check(
        "parked",
        "alerts",
        "no alert is PARKED",
        actions=("dynamodb:Query",),
        run=_parked,
        see="docs/runbook.md#slack-messages-not-delivered",
    )
    yield subject.check(
        "stuck",
        "alerts",
        f"no open alert has been due for {STUCK_AFTER_S} s",
        actions=("dynamodb:Query",),
        run=_stuck,
        see=_DOWN_SEE,
    )


def open_check(subject: Subject) -> Check:
    """How old what is open is."""
    return subject.check(
        "open-alerts",
        "alerts",
        "how many alerts are open, by age",
        actions=("dynamodb:Query", "dynamodb:BatchGetItem"),
        run=_open_by_age,
        see=DAILY_SEE,
    )


def expired_check(subject: Subject) -> Check:
    """Whether rows go that should be gone."""
    return subject.check(
        "expired-rows",
        "alerts",
        f"no row is {EXPIRED_MAX_S // 3_600} h beyond its time",
        actions=("cloudwatch:GetMetricData",),
        run=_expired,
        see="docs/runbook.md#database-maintenance",
    )


def _dead_letters(subject: Subject, region: str) -> Finding:
    endpoints, sqs = subject.endpoints(region), subject.client("sqs", region)
    urls = (endpoints.dead_letter_queue_url, endpoints.distribution_dead_letter_queue_url)
    depths = {url.rpartition("/")[2]: message_count(sqs, url) for url in urls}
    said = ", ".join(f"{queue} {depth}" for queue, depth in depths.items())
    if not any(depths.values()):
        return ok(said)
    return failed(said, "`responder dlq list` says what they are, and what to do about each")


def _parked(subject: Subject, region: str) -> Finding:
    count = _query(subject, region, parked_key(region), Select="COUNT")["Count"]
    if not count:
        return ok("none")
    return failed(f"{_bounded(count)} alerts of {region}", "`responder parked list` says which, and why")


def _stuck(subject: Subject, region: str) -> Finding:
    before_s = math.floor(subject.now().timestamp()) - STUCK_AFTER_S
    counts = {
        severity: _query(subject, region, open_key(region, severity), due_before_s=before_s, Select="COUNT")[
            "Count"
        ]
        for severity in Severity
    }
    if not any(counts.values()):
        return ok("none")
    said = ", ".join(f"{_bounded(count)} {severity}" for severity, count in counts.items() if count)
    return failed(f"Recovery does not bring on {said}", "`responder dr status` says how both regions stand")


def _open_by_age(subject: Subject, region: str) -> Finding:
    ids = [
        str(item["alert_id"]["S"])
        for severity in Severity
        for item in _query(subject, region, open_key(region, severity), ProjectionExpression="alert_id")[
            "Items"
        ]
    ]
    if not ids:
        return ok("none")
    dynamodb, table = subject.client("dynamodb", region), subject.deployment.alerts_table
    now_ms = subject.now().timestamp() * 1_000
    found = read_items(dynamodb, table, ids[:COUNTED_MAX], attributes=("accepted_at_ms",))
    ages_s = [
        (now_ms - row["accepted_at_ms"]) / 1_000 for row in map(plain_of, found) if "accepted_at_ms" in row
    ]
    by_age = Counter(
        next((name for name, end_s in _AGES.items() if age_s < end_s), _OLDER) for age_s in ages_s
    )
    by_age[_UNSEEN] = len(found) - len(ages_s) + len(ids[COUNTED_MAX:])
    said = f"{_bounded(len(ids))}: " + ", ".join(
        f"{by_age[name]} {name}" for name in (*_AGES, _OLDER, _UNSEEN) if by_age[name]
    )
    hint = "`responder alerts list --open` lists them"
    if by_age[_OLDER]:
        return failed(said, hint)
    return unknown(said, hint) if by_age[_UNSEEN] or len(ids) >= COUNTED_MAX else ok(said)


def _expired(subject: Subject, region: str) -> Finding:
    now = subject.now()
    [points] = read_metrics(
        subject.client("cloudwatch", region),
        {OLDEST_EXPIRED: own_metric(subject.deployment.names.stack, OLDEST_EXPIRED, "Maximum")},
        since=now - _COUNTED_SINCE,
        until=now,
        period_s=PERIOD_S,
    ).values()
    if not points:
        return unknown(
            "no data: Recovery has not come to an end, or its metrics are minutes late",
            "`responder dr status` says how both regions stand",
        )
    age_s = points[-1].value
    said = f"the oldest is {age_s / 3_600:.1f} h beyond its time" if age_s else "none"
    if age_s > EXPIRED_MAX_S:
        return failed(
            said, "`responder maintenance retention` says whether TTL is on; else see Recovery's log"
        )
    return ok(said)


def _query(
    subject: Subject, region: str, key: str, *, due_before_s: int | None = None, **asked: Any
) -> Mapping[str, Any]:
    """What the open index has under `key`, of at most `COUNTED_MAX` alerts."""
    condition, values = "open_key = :key", {":key": {"S": key}}
    if due_before_s is not None:
        condition, values = f"{condition} AND due_at < :due", values | {":due": {"N": str(due_before_s)}}
    answer: Mapping[str, Any] = subject.client("dynamodb", region).query(
        TableName=subject.deployment.alerts_table,
        IndexName=OPEN_INDEX.name,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        Limit=COUNTED_MAX,
        **asked,
    )
    return answer


def _bounded(count: int) -> str:
    return f"{count} or more" if count >= COUNTED_MAX else str(count)
