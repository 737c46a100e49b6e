"""What a person sees of an alert in Slack: plain values, cut to Slack's limits, for the adapter to lay out.

All text here may come from an attacker: control and direction characters are taken out, and the adapter
puts it into plain-text elements only, where Slack interprets no markup.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

from handlers.domain.alert import Alert
from handlers.domain.limits import cut

HEADER_CHARS: Final = 150
"""https://docs.slack.dev/reference/block-kit/blocks/header-block/"""

SECTION_CHARS: Final = 3_000
FIELD_CHARS: Final = 2_000
"""https://docs.slack.dev/reference/block-kit/blocks/section-block/ (at most ten fields)"""

_SHORT_FIELD_CHARS: Final = 200
"""Fields sit two in a row; a longer one would push the message out of sight."""

_INVISIBLE: Final = ("Cc", "Cf", "Cs", "Co")
"""Control, format (direction overrides, zero width), surrogate and private characters."""


@dataclass(frozen=True, kw_only=True)
class Notification:
    """One message. `fields` are label and value; `analysis` says why when there is none."""

    alert_id: str
    header: str
    fields: tuple[tuple[str, str], ...]
    message: str
    analysis: str
    footer: str
    link: str | None


def notification_of(alert: Alert) -> Notification:
    """The message about an alert."""
    fields = (
        ("Severity", alert.severity),
        ("Source", alert.source),
        ("Region", alert.region),
        ("Accepted", alert.created_at),
        ("Component", alert.component),
        ("Host", alert.host),
        ("Started", alert.started_at),
    )
    return Notification(
        alert_id=alert.alert_id,
        header=cut(inert(f"{alert.severity}: {alert.title}", one_line=True), HEADER_CHARS),
        fields=tuple(
            (name, cut(inert(text, one_line=True), _SHORT_FIELD_CHARS)) for name, text in fields if text
        ),
        message=cut(inert(alert.message), SECTION_CHARS),
        analysis=cut(inert(_analysis_text(alert)), SECTION_CHARS),
        footer=_footer(alert),
        link=alert.link,
    )


def inert(text: str, *, one_line: bool = False) -> str:
    """`text` without characters that hide or reorder others; line ends become spaces when `one_line`."""
    kept = (c if c in "\n\t" or unicodedata.category(c) not in _INVISIBLE else " " for c in text)
    clean = "".join(kept)
    return " ".join(clean.split()) if one_line else clean.strip()


def _analysis_text(alert: Alert) -> str:
    if alert.analysis is None:
        return f"No analysis: {alert.analysis_error or 'unknown reason'}"
    lines = [alert.analysis.summary, f"Probable cause: {alert.analysis.probable_cause}"]
    lines += [f"{number}. {action}" for number, action in enumerate(alert.analysis.actions, start=1)]
    return "\n".join([*lines, f"Confidence: {alert.analysis.confidence}"])


def _footer(alert: Alert) -> str:
    if alert.analysis is None:
        return alert.alert_id
    origin = f"cached analysis by {alert.analysis.model}" if alert.analysis.cached else alert.analysis.model
    return f"{alert.alert_id} · {origin}"
