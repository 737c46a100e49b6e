"""Grafana's alerting before version 8: one rule's change of state in one body.

https://github.com/grafana/grafana, `pkg/services/alerting/notifiers/webhook.go` at 3a3b4ca839
https://github.com/zulip/zulip/tree/main/zerver/webhooks/grafana/fixtures (the states)

It has no time, so the next outage of a rule is told apart by the resolution between.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import severity_of, unknown_word
from handlers.domain.formats import Identity, Ignored, Member
from handlers.domain.values import Fields, lines_of, links_of, texts_of

_MARKS: Final = frozenset({"ruleId", "ruleName", "ruleUrl", "evalMatches"})
_ALERTING: Final = "alerting"
_PAUSED: Final = "paused"
_MAX_MATCHES: Final = 20


class GrafanaLegacyFormat:
    """A rule of Grafana's old alerting: one alert."""

    name = "grafana_legacy"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`orgId` and `ruleId`, else `ruleUrl`",
        episode="none",
        sent_at="none",
        resolution="`state` is `ok`; `no_data` resolves nothing",
    )
    severity = "tag `severity`, by the words"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """Two of the rule's fields."""
        return len(_MARKS & body.keys()) > 1

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The rule's state; that it is paused says nothing of its fault."""
        fields = Fields(body)
        state = fields.text("state", needed=True) or _ALERTING
        if state.casefold() == _PAUSED:
            return [Ignored("the rule was paused, which tells of no fault")]
        tags = texts_of(body.get("tags"))
        severity = tags.get("severity") or tags.get("priority")
        rule_id, address = fields.text("ruleId"), fields.text("ruleUrl")
        matches = [
            f"{match.text('metric') or 'value'}: {match.text('value') or 'none'}"
            for match in fields.inners("evalMatches")[:_MAX_MATCHES]
        ]
        texts = (fields.text("message"), "\n".join(matches))
        return [
            IncomingAlert(
                source="grafana",
                title=fields.title("ruleName", stand_in=fields.text("title") or "a rule of Grafana"),
                severity=severity_of(severity),
                severity_word=unknown_word(severity),
                part=msgspec.json.encode(body).decode(),
                message=lines_of(texts),
                component=tags.get("service") or tags.get("job"),
                host=tags.get("host") or tags.get("instance"),
                links=links_of(source=address, runbook=tags.get("runbook_url")),
                event_id=f"{fields.text('orgId') or ''}/{rule_id}" if rule_id else address,
                status=state,
                labels=tags,
                mended=fields.mended,
            )
        ]


FORMAT: Final = GrafanaLegacyFormat()
