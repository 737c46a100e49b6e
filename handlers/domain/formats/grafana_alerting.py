"""Grafana's alerting since version 8, as its webhook contact point writes it: several alerts in one body.

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/

A member is Alertmanager's with addresses of its own. A rule without data, or whose query fails, comes under
Grafana's name for that and has its own in the label `rulename`:
https://grafana.com/docs/grafana/latest/alerting/fundamentals/alert-rule-evaluation/stale-alert-instances/
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from handlers.domain.alert import IncomingAlert
from handlers.domain.formats.alertmanager import Group, GroupFormat, alert_of, is_grafanas
from handlers.domain.values import lines_of, links_of, text_of


def _alert_of(part: Mapping[str, Any], group: Group) -> IncomingAlert:
    alert = alert_of(part, group, "grafana")
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
    return replace(alert, title=title, message=lines_of(texts), links=links)


FORMAT: Final = GroupFormat("grafana_alerting", is_grafanas, _alert_of)
