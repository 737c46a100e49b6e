"""What traffic meets: the webhook, the functions as they run, the records that they share."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from clients.aws import is_absent
from clients.coordination import CoordinationRecords, CoordinationUnreachableError
from clients.logs import read_events
from clients.metrics import function_metric, read_metrics, total
from clients.rows import read_items
from dr.operations.environment import OK
from handlers.adapters.aws.items import plain_of
from runbook.diagnosis.evidence import Evidence, Probe, Scene, Sign
from runbook.diagnosis.settings_probes import throttled, throttling
from topology.alerts import follow_up_key
from topology.config_keys import STRONG
from topology.functions import ANALYSIS, DISTRIBUTION, FUNCTIONS, RECEPTION, RECOVERY, FunctionSpec
from topology.names import LIVE_ALIAS
from topology.records import CLAUDE_BREAKER, ownership_record, rate_record
from topology.tables import OPEN_INDEX

_INVOCATIONS: Final = "Invocations"
_FAILURES: Final = {"Errors": Sign.FUNCTION_FAILS, "Throttles": Sign.FUNCTION_THROTTLED}
_NOTHING: Final = b'{"Records": []}'
"""A batch of a queue without a message: a worker starts, reads its settings and has nothing to do."""

WORKS: Final[Mapping[FunctionSpec, str]] = {
    RECEPTION: '"Accepted an alert"',
    ANALYSIS: '"analysis"',
    DISTRIBUTION: '"Notified"',
    RECOVERY: '"Recovery ran"',
}
"""What a function logs where all went well with an alert; after it, failures of before are over."""

_PERIOD_S: Final = 60
_SHOWN: Final = 5
_REFUSED: Final = re.compile(
    r"key is refused|model is not to be had|spend limit is reached|put its value there"
)
"""What no later call mends, as the analysis function words it; 408, 409 and 429 pass by themselves."""


def _webhook(scene: Scene, region: str) -> Iterator[Evidence]:
    """What `/health` answers, which runs reception and reads the ledger; a cold one is asked twice."""
    url = scene.subject.endpoints(region).health_url
    answer = scene.subject.web.get(url) or scene.subject.web.get(url)
    status = "`responder dr status`"
    if answer is None:
        yield Evidence(sign=Sign.WEBHOOK_SILENT, region=region, detail=f"{url} does not answer", mend=status)
    elif answer.status in (403, 404):
        detail = f"{url} answers {answer.status}: its stage or path is gone"
        yield Evidence(sign=Sign.WEBHOOK_GONE, region=region, detail=detail, mend=f"run {scene.subject.up}")
    elif answer.status != OK:
        reason = answer.body.get("error") or answer.body.get("status") or "no reason given"
        detail = f"{url} answers {answer.status} ({reason})"
        yield Evidence(sign=Sign.WEBHOOK_FAILS, region=region, detail=detail, mend=status)


def _invocations(scene: Scene, region: str) -> Iterator[Evidence]:
    """Each worker run once with nothing to do: it fails as it would with an alert."""
    client = scene.subject.client("lambda", region)
    for spec in (ANALYSIS, DISTRIBUTION):
        name = scene.subject.deployment.names.function(spec)
        try:
            answer = client.invoke(FunctionName=name, Qualifier=LIVE_ALIAS, Payload=_NOTHING)
        except ClientError as error:
            if is_absent(error):
                continue  # the probe of settings says so
            if error.response["Error"]["Code"] != "TooManyRequestsException":
                raise
            yield Evidence(
                sign=Sign.FUNCTION_THROTTLED, region=region, what=name,
                detail=f"{name} is throttled ({error.response.get('Reason', 'no reason given')})",
                mend=scene.aws("lambda get-account-settings", region),
            )  # fmt: skip
            continue
        if answer.get("FunctionError"):
            yield Evidence(
                sign=Sign.FUNCTION_FAILS, region=region, what=name,
                detail=f"{name} fails with nothing to do: {_error_in(answer['Payload'].read())}",
                mend=log_of(scene, region, spec),
            )  # fmt: skip


def log_of(scene: Scene, region: str, spec: FunctionSpec) -> str:
    """The command that shows what a function logged in the time that is looked at."""
    minutes = -(-(scene.now_ms - scene.since_ms) // 60_000)
    return f"`responder logs tail --function {spec.key} --region {region} --since {minutes}m`"


def _error_in(payload: bytes) -> str:
    try:
        body = json.loads(payload)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return "no reason given"
    return f"{body.get('errorType', 'error')}: {body.get('errorMessage', 'no reason given')}"


def _metrics(scene: Scene, region: str) -> Iterator[Evidence]:
    """Errors and throttles by function, as Lambda counts them a minute; it may be one late.

    They are over where the function has worked in a later minute. What waits in a queue is tried again, so
    that a worker's throttles are a sign where it ran less often in these minutes than it was throttled.
    """
    names = {spec: scene.subject.deployment.names.function(spec) for spec in FUNCTIONS}
    metrics = {
        f"{name} {metric}": function_metric(name, metric)
        for name in names.values()
        for metric in (_INVOCATIONS, *_FAILURES)
    }
    until = scene.subject.now()
    since = datetime.fromtimestamp(scene.since_ms // 1_000 // _PERIOD_S * _PERIOD_S, UTC)
    points = read_metrics(
        scene.subject.client("cloudwatch", region), metrics, since=since,
        until=max(until, since + timedelta(seconds=_PERIOD_S)), period_s=_PERIOD_S,
    )  # fmt: skip
    for spec, name in names.items():
        for metric, sign in _FAILURES.items():
            failed = [point for point in points[f"{name} {metric}"] if point.value]
            if not failed or _worked(scene, spec, region, since=failed[-1].at):
                continue
            count, minutes = total(failed) or 0, {point.at for point in failed}
            ran = total([point for point in points[f"{name} {_INVOCATIONS}"] if point.at in minutes])
            if sign is Sign.FUNCTION_THROTTLED and spec != RECEPTION and count <= (ran or 0):
                continue
            yield Evidence(
                sign=sign, region=region, what=name, detail=f"{name}: {count:g} {metric.lower()}",
                mend=log_of(scene, region, spec),
            )  # fmt: skip


def _worked(scene: Scene, spec: FunctionSpec, region: str, *, since: datetime) -> bool:
    """Whether an alert came through a function after the minute that began at `since`."""
    since_ms = round((since.timestamp() + _PERIOD_S) * 1_000)
    deployment = scene.subject.deployment
    return bool(read_events(deployment, spec, region, since_ms=since_ms, pattern=WORKS[spec], limit=1))


def _records(scene: Scene, region: str) -> Iterator[Evidence]:
    """What the functions share: Slack's back-off, Claude's breaker, the switch, whose alerts these are."""
    deployment, now_ms = scene.subject.deployment, scene.now_ms
    records = CoordinationRecords(deployment, region)

    def values(name: str) -> dict[str, Any]:
        record = records.read(name)
        return dict(record.values) if record else {}

    try:
        for route in ("", *(route.name for route in scene.subject.config.routes)):
            if (until_ms := values(rate_record(route)).get("back_off_ms", 0)) > now_ms:
                left_s = (until_ms - now_ms) // 1_000
                channel = f"the channel of route {route}" if route else "the default channel"
                yield Evidence(
                    sign=Sign.SLACK_WAITS, region=region, what=channel,
                    detail=f"Slack asked everybody to stay away from {channel} for {left_s} s more",
                    mend="`responder diagnose slack`",
                )  # fmt: skip
        yield from _breaker(scene, region, values(CLAUDE_BREAKER))
        if records.switched_on_ms():
            yield Evidence(
                sign=Sign.SWITCHED, region=region, detail=f"the switch of {region} is on",
                mend="`responder dr status`",
            )  # fmt: skip
        if deployment.ledger_consistency != STRONG:
            peer = next(one.region for one in deployment.regions if one.region != region)
            own, other = values(ownership_record(region)), values(ownership_record(peer))
            returned_ms = own.get("returned_ms", 0)
            if returned_ms and other.get("heartbeat_ms", 0) <= returned_ms:
                yield Evidence(
                    sign=Sign.FENCED, region=region, mend="`responder dr status`",
                    detail=f"{region} came back and waits until it has seen a newer record of {peer}",
                )  # fmt: skip
    except CoordinationUnreachableError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and throttled(cause):
            yield throttling(region, deployment.coordination_table, cause)
        elif cause is not None:
            raise cause from error


def _breaker(scene: Scene, region: str, breaker: dict[str, Any]) -> Iterator[Evidence]:
    """Claude's last calls in a row that were not answered; why, by the alerts that went out without it."""
    failures = breaker.get("failures", 0)
    if not failures and breaker.get("open_until_ms", 0) <= scene.now_ms:
        return
    reasons = _reasons(scene, region)
    refused = [reason for reason in reasons if _REFUSED.search(reason)]
    detail = f"Claude did not answer the last {failures} calls"
    yield Evidence(
        sign=Sign.CLAUDE_REFUSES if refused else Sign.CLAUDE_FAILS,
        region=region,
        what="Claude",
        detail=f"{detail}: {(refused or reasons)[0]}" if reasons else detail,
        mend="`responder secrets status --check`" if refused else log_of(scene, region, ANALYSIS),
    )


def _reasons(scene: Scene, region: str) -> list[str]:
    """Why the model is to be asked again, as the alerts say that were due for that first."""
    deployment, client = scene.subject.deployment, scene.subject.client("dynamodb", region)
    found = client.query(
        TableName=deployment.alerts_table,
        IndexName=OPEN_INDEX.name,
        KeyConditionExpression="open_key = :key",
        ExpressionAttributeValues={":key": {"S": follow_up_key(region)}},
        Limit=_SHOWN,
    )["Items"]
    ids = [item["alert_id"]["S"] for item in found]
    rows = read_items(client, deployment.alerts_table, ids, attributes=["analysis_error"]) if ids else []
    reasons = (plain_of(row).get("analysis_error") for row in rows)
    return sorted({str(reason) for reason in reasons if reason and "is not asked" not in reason})


TRAFFIC_PROBES: Final = (
    Probe(
        id="webhook", category="api", title="the webhook answers", actions=(), look=_webhook,
    ),
    Probe(
        id="invocations", category="functions", title="the workers run, invoked with nothing to do",
        actions=("lambda:InvokeFunction",), look=_invocations,
    ),
    Probe(
        id="metrics", category="functions", title="no invocation fails or is throttled",
        actions=("cloudwatch:GetMetricData", "logs:FilterLogEvents"), look=_metrics,
    ),
    Probe(
        id="records", category="records", title="Slack and Claude are asked, no switch is on",
        actions=("dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem"), look=_records,
    ),
)  # fmt: skip
