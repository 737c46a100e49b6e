"""The words of many senders for how bad something is, and for its being over. One table each.

Case, blanks and punctuation aside. A word that is in no table means what none would mean: it never makes an
alert louder, and people are shown it as it was sent.

Where the words are from, each page opened in November 2026:
https://prometheus.io/docs/alerting/notifications/ (firing, resolved)
https://grafana.com/docs/grafana/v9.0/alerting/contact-points/message-templating/template-data/ (the same)
https://github.com/awsdocs/amazon-cloudwatch-user-guide/blob/main/doc_source/cloudwatch-and-eventbridge.md
(OK, ALARM, INSUFFICIENT_DATA)
https://github.com/netdata/netdata, `rrdcalc_status2string` (CLEAR, WARNING, CRITICAL, REMOVED, UNDEFINED)
https://raw.githubusercontent.com/nagios-plugins/nagios-mib/master/MIB/NAGIOS-ROOT-MIB (UP, RECOVERY)
https://github.com/keephq/keep/blob/main/docs/images/datadog_raw_alerts.txt (Recovered, success, error)
https://github.com/PagerDuty/developer-docs/blob/main/docs/events-API-v2/02-Trigger-Events.md
(resolve; critical, error, warning, info)
https://pulumi.com/registry/packages/opsgenie/api-docs/integrationaction (close)
https://docs.plural.sh/plural-features/workbenches/integrations/webhooks/new-relic (RESOLVED, CLOSED)
https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-payload-samples (Resolved, Sev3)
https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1 (emergency, alert and critical are the worst three,
in this order; error, warning, notice, informational, debug)

The others are plain English, abbreviations, and words of systems whose pages could not be opened (Zabbix's
disaster and average). A word that also names a fault is none of a resolution: systemd's `inactive`.
"""

import unicodedata
from typing import Final

from topology.alerts import Severity

DEFAULT_SEVERITY: Final = Severity.MEDIUM
"""Of an alert whose severity is missing or unknown: seen by people, wakes nobody."""

_SEVERITIES: Final = {
    Severity.CRITICAL: (
        "critical crit c fatal f emergency emerg panic alert page disaster blocker sev0 sev1 p0 p1"
    ),
    Severity.HIGH: "high error err e failure severe major sev2 p2",
    Severity.MEDIUM: "medium moderate average warning warn w sev3 p3",
    Severity.LOW: "low minor notice n sev4 p4",
    Severity.INFO: "info information informational i debug d trace verbose none sev5 p5",
}

_RESOLUTIONS: Final = (
    "resolved resolve resolution ok okay normal recovered recovery recover closed close cleared clear "
    "up ended end success successful succeeded passing passed healthy green fixed"
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
    return "".join(char for char in unicodedata.normalize("NFKC", text or "").casefold() if char.isalnum())
