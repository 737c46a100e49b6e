"""The event that a CloudWatch alarm invokes a Lambda function with, forwarded to the webhook.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
"""

from collections.abc import Mapping
from typing import Any, Final

from handlers.domain.cloudwatch import RESOLUTION, SEVERITY, state_change_alert
from handlers.domain.formats import Identity, Member
from handlers.domain.values import Fields


class CloudWatchLambdaFormat:
    """An alarm's change of state: one alert."""

    name = "cloudwatch_lambda_action"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`alarmArn`, else account, region and name",
        episode="`alarmData.state.timestamp`",
        sent_at="`time`",
        resolution=RESOLUTION,
    )
    severity = SEVERITY

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """What no other event has."""
        return "alarmData" in body or ("alarmArn" in body and "detail" not in body)

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The alarm's change of state."""
        fields = Fields(body)
        arn = fields.text("alarmArn", needed=True)
        alarm, account = fields.inner("alarmData"), fields.text("accountId")
        return [state_change_alert(fields, alarm, arn=arn, account=account)]


FORMAT: Final = CloudWatchLambdaFormat()
