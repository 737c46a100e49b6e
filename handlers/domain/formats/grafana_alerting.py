"""Grafana's alerting since version 8, as its webhook contact point writes it: several alerts in one body.

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/

A member is Alertmanager's with addresses of its own. A rule without data, or whose query fails, comes under
Grafana's name for that and has its own in the label `rulename`:
https://grafana.com/docs/grafana/latest/alerting/fundamentals/alert-rule-evaluation/stale-alert-instances/
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from handlers.domain.formats import Identity, Member, no_object
from handlers.domain.formats.alertmanager import Group, alert_of, is_grafanas, is_group, members_of
from handlers.domain.values import links_of, text_of


class GrafanaAlertingFormat:
    """Grafana's webhook contact point: one alert for each member of `alerts`."""

    name = "grafana_alerting"
    last_resort = False
    members = "alerts"
    identity = Identity(
        event_id="`fingerprint`, else the labels",
        episode="`startsAt`",
        sent_at="none",
        resolution="the member's `status`, else the group's",
    )
    severity = "label `severity`, else the annotation, else the group's label, by the words"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """A group with Grafana's version or the organisation's number."""
        return is_group(body) and is_grafanas(body)

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """Its alerts."""
        parts, left_over = members_of(body)
        group = Group.of(body)
        return [_member(part, group, n) for n, part in enumerate(parts)] + left_over


def _member(part: Any, group: Group, index: int) -> Member:
    if not isinstance(part, dict):
        return no_object(part, f"alerts[{index}]")
    alert = alert_of(part, group, source="grafana")
    rule = alert.labels.get("rulename")
    title = alert.title or group.title
    if rule and rule not in title:
        title = f"{rule}: {title}"
    texts = (alert.message, text_of(part.get("valueString")))
    links = dict(alert.links) | links_of(
        source=part.get("generatorURL") or part.get("panelURL"),
        dashboard=part.get("panelURL") or part.get("dashboardURL"),
        silence=part.get("silenceURL"),
    )
    if not part.get("silenceURL"):
        links.pop("silence", None)
    return replace(alert, title=title, message="\n".join(text for text in texts if text), links=links)


FORMAT: Final = GrafanaAlertingFormat()
