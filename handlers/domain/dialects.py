"""The words of many senders for how bad something is, and for its being over. One table each.

Case, blanks and punctuation aside. A word that is in no table means what none would mean: it never makes an
alert louder, and people are shown it as it was sent.

Where the words are from:
https://prometheus.io/docs/alerting/latest/notifications/ (firing, resolved)
https://grafana.com/docs/grafana/latest/alerting/ (alerting, ok, normal, nodata)
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html (OK, ALARM)
https://learn.netdata.cloud/docs/alerts-&-notifications/alert-configuration-reference (CLEAR)
https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/macrolist.html (UP, OK, RECOVERY)
https://www.zabbix.com/documentation/current/en/manual/appendix/macros/supported_by_location (OK, RESOLVED)
https://docs.datadoghq.com/integrations/webhooks/ (Recovered, Success)
https://developer.pagerduty.com/docs/send-alert-event (resolve; critical, error, warning, info)
https://support.atlassian.com/opsgenie/docs/ (Close)
https://docs.newrelic.com/docs/alerts/get-notified/ (CLOSED)
https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema (Fired, Resolved; Sev0 to Sev4)
https://cloud.google.com/monitoring/support/notification-options (open, closed)
https://github.com/louislam/uptime-kuma and https://uptimerobot.com (up, down)
https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1 (emerg, alert, crit, err, warning, notice, info, debug)
"""

from typing import Final

from topology.alerts import Severity

DEFAULT_SEVERITY: Final = Severity.MEDIUM
"""Of an alert whose severity is missing or unknown: seen by people, wakes nobody."""

_SEVERITIES: Final = {
    Severity.CRITICAL: "critical crit c fatal f emergency emerg panic page disaster blocker sev0 sev1 p0 p1",
    Severity.HIGH: "high error err e failure severe major alert sev2 p2",
    Severity.MEDIUM: "medium moderate average warning warn w sev3 p3",
    Severity.LOW: "low minor notice n sev4 p4",
    Severity.INFO: "info information informational i debug d trace verbose none sev5 p5",
}

_RESOLUTIONS: Final = (
    "resolved resolve resolution ok okay normal recovered recovery recover closed close cleared clear "
    "inactive up ended end success successful succeeded passing passed healthy green fixed"
)
"""INSUFFICIENT_DATA and its like resolve nothing: missing data is unknown, never healthy."""

_BY_WORD: Final = {word: severity for severity, text in _SEVERITIES.items() for word in text.split()}
_RESOLVED: Final = frozenset(_RESOLUTIONS.split())


def severity_of(text: str | None) -> Severity:
    """The severity that a sender's own word means; `DEFAULT_SEVERITY` when it is missing or unknown."""
    return known_severity(text) or DEFAULT_SEVERITY


def known_severity(text: str | None) -> Severity | None:
    """The severity that a sender's own word means; INFO for a word of resolution; None for any other."""
    word = _plain(text)
    return Severity.INFO if word in _RESOLVED else _BY_WORD.get(word)


def unknown_word(text: str | None) -> str | None:
    """A sender's own word for a severity, where no table has it: people are shown it as it is."""
    return text if text and text.strip() and known_severity(text) is None else None


def is_resolution(text: str | None) -> bool:
    """Whether a sender's status says that the fault is over."""
    return _plain(text) in _RESOLVED


def _plain(text: str | None) -> str:
    return "".join(char for char in (text or "").casefold() if char.isalnum())
