"""The message that a CloudWatch alarm publishes to SNS, metric or composite.

SNS cannot send an API key, so alarms come in by a Lambda subscription on this stack's own topic
(`handlers.domain.intake.alarms` takes the message out of the event). An SNS envelope that is POSTed to the
webhook is refused, and its SubscribeURL is never fetched: anybody could have written it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

from typing import Any, Final, Literal

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.formats import RefusedError
from topology.alerts import Severity

_SEVERITY: Final = {"ALARM": Severity.HIGH, "INSUFFICIENT_DATA": Severity.MEDIUM, "OK": Severity.INFO}
"""An alarm has no severity. Missing data is unknown, never healthy, so it is not INFO."""


class _Dimension(msgspec.Struct):
    name: str
    value: str


class _Trigger(msgspec.Struct, rename="pascal"):
    metric_name: str | None = None
    namespace: str | None = None
    dimensions: list[_Dimension] = []


class _Alarm(msgspec.Struct, rename="pascal"):
    alarm_name: str
    new_state_value: Literal["ALARM", "OK", "INSUFFICIENT_DATA"]
    state_change_time: str
    new_state_reason: str = ""
    alarm_description: str | None = None
    alarm_arn: str | None = None
    region: str | None = None
    account: str | None = msgspec.field(name="AWSAccountId", default=None)
    trigger: _Trigger = msgspec.field(default_factory=_Trigger)


class CloudWatchFormat:
    """A CloudWatch alarm's change of state, as SNS delivers it: one alert."""

    name = "cloudwatch_sns"
    last_resort = False

    def recognises(self, body: dict[str, Any]) -> bool:
        """An alarm, or the SNS envelope of anything, so that the refusal can explain."""
        return _is_envelope(body) or {"AlarmName", "NewStateValue"} <= body.keys()

    def parse(self, body: dict[str, Any]) -> list[IncomingAlert]:
        """The alarm's change of state as one alert."""
        if _is_envelope(body):
            raise RefusedError(
                422,
                "sns_envelope",
                field="Type",
                hint="SNS is not taken at the webhook, and no SubscribeURL is ever fetched; let the alarm "
                "publish to this stack's own alarm topic (stack output AlarmTopicArn) instead",
            )
        alarm = msgspec.convert(body, _Alarm)
        dimensions = {d.name: d.value for d in alarm.trigger.dimensions}
        given = {
            "account": alarm.account,
            "region": alarm.region,
            "namespace": alarm.trigger.namespace,
            "metric": alarm.trigger.metric_name,
        }
        return [
            IncomingAlert(
                source="cloudwatch",
                title=alarm.alarm_name,
                severity=_SEVERITY[alarm.new_state_value],
                part=msgspec.json.encode(body).decode(),
                message="\n".join(t for t in (alarm.new_state_reason, alarm.alarm_description) if t),
                component=alarm.trigger.namespace,
                host=dimensions.get("InstanceId"),
                started_at=alarm.state_change_time,
                episode=alarm.state_change_time,
                changed_at=alarm.state_change_time,
                event_id=alarm.alarm_arn or f"{alarm.account}/{alarm.region}/{alarm.alarm_name}",
                status=alarm.new_state_value,
                labels=dimensions | {name: text for name, text in given.items() if text},
            )
        ]


def _is_envelope(body: dict[str, Any]) -> bool:
    return {"Type", "TopicArn", "Message"} <= body.keys()


FORMAT: Final = CloudWatchFormat()
