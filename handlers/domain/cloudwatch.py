"""A CloudWatch alarm's change of state, whichever way it comes: SNS, EventBridge or the Lambda action.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
https://github.com/awsdocs/amazon-cloudwatch-user-guide/blob/main/doc_source/cloudwatch-and-eventbridge.md

The three write the same alarm with names in other cases, and one identity is made of all.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import DEFAULT_SEVERITY
from handlers.domain.values import Fields, id_of, lines_of, links_of, present, text_of, texts_of
from topology.alerts import Severity

SEVERITY: Final = "`ALARM` is HIGH, `INSUFFICIENT_DATA` MEDIUM: an alarm has none of its own"

RESOLUTION: Final = "`OK`; `INSUFFICIENT_DATA` resolves nothing"

_SEVERITIES: Final = {"ALARM": Severity.HIGH, "INSUFFICIENT_DATA": Severity.MEDIUM, "OK": Severity.INFO}
"""An alarm has no severity. Missing data is unknown, never healthy, so it is not INFO."""

_ARN: Final = re.compile(r"arn:aws:cloudwatch:([a-z0-9-]{1,40}):\d{1,20}:alarm:(.+)", re.DOTALL)


def alarm_alert(
    fields: Fields,
    *,
    name: str,
    arn: str | None,
    state: str | None,
    changed_at: str | None,
    texts: Iterable[str | None],
    labels: Mapping[str, str | None],
    metrics: Any,
) -> IncomingAlert:
    """The alert of an alarm. `fields`: the whole body; `metrics`: its metrics, in either form.

    `labels` has the account and region, which stand for the ARN where there is none.
    """
    status = (state or "").strip().upper()
    found = _metric_labels(metrics)
    given = present(labels)
    link = _ARN.fullmatch(arn or "")
    return IncomingAlert(
        source="cloudwatch",
        title=name,
        severity=_SEVERITIES.get(status, DEFAULT_SEVERITY),
        severity_word=state if state and status not in _SEVERITIES else None,
        part=msgspec.json.encode(fields.values).decode(),
        message=lines_of(texts),
        component=found.get("namespace") or given.get("namespace"),
        host=found.get("InstanceId"),
        links=links_of(
            source=link
            and f"https://console.aws.amazon.com/cloudwatch/home?region={link[1]}#alarmsV2:alarm/"
            + quote(link[2], safe="")
        ),
        started_at=changed_at,
        episode=changed_at or "",
        changed_at=changed_at,
        event_id=id_of(arn) or f"{given.get('account')}/{given.get('region')}/{name}",
        status=state,
        labels=given | found,
        mended=fields.mended,
    )


def state_change_alert(
    fields: Fields, alarm: Fields, *, arn: str | None, account: str | None
) -> IncomingAlert:
    """The alert of an event's change of state; `alarm`: the object in `fields` with its name and state."""
    state, configuration = alarm.inner("state"), alarm.inner("configuration")
    rule = configuration.text("alarmRule")
    return alarm_alert(
        fields,
        name=alarm.title("alarmName", stand_in=arn or "a CloudWatch alarm"),
        arn=arn,
        state=state.text("value", needed=True),
        changed_at=state.time("timestamp", needed=True) or fields.time("time"),
        texts=(state.text("reason"), configuration.text("description"), rule),
        labels={
            "account": account,
            "region": fields.text("region"),
            "rule": rule,
            "suppressed_by": state.text("actionsSuppressedBy"),
        },
        metrics=configuration.values.get("metrics"),
    )


def _metric_labels(metrics: Any) -> dict[str, str]:
    """What an alarm watches: namespace, metric, dimensions, and the expression over several metrics.

    Where metrics differ in one of these, the label has each once.
    """
    found: dict[str, dict[str, None]] = {}
    for part in metrics if isinstance(metrics, list) else [metrics]:
        for label, text in _of_metric(_lowered(part)).items():
            found.setdefault(label, {})[text] = None
    return {label: ", ".join(texts) for label, texts in found.items()}


def _of_metric(part: Mapping[str, Any]) -> dict[str, str]:
    metric = _lowered(_lowered(part.get("metricstat")).get("metric")) or part
    labels = {
        "namespace": text_of(metric.get("namespace")),
        "metric": text_of(metric.get("metricname") or metric.get("name")),
        "expression": text_of(part.get("expression")),
        "expression_label": text_of(part.get("label")) if part.get("expression") else None,
    }
    return _dimensions(metric.get("dimensions")) | present(labels)


def _lowered(value: Any) -> dict[str, Any]:
    return {name.casefold(): part for name, part in value.items()} if isinstance(value, dict) else {}


def _dimensions(value: Any) -> dict[str, str]:
    """Names and values, of those that have both; one without is left to the raw part."""
    if isinstance(value, dict):
        return {name: text for name, text in texts_of(value).items() if name and text}
    parts = [_lowered(part) for part in value] if isinstance(value, list) else []
    pairs = [(text_of(part.get("name")), text_of(part.get("value"))) for part in parts]
    return {name: text for name, text in pairs if name and text}
