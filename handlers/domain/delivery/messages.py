"""What a person sees in Slack: plain values, cut to Slack's limits, for the adapter to lay out.

The adapter puts all text into plain-text elements, where Slack interprets no markup; `wording` makes it
harmless. `digests` has the messages about many alerts.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from handlers.domain.alert import Alert, LinkKind
from handlers.domain.delivery.wording import (
    HEADER_CHARS,
    SECTION_CHARS,
    analysis_of,
    at,
    counted,
    footer_of,
    line,
    safe,
    title_of,
    whose,
)
from handlers.domain.incident import IncidentView
from handlers.domain.limits import cut
from handlers.domain.redaction import redacted, redacted_value
from handlers.domain.text import inert

_SHORT_FIELD_CHARS: Final = 200
"""Fields sit two in a row; a longer one would push the message out of sight."""

_HOSTS_SHOWN: Final = 10
_HOST_CHARS: Final = 60

LINK_LABELS: Final = {
    LinkKind.SOURCE: "Open the source",
    LinkKind.RUNBOOK: "Runbook",
    LinkKind.DASHBOARD: "Dashboard",
    LinkKind.SILENCE: "Silence",
}
"""Words of our own on the buttons, so that no sender's text is on what people click."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a message; `analysis_of`: the id of the alert whose analysis it shows, if it shows one.

    `header` stands out above it, if it has one. `cut`: there is more of the analysis.
    """

    text: str
    header: str = ""
    analysis_of: str | None = None
    cut: bool = False


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. `fields` and `links` are label and value; `analysis` says why when there is none.

    `incident` says what became of the incident that the alert belongs to, as far as there is more to say.
    """

    alert_id: str
    header: str
    incident: str
    fields: tuple[tuple[str, str], ...]
    message: str
    analysis: Section
    footer: str
    links: tuple[tuple[str, str], ...]


class ThreadReply(msgspec.Struct, frozen=True, kw_only=True):
    """Whole analyses, in the thread of the message that `parent_ref` refers to."""

    header: str
    sections: tuple[Section, ...]
    parent_ref: str | None = None


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """One message about `alert_count` alerts: of one incident, whose head is shown `whole`, or by fault.

    `summary` counts by severity and by source; `sections` are the faults, worst first, or what is said
    besides the head. `thread` are the analyses that it has no room for, to be posted after it where there are
    threads. `refers_to`: the message that it takes the place of, as `Notifier.post` returned it.
    """

    digest_id: str
    alert_count: int
    header: str
    summary: str
    sections: tuple[Section, ...]
    footer: str
    whole: Notification | None = None
    thread: tuple[ThreadReply, ...] = ()
    refers_to: str | None = None


class FollowUpNotice(msgspec.Struct, frozen=True, kw_only=True):
    """The analysis of an alert that went out without it.

    `refers_to` is what `Notifier.post` returned for the alert, if it did; `whole` is the alert's message as
    it would be with the analysis, for a notifier that can edit.
    """

    alert_id: str
    header: str
    incident: str
    analysis: Section
    footer: str
    refers_to: str | None
    whole: Notification


Message = Notification | Digest | FollowUpNotice | ThreadReply


def notification_of(
    alert: Alert, *, folded: int = 0, view: IncidentView | None = None, emails: bool = True
) -> Notification:
    """What a message says of one alert, cut to Slack's limits. `folded`: how many others a fold tells of.

    `view`: what its incident came to. `emails`, here and below: whether e-mail addresses are redacted.
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
        header=line(f"{alert.severity}: {_title(alert, folded)}", HEADER_CHARS, emails=emails),
        incident=incident_text_of(view, emails=emails),
        fields=tuple((name, line(text, _SHORT_FIELD_CHARS, emails=emails)) for name, text in fields if text),
        message=cut(safe(alert.message, emails=emails), SECTION_CHARS),
        analysis=_analysis(alert, view, emails=emails),
        footer=footer_of(alert),
        links=tuple((LINK_LABELS[LinkKind(kind)], url) for kind, url in links.items()),
    )


def follow_up_of(alert: Alert, *, view: IncidentView | None = None, emails: bool = True) -> FollowUpNotice:
    """The message that brings the analysis of an alert that went out without it. `view`: as above."""
    whole = notification_of(alert, view=view, emails=emails)
    return FollowUpNotice(
        alert_id=alert.alert_id,
        header=line(f"Analysis of {alert.severity}: {title_of(alert)}", HEADER_CHARS, emails=emails),
        incident=whole.incident,
        analysis=whole.analysis,
        footer=whole.footer,
        refers_to=alert.slack_ref,
        whole=whole,
    )


def incident_text_of(view: IncidentView | None, *, emails: bool) -> str:
    """What an incident came to: its count, faults, times and hosts; empty if its one alert says it all."""
    if view is None or (view.count <= 1 and not view.closed):
        return ""
    count = f"{'at least ' if view.more else ''}{counted(view.count, 'alert')}"
    resolved = resolved_of(view)
    return "\n".join(
        filter(
            None,
            (
                f"Incident: {count} of {counted(view.faults, 'fault')}{', ' if resolved else ''}{resolved}",
                f"Seen: {at(view.first_ms)} to {at(view.last_ms)} UTC",
                hosts_text_of(view.hosts, emails=emails),
            ),
        )
    )


def resolved_of(view: IncidentView) -> str:
    """Such as `resolved: all 4 faults` and `2 of 4 faults resolved`; empty if all of them fire."""
    if view.closed:
        return "resolved" if view.faults == 1 else f"resolved: all {view.faults:,} faults"
    return f"{view.resolved:,} of {view.faults:,} faults resolved" if view.resolved else ""


def hosts_text_of(hosts: Sequence[str], *, emails: bool) -> str:
    """Such as `Hosts: db-1, db-2 and 3 more`; empty if nobody named one."""
    shown = [line(host, _HOST_CHARS, emails=emails) for host in hosts[:_HOSTS_SHOWN]]
    others = len(hosts) - len(shown)
    label = "Hosts" if len(hosts) > 1 else "Host"
    return f"{label}: {', '.join(shown)}{f' and {others:,} more' if others else ''}" if shown else ""


def _title(alert: Alert, folded: int) -> str:
    """Its title; of a fold with the number first, which no cut takes away. The index may be behind."""
    return f"at least {folded:,} more alerts, as {title_of(alert)}" if alert.folds else title_of(alert)


def _analysis(alert: Alert, view: IncidentView | None, *, emails: bool) -> Section:
    """Its own analysis, else that of its incident's head, said to be that one's."""
    if alert.analysis is not None:
        return Section(text=analysis_of(alert, emails=emails), analysis_of=alert.alert_id)
    head = view.head if view else None
    if head is None or head.analysis is None:
        return Section(text=analysis_of(alert, emails=emails))
    label = f"Analysis of {whose(head, emails=emails)}:\n"
    text = label + analysis_of(head, emails=emails, limit=SECTION_CHARS - len(label))
    return Section(text=text, analysis_of=head.alert_id)


def _severity(alert: Alert) -> str:
    """The severity, and the sender's own word for it where we know none such."""
    return (
        alert.severity if alert.severity_word is None else f"{alert.severity} (sent as {alert.severity_word})"
    )


def _labels(alert: Alert, *, emails: bool) -> str:
    shown = {name: redacted_value(name, inert(text), emails=emails) for name, text in alert.labels.items()}
    return ", ".join(f"{name}={text}" for name, text in shown.items())


def _left_out(alert: Alert, *, unsafe_links: int) -> str:
    parts = (
        [f"{counted(alert.left_out, 'alert')} of its group by the sender; look there"]
        if alert.left_out
        else []
    )
    parts += [f"{unsafe_links} of its links, which hold a secret"] if unsafe_links else []
    return "; ".join(parts)
