"""The message that a CloudWatch alarm publishes to SNS, metric or composite.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html

SNS cannot send an API key, so alarms come in by a Lambda subscription on this stack's own topic
(`handlers.domain.intake.alarms` takes the message out of the event). Who forwards an SNS envelope to the
webhook has a key, and what is in it is taken (`handlers.domain.envelopes`); a message that is no JSON is an
alert with that text. A SubscribeURL is never fetched: anybody could have written it.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.cloudwatch import RESOLUTION, SEVERITY, alarm_alert
from handlers.domain.dialects import DEFAULT_SEVERITY
from handlers.domain.envelopes import is_sns
from handlers.domain.formats import Identity, Ignored, Member
from handlers.domain.values import Fields

_MARKS: Final = frozenset(
    {"AlarmName", "AlarmArn", "AlarmRule", "NewStateValue", "NewStateReason", "OldStateValue"}
    | {"StateChangeTime", "AWSAccountId", "Trigger"}
)
_CONFIRMATIONS: Final = ("SubscriptionConfirmation", "UnsubscribeConfirmation")


class CloudWatchSnsFormat:
    """A CloudWatch alarm's change of state, as SNS delivers it: one alert."""

    name = "cloudwatch_sns"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`AlarmArn`, else account, region and name",
        episode="`StateChangeTime`",
        sent_at="SNS's own",
        resolution=RESOLUTION,
    )
    severity = SEVERITY

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """Two of an alarm's fields, or an SNS envelope with anything that no other format knows."""
        return is_sns(body) or len(_MARKS & body.keys()) > 1

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The alarm's change of state as one alert, or what an envelope says."""
        fields = Fields(body)
        return [_of_envelope(fields) if is_sns(body) else _of_alarm(fields)]


def _of_alarm(fields: Fields) -> IncomingAlert:
    trigger = fields.inner("Trigger")
    metrics = trigger.values.get("Metrics")
    children = [
        f"{child.text('Arn')} {child.inner('State').text('Value')}"
        for child in fields.inners("TriggeringChildren")
    ]
    texts = [
        fields.text("NewStateReason"),
        fields.text("AlarmDescription"),
        fields.text("AlarmRule"),
        *children,
    ]
    arn = fields.text("AlarmArn")
    return alarm_alert(
        fields,
        name=fields.title("AlarmName", stand_in=arn or "a CloudWatch alarm"),
        arn=arn,
        state=fields.text("NewStateValue", needed=True),
        changed_at=fields.time("StateChangeTime", needed=True),
        texts=texts,
        labels={
            "account": fields.text("AWSAccountId"),
            "region": fields.text("Region"),
            "rule": fields.text("AlarmRule"),
            "suppressed_by": fields.text("ActionsSuppressedBy"),
        },
        metrics=metrics if isinstance(metrics, list) else trigger.values,
    )


def _of_envelope(fields: Fields) -> Member:
    kind = fields.text("Type")
    if kind in _CONFIRMATIONS:
        return Ignored(
            f"a {kind} of SNS: its SubscribeURL is never fetched here; let the alarm publish to this stack's "
            "own alarm topic (stack output AlarmTopicArn), which needs no confirmation"
        )
    message = fields.text("Message", needed=True) or ""
    return IncomingAlert(
        source="sns",
        title=fields.text("Subject")
        or fields.title("Message", stand_in="a message of SNS").partition("\n")[0],
        severity=DEFAULT_SEVERITY,
        part=msgspec.json.encode(fields.values).decode(),
        message=message,
        event_id=None,
        labels={"topic": topic} if (topic := fields.text("TopicArn")) else {},
        mended=fields.mended,
    )


FORMAT: Final = CloudWatchSnsFormat()
