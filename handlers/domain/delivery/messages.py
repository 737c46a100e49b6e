"""What a person sees of an alert in Slack: plain values, cut to Slack's limits, for the adapter to lay out.

All text here may come from an attacker: it is made `inert` and then `redacted`, in this order, since what is
drawn as nothing may stand within a secret; and the adapter puts it into plain-text elements only, where Slack
interprets no markup. What is long is cut last, so that no half of a secret is left.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from handlers.domain.alert import Alert, LinkKind
from handlers.domain.delivery.answers import shown_answer
from handlers.domain.limits import cut
from handlers.domain.redaction import redacted, redacted_value
from handlers.domain.text import inert
from topology.alerts import URGENCY, FaultState, FollowUp, Severity

HEADER_CHARS: Final = 150
"""https://docs.slack.dev/reference/block-kit/blocks/header-block/"""

SECTION_CHARS: Final = 3_000
"""https://docs.slack.dev/reference/block-kit/blocks/section-block/ (at most ten fields)"""

TEXT_CHARS: Final = 20_000
"""Of a message without blocks; Slack cuts its text at 40,000.
https://docs.slack.dev/reference/methods/chat.postMessage (truncating content)"""

_SHORT_FIELD_CHARS: Final = 200
"""Fields sit two in a row; a longer one would push the message out of sight."""

_DIGEST_EXAMPLES: Final = 10
_EXAMPLE_CHARS: Final = 200
"""Ten such lines with their ids stay below `SECTION_CHARS`."""

_DIGEST_SOURCES: Final = 5
_SOURCE_CHARS: Final = 80

LINK_LABELS: Final = {
    LinkKind.SOURCE: "Open the source",
    LinkKind.RUNBOOK: "Runbook",
    LinkKind.DASHBOARD: "Dashboard",
    LinkKind.SILENCE: "Silence",
}
"""Words of our own on the buttons, so that no sender's text is on what people click."""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `fields` and `links` are label and value; `analysis` says why when there is none."""

    alert_id: str
    header: str
    fields: tuple[tuple[str, str], ...]
    message: str
    analysis: str
    footer: str
    links: tuple[tuple[str, str], ...]


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """One message about many alerts, which a storm is turned into.

    `counts` are label and count; `examples` the first alerts, a line each; `alert_count` all of them.
    """

    digest_id: str
    alert_count: int
    header: str
    counts: tuple[tuple[str, int], ...]
    examples: tuple[str, ...]
    footer: str


class FollowUpNotice(msgspec.Struct, frozen=True, kw_only=True):
    """The analysis of an alert that went out without it.

    `refers_to` is what `Notifier.post` returned for the alert, if it did; `whole` is the alert's message as
    it would be with the analysis, for a notifier that can edit.
    """

    alert_id: str
    header: str
    analysis: str
    footer: str
    refers_to: str | None
    whole: Notification


Message = Notification | Digest | FollowUpNotice


def notification_of(alert: Alert, *, folded: int = 0, emails: bool = True) -> Notification:
    """What a message says of one alert, cut to Slack's limits. `folded`: how many others a fold tells of.

    `emails`, here and below: whether e-mail addresses are redacted.
    """
    links = {kind: url for kind, url in alert.shown_links.items() if redacted(url, emails=emails) == url}
    fields = (
        ("Severity", _severity(alert)),
        ("Source", alert.source),
        ("Region", alert.region),
        ("Accepted", alert.created_at),
        ("Component", alert.component),
        ("Host", alert.host),
        ("Started", alert.started_at),
        ("Labels", _labels(alert, emails=emails)),
        ("Route", f"its route {alert.unusable_route} is unusable" if alert.unusable_route else None),
        ("Left out", _left_out(alert, unsafe_links=len(alert.shown_links) - len(links))),
        ("Mended", "; ".join(alert.mended or ())),
    )
    return Notification(
        alert_id=alert.alert_id,
        header=_line(f"{alert.severity}: {_counted(alert, folded)}", HEADER_CHARS, emails=emails),
        fields=tuple((name, _line(text, _SHORT_FIELD_CHARS, emails=emails)) for name, text in fields if text),
        message=cut(_safe(alert.message, emails=emails), SECTION_CHARS),
        analysis=_analysis(alert, emails=emails),
        footer=_footer(alert),
        links=tuple((LINK_LABELS[LinkKind(kind)], url) for kind, url in links.items()),
    )


def digest_id_of(alert_ids: Iterable[str]) -> str:
    """The id of the digest of exactly these alerts: `d` and 32 hex digits, whatever their order.

    Whoever has the rows that carry it can compute it again, and so see that none is missing.
    """
    return "d" + hashlib.sha256("\n".join(sorted(alert_ids)).encode()).hexdigest()[:32]


def digest_of(alerts: Sequence[Alert], *, emails: bool = True) -> Digest:
    """The one message about all of `alerts`, of which there is at least one.

    It counts them by severity and by source, and shows the most severe, the oldest of these first.
    """
    worst_first = sorted(alerts, key=lambda a: (URGENCY[a.severity], a.accepted_at_ms, a.alert_id))
    severities = Counter(alert.severity for alert in alerts)
    sources = Counter(_line(alert.source, _SOURCE_CHARS, emails=emails) for alert in alerts)
    counts = [(str(severity), severities[severity]) for severity in Severity if severities[severity]]
    shown = sorted(sources.items(), key=lambda item: (-item[1], item[0]))[:_DIGEST_SOURCES]
    counts += [(f"from {source}", count) for source, count in shown]
    if others := len(alerts) - sum(count for _, count in shown):
        counts.append(("from other sources", others))
    digest_id = digest_id_of(alert.alert_id for alert in alerts)
    first, last = (end(alert.created_at for alert in alerts) for end in (min, max))
    return Digest(
        digest_id=digest_id,
        alert_count=len(alerts),
        header=f"{_alerts(len(alerts))} at once, the worst {worst_first[0].severity}",
        counts=tuple(counts),
        examples=tuple(_example(alert, emails=emails) for alert in worst_first[:_DIGEST_EXAMPLES]),
        footer=f"accepted {first} to {last} · each is in the ledger, with digest_id {digest_id}",
    )


def follow_up_of(alert: Alert, *, emails: bool = True) -> FollowUpNotice:
    """The message that brings the analysis of an alert that went out without it."""
    return FollowUpNotice(
        alert_id=alert.alert_id,
        header=_line(f"Analysis of {alert.severity}: {_title(alert)}", HEADER_CHARS, emails=emails),
        analysis=_analysis(alert, emails=emails),
        footer=_footer(alert),
        refers_to=alert.slack_ref,
        whole=notification_of(alert, emails=emails),
    )


def _safe(text: str, *, emails: bool) -> str:
    return redacted(inert(text), emails=emails)


def _line(text: str, limit: int, *, emails: bool) -> str:
    return cut(" ".join(_safe(text, emails=emails).split()), limit)


def _title(alert: Alert) -> str:
    """The title, where a source's own `[RESOLVED]` is no word of ours: a fault that lasts is not over."""
    if alert.state is FaultState.FIRING and inert(alert.title)[:20].lstrip("[({ ").casefold().startswith(
        "resolved"
    ):
        return f"still firing, titled {alert.title}"
    return alert.title


def _counted(alert: Alert, folded: int) -> str:
    """Its title; of a fold with the number first, which no cut takes away. The index may be behind."""
    return f"at least {folded:,} more alerts, as {_title(alert)}" if alert.folds else _title(alert)


def _alerts(count: int) -> str:
    return "1 alert" if count == 1 else f"{count} alerts"


def _example(alert: Alert, *, emails: bool) -> str:
    """Such as `HIGH 2026-11-23T08:00:00.123Z billing: Queue is growing (a3f…)`."""
    line = f"{alert.severity} {alert.created_at} {alert.source}: {_title(alert)}"
    return f"{_line(line, _EXAMPLE_CHARS, emails=emails)} ({alert.alert_id})"


def _analysis(alert: Alert, *, emails: bool) -> str:
    text = shown_answer(inert(_analysis_text(alert)), links=alert.shown_links.values())
    return cut(redacted(text, emails=emails), SECTION_CHARS)


def _analysis_text(alert: Alert) -> str:
    if alert.analysis is None:
        reason = alert.analysis_error or "unknown reason"
        if alert.follow_up is FollowUp.WANTED:
            return f"No analysis yet: {reason}. It follows when it can be had."
        return f"No analysis: {reason}"
    cause = alert.analysis.probable_cause
    lines = [alert.analysis.summary, f"Probable cause: {cause}" if cause else ""]
    lines += [f"{number}. {action}" for number, action in enumerate(alert.analysis.actions, start=1)]
    return "\n".join([*filter(None, lines), f"Confidence: {alert.analysis.confidence}"])


def _severity(alert: Alert) -> str:
    """The severity, and the sender's own word for it where we know none such."""
    return (
        alert.severity if alert.severity_word is None else f"{alert.severity} (sent as {alert.severity_word})"
    )


def _labels(alert: Alert, *, emails: bool) -> str:
    shown = {name: redacted_value(name, inert(text), emails=emails) for name, text in alert.labels.items()}
    return ", ".join(f"{name}={text}" for name, text in shown.items())


def _left_out(alert: Alert, *, unsafe_links: int) -> str:
    parts = [f"{_alerts(alert.left_out)} of its group by the sender; look there"] if alert.left_out else []
    parts += [f"{unsafe_links} of its links, which hold a secret"] if unsafe_links else []
    return "; ".join(parts)


def _footer(alert: Alert) -> str:
    if alert.analysis is None:
        return alert.alert_id
    origin = f"cached analysis by {alert.analysis.model}" if alert.analysis.cached else alert.analysis.model
    if alert.analysis.left_out:
        origin = f"part of a {origin}: {alert.analysis.left_out} of its statements do not fit"
    return f"{alert.alert_id} · {origin}"
