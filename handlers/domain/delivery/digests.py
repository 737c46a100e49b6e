"""Messages about many alerts: of one incident, shown by its head, or of many, by fault.

What an analysis says is shown as its own alert's, never as another's: each says whose it is.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.delivery.messages import (
    Digest,
    Section,
    ThreadReply,
    notification_of,
    resolved_of,
)
from handlers.domain.delivery.wording import (
    HEADER_CHARS,
    MESSAGE_CHARS,
    SECTION_CHARS,
    analysis_of,
    cause_of,
    counted,
    example_of,
    line,
    span,
    title_of,
    whose,
)
from handlers.domain.incident import IncidentView
from handlers.domain.limits import MAX_DIGEST_FAULTS, cut
from topology.alerts import URGENCY, FaultState, Severity

_WHOLE_FAULTS: Final = 8
"""Of so many a digest shows the analyses themselves, of more their causes."""

_FAULTS_CHARS: Final = MESSAGE_CHARS - 1_000
"""What is left for faults beside the header, the counts and the footer."""

_EXAMPLES: Final = 5
_MESSAGE_CHARS: Final = 1_000
"""Of the head's own message, in a digest."""

_SOURCES: Final = 5
_SOURCE_CHARS: Final = 80
_TITLE_CHARS: Final = 120


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The alerts of one incident that a message tells of, at least one.

    `view`: what is known of the incident; None for an alert that belongs to none.
    """

    alerts: tuple[Alert, ...]
    view: IncidentView | None = None

    @property
    def worst_first(self) -> list[Alert]:
        """The most severe, the oldest of these first."""
        return _worst_first(self.alerts)

    @property
    def shown(self) -> Alert:
        """Whose analysis is shown: the head's, else that of the first which has one."""
        head = self.view.head if self.view else None
        candidates = [*([head] if head else []), *self.worst_first]
        return next((alert for alert in candidates if alert.analysis is not None), candidates[0])


def digest_id_of(alert_ids: Iterable[str]) -> str:
    """The id of the digest of exactly these alerts: `d` and 32 hex digits, whatever their order.

    Whoever has the rows that carry it can compute it again, and so see that none is missing.
    """
    return "d" + hashlib.sha256("\n".join(sorted(alert_ids)).encode()).hexdigest()[:32]


def digest_of(groups: Sequence[Group], *, edits: bool = False, emails: bool = True) -> Digest:
    """The one message about all alerts of `groups`, of which there is at least one.

    `edits`: what was posted can be edited and has a thread. Then a digest of one incident takes the place of
    its head's message, unless a lead is among its alerts, which people are to notice.
    """
    if len(groups) == 1:
        return _of_incident(groups[0], edits=edits, emails=emails)
    return _by_fault(groups, edits=edits, emails=emails)


def _of_incident(group: Group, *, edits: bool, emails: bool) -> Digest:
    head = group.view.head if group.view else None
    whole = notification_of(group.shown, view=group.view, emails=emails)
    label = f"Analysis of {whose(group.shown, emails=emails)}:\n"
    text = (
        cut(label + whole.analysis.text, SECTION_CHARS) if whole.analysis.analysis_of else whole.analysis.text
    )
    count = group.view.count if group.view else len(group.alerts)
    severity = group.worst_first[0].severity
    what = f"{counted(count, 'alert')}: " if count > 1 else ""
    state = _state(group)
    return Digest(
        digest_id=digest_id_of(alert.alert_id for alert in group.alerts),
        alert_count=len(group.alerts),
        header=line(
            f"{severity}: {f'{state}: ' if state else ''}{what}{title_of(group.shown)}",
            HEADER_CHARS,
            emails=emails,
        ),
        counts=(),
        sections=(Section(text=_told(group, emails=emails)),),
        footer=whole.footer,
        whole=msgspec.structs.replace(
            whole,
            message=cut(whole.message, _MESSAGE_CHARS),
            analysis=msgspec.structs.replace(whole.analysis, text=text),
        ),
        refers_to=head.slack_ref
        if edits and head and not any(alert.lead for alert in group.alerts)
        else None,
    )


def _told(group: Group, *, emails: bool) -> str:
    """The alerts that the message tells of, some of them by name."""
    lines = [example_of(alert, emails=emails) for alert in group.worst_first[:_EXAMPLES]]
    others = len(group.alerts) - len(lines)
    rest = [f"and {others:,} more"] if others else []
    return "\n".join([f"{counted(len(group.alerts), 'alert')} told here:", *lines, *rest])


def _by_fault(groups: Sequence[Group], *, edits: bool, emails: bool) -> Digest:
    worst = sorted(groups, key=lambda group: _order(group.worst_first[0]))
    alerts = [alert for group in groups for alert in group.alerts]
    digest_id = digest_id_of(alert.alert_id for alert in alerts)
    in_full = len(groups) <= _WHOLE_FAULTS
    room = _FAULTS_CHARS // min(len(groups), MAX_DIGEST_FAULTS)
    sections = [_section(group, room=room, in_full=in_full, emails=emails) for group in worst]
    first, last = (end(alert.created_at for alert in alerts) for end in (min, max))
    severest = min((alert.severity for alert in alerts), key=URGENCY.__getitem__)
    return Digest(
        digest_id=digest_id,
        alert_count=len(alerts),
        header=f"{counted(len(alerts), 'alert')} of {counted(len(groups), 'fault')}, the worst {severest}",
        counts=_counts(alerts, emails=emails),
        sections=tuple(sections[:MAX_DIGEST_FAULTS]),
        footer=f"accepted {first} to {last} · each is in the ledger, with digest_id {digest_id}",
        thread=_thread(worst, emails=emails) if edits else (),
    )


def _section(group: Group, *, room: int, in_full: bool, emails: bool) -> Section:
    shown = group.shown
    count = group.view.count if group.view else len(group.alerts)
    hosts = len(group.view.hosts) if group.view else 0
    parts = [
        str(group.worst_first[0].severity),
        _state(group),
        counted(count, "alert") if count > 1 else "",
        counted(hosts, "host") if hosts > 1 else "",
        line(title_of(shown), _TITLE_CHARS, emails=emails),
    ]
    first = " · ".join(filter(None, parts))
    label = f"Analysis of {whose(shown, emails=emails)}:" if shown.analysis else f"{shown.alert_id}:"
    left = room - len(first) - len(label) - 2
    if in_full:
        text = f"{first}\n{label}\n{analysis_of(shown, emails=emails, limit=left)}"
    else:
        text = f"{first}\n{label} {cause_of(shown, emails=emails, limit=left)}"
    return Section(text=text, analysis_of=shown.alert_id if shown.analysis else None)


def _thread(groups: Sequence[Group], *, emails: bool) -> tuple[ThreadReply, ...]:
    """The whole analyses, as many a reply as it has room for."""
    replies: list[list[Section]] = []
    room = 0
    for shown in (group.shown for group in groups):
        if shown.analysis is None:
            continue
        title = line(title_of(shown), _TITLE_CHARS, emails=emails)
        label = f"Analysis of {whose(shown, emails=emails)}: {title}\n"
        text = label + analysis_of(shown, emails=emails, limit=SECTION_CHARS - len(label))
        if len(text) > room:
            replies.append([])
            room = MESSAGE_CHARS
        replies[-1].append(Section(text=text, analysis_of=shown.alert_id))
        room -= len(text)
    return tuple(
        ThreadReply(header=f"Analyses of {counted(len(sections), 'fault')}", sections=tuple(sections))
        for sections in replies
    )


def _state(group: Group) -> str:
    """Whether the fault is over: such as `fired, resolved after 8 s`; empty if it is not."""
    states = {alert.state: alert for alert in reversed(group.worst_first)}
    fired, resolved = states.get(FaultState.FIRING), states.get(FaultState.RESOLVED)
    faults = {alert.fault_key for alert in group.alerts}
    closed = group.view.closed if group.view else resolved is not None
    if fired and resolved and closed and len(faults) == 1:
        return f"fired, resolved after {span(_since(resolved) - _since(fired))}"
    if group.view:
        return resolved_of(group.view)
    return "resolved" if resolved and not fired else ""


def _since(alert: Alert) -> int:
    return alert.accepted_at_ms if alert.changed_at_ms is None else alert.changed_at_ms


def _counts(alerts: Sequence[Alert], *, emails: bool) -> tuple[tuple[str, int], ...]:
    """By severity, then by source: the largest, and the others as one, so that each adds up."""
    severities = Counter(alert.severity for alert in alerts)
    sources = Counter(line(alert.source, _SOURCE_CHARS, emails=emails) for alert in alerts)
    counts = [(str(severity), severities[severity]) for severity in Severity if severities[severity]]
    shown = sorted(sources.items(), key=lambda item: (-item[1], item[0]))[:_SOURCES]
    counts += [(f"from {source}", count) for source, count in shown]
    if others := len(alerts) - sum(count for _, count in shown):
        counts.append(("from other sources", others))
    return tuple(counts)


def _worst_first(alerts: Iterable[Alert]) -> list[Alert]:
    return sorted(alerts, key=_order)


def _order(alert: Alert) -> tuple[int, int, str]:
    return URGENCY[alert.severity], alert.accepted_at_ms, alert.alert_id
