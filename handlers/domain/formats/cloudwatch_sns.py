"""The message that a CloudWatch alarm publishes to SNS, metric or composite.

SNS cannot send an API key, so alarms come in by a Lambda subscription on this stack's own topic
(`handlers.domain.intake.alarms` takes the message out of the event). An SNS envelope that is POSTed to the
webhook is refused, and its SubscribeURL is never fetched: anybody could have written it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.formats import Identity
from handlers.domain.refusal import RefusedError
from handlers.domain.values import id_of, text_of
from topology.alerts import Severity

_SEVERITY: Final = {"ALARM": Severity.HIGH, "INSUFFICIENT_DATA": Severity.MEDIUM, "OK": Severity.INFO}
"""An alarm has no severity. Missing data is unknown, never healthy, so it is not INFO."""


class CloudWatchFormat:
    """A CloudWatch alarm's change of state, as SNS delivers it: one alert."""

    name = "cloudwatch_sns"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`AlarmArn`, else account, region and name",
        episode="`StateChangeTime`",
        sent_at="SNS's own",
        resolution="`OK`; `INSUFFICIENT_DATA` resolves nothing",
    )
    severity = "`ALARM` is HIGH, `INSUFFICIENT_DATA` MEDIUM"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """An alarm, or the SNS envelope of anything, so that the refusal can explain."""
        return _is_envelope(body) or {"AlarmName", "NewStateValue"} <= body.keys()

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[IncomingAlert]:
        """The alarm's change of state as one alert."""
        if _is_envelope(body):
            raise RefusedError(
                422,
                "sns_envelope",
                field="Type",
                hint="SNS is not taken at the webhook, and no SubscribeURL is ever fetched; let the alarm "
                "publish to this stack's own alarm topic (stack output AlarmTopicArn) instead",
            )
        name, state = text_of(body.get("AlarmName")), text_of(body.get("NewStateValue"))
        if not name or state not in _SEVERITY:
            raise RefusedError(
                422,
                "invalid_field",
                field="NewStateValue" if name else "AlarmName",
                hint="an alarm has a name, and its state is one of " + ", ".join(_SEVERITY),
            )
        trigger = body["Trigger"] if isinstance(body.get("Trigger"), dict) else {}
        dimensions = _dimensions(trigger.get("Dimensions"))
        namespace, changed_at = text_of(trigger.get("Namespace")), text_of(body.get("StateChangeTime"))
        given = {
            "account": text_of(body.get("AWSAccountId")),
            "region": text_of(body.get("Region")),
            "namespace": namespace,
            "metric": text_of(trigger.get("MetricName")),
        }
        texts = (text_of(body.get("NewStateReason")), text_of(body.get("AlarmDescription")))
        return [
            IncomingAlert(
                source="cloudwatch",
                title=name,
                severity=_SEVERITY[state],
                part=msgspec.json.encode(body).decode(),
                message="\n".join(text for text in texts if text),
                component=namespace,
                host=dimensions.get("InstanceId"),
                started_at=changed_at,
                episode=changed_at,
                changed_at=changed_at,
                event_id=id_of(body.get("AlarmArn")) or f"{given['account']}/{given['region']}/{name}",
                status=state,
                labels=dimensions | {name: text for name, text in given.items() if text},
            )
        ]


def _dimensions(value: Any) -> dict[str, str]:
    """Names and values, of those that have both; one without is left to the raw part."""
    parts = [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
    pairs = [(text_of(part.get("name")), text_of(part.get("value"))) for part in parts]
    return {name: text for name, text in pairs if name and text}


def _is_envelope(body: dict[str, Any]) -> bool:
    return {"Type", "TopicArn", "Message"} <= body.keys()


FORMAT: Final = CloudWatchFormat()
