"""CloudWatch's events on EventBridge: an alarm's change of state is an alert, of its configuration none.

https://github.com/awsdocs/amazon-cloudwatch-user-guide/blob/main/doc_source/cloudwatch-and-eventbridge.md
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from handlers.domain.cloudwatch import RESOLUTION, SEVERITY, state_change_alert
from handlers.domain.formats import Identity, Ignored, Member
from handlers.domain.values import Fields, text_of

_SOURCE: Final = "aws.cloudwatch"
_ALARM: Final = "CloudWatch Alarm"
_STATE_CHANGE: Final = "CloudWatch Alarm State Change"


class CloudWatchEventBridgeFormat:
    """An alarm's change of state: one alert."""

    name = "cloudwatch_eventbridge"
    last_resort = False
    members = None
    identity = Identity(
        event_id="the ARN in `resources`, else account, region and name; with the contributor if one changed",
        episode="`detail.state.timestamp`",
        sent_at="`time`",
        resolution=RESOLUTION,
    )
    severity = SEVERITY

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """An event of CloudWatch, by its source, its type or an alarm in its detail."""
        if not {"detail", "detail-type"} & body.keys():
            return False
        kind, detail = text_of(body.get("detail-type")) or "", body.get("detail")
        named = isinstance(detail, dict) and "alarmName" in detail
        return body.get("source") == _SOURCE or kind.startswith(_ALARM) or named

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The alarm's change of state."""
        fields = Fields(body)
        detail = fields.inner("detail")
        kind = fields.text("detail-type", needed=True) or _STATE_CHANGE
        operation = detail.text("operation")
        if operation or "Configuration" in kind:
            return [
                Ignored(f"a change of an alarm's configuration ({operation or 'unnamed'}), not of its state")
            ]
        if kind != _STATE_CHANGE and "state" not in detail.values:
            return [Ignored("an event of CloudWatch that tells of no alarm's state")]
        resources = body.get("resources")
        arn = (
            next((text for text in map(text_of, resources) if text), None)
            if isinstance(resources, list)
            else None
        )
        alert = state_change_alert(fields, detail, arn=arn, account=fields.text("account"))
        # Of an alarm over many series each is a fault of its own, or the first that ends would end all.
        if contributor := detail.inner("alarmContributor").text("id"):
            alert = replace(alert, event_id=f"{alert.event_id} {contributor}")
        return [alert]


FORMAT: Final = CloudWatchEventBridgeFormat()
