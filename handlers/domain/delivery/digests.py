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
    hosts_text_of,
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
    footer_of,
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
"""What is left for faults beside the header, the summary and the footer."""

_EXAMPLES: Final = 5
_MESSAGE_CHARS: Final = 1_000
"""Of the head's own message, in a digest."""

_SOURCES: Final = 5
_SOURCE_CHARS: Final = 60
_HOST_CHARS: Final = 30
_HOSTS_CHARS: Final = 200
_TITLE_CHARS: Final = 120
_LEAST_TITLE_CHARS: Final = 24


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
    def hosts(self) -> Sequence[str]:
        """The hosts that are known of, each once."""
        return self.view.hosts if self.view else [*dict.fromkeys(a.host for a in self.alerts if a.host)]

    @property
    def subject(self) -> Alert:
        """What the group is named after: the head, else the worst."""
        return (self.view and self.view.head) or self.worst_first[0]

    @property
    def shown(self) -> Alert:
        """Whose analysis is shown: the subject's, else that of the first which has one."""
        analysed = (alert for alert in (self.subject, *self.worst_first) if alert.analysis is not None)
        return next(analysed, self.subject)


def digest_id_of(alert_ids: Iterable[str]) -> str:
    """The id of the digest of exactly these alerts: `d` and 32 hex digits, whatever their order.

    Whoever has the rows that carry it can compute it again, and so see that none is missing.
    """
    return "d" + hashlib.sha256("\n".join(sorted(alert_ids)).encode()).hexdigest()[:32]


def digest_of(groups: Sequence[Group], *, edits: bool = False, emails: bool = True) -> Digest:
    """The one message about all alerts of `groups`, of which there is at least one.

    `edits`: what was posted can be edited and has a thread. Then a digest of one incident takes the place of
    its head's message, unless people are to notice it: a lead is among its alerts, or all of it is over.
    """
    if len(groups) == 1:
        return _of_incident(groups[0], edits=edits, emails=emails)
    return _by_fault(groups, edits=edits, emails=emails)


def _of_incident(group: Group, *, edits: bool, emails: bool) -> Digest:
    head = group.view.head if group.view else None
    whole = notification_of(group.subject, view=group.view, emails=emails)
    severity, *marks = _marks(group)
    title = title_of(group.subject)
    return Digest(
        digest_id=digest_id_of(alert.alert_id for alert in group.alerts),
        alert_count=len(group.alerts),
        header=line(f"{severity}: {' · '.join([*marks, title])}", HEADER_CHARS, emails=emails),
        summary="",
        sections=(Section(text=_told(group, emails=emails)),),
        footer=footer_of(group.shown),
        whole=msgspec.structs.replace(
            whole,
            message=cut(whole.message, _MESSAGE_CHARS),
            analysis=_whole_analysis(group.shown, emails=emails),
        ),
        refers_to=head.slack_ref if edits and head and not _is_news(group) else None,
    )


def _is_news(group: Group) -> bool:
    """Whether people are to notice it, which an edit does not make them: a lead, or that all is over."""
    over = group.view is not None and group.view.closed
    return over or any(alert.lead for alert in group.alerts)


def _told(group: Group, *, emails: bool) -> str:
    """The alerts that the message tells of, some of them by name."""
    lines = [example_of(alert, emails=emails) for alert in group.worst_first[:_EXAMPLES]]
    others = len(group.alerts) - len(lines)
    rest = [f"and {others:,} more"] if others else []
    return "\n".join([f"Told here: {counted(len(group.alerts), 'alert')}", *lines, *rest])


def _by_fault(groups: Sequence[Group], *, edits: bool, emails: bool) -> Digest:
    worst = sorted(groups, key=lambda group: _order(group.worst_first[0]))
    alerts = [alert for group in worst for alert in group.alerts]
    digest_id = digest_id_of(alert.alert_id for alert in alerts)
    if len(groups) <= _WHOLE_FAULTS:
        sections = [_in_full(group, room=_FAULTS_CHARS // len(groups), emails=emails) for group in worst]
    else:
        shown = worst[:MAX_DIGEST_FAULTS]
        sections = [_in_short(group, room=_FAULTS_CHARS // len(shown), emails=emails) for group in shown]
    if others := len(groups) - len(sections):
        sections.append(
            Section(text=f"{counted(others, 'more fault')}, none of them worse: look in the ledger")
        )
    whole = {section.analysis_of for section in sections if not section.cut}
    first, last = (end(alert.created_at for alert in alerts) for end in (min, max))
    severest = min((alert.severity for alert in alerts), key=URGENCY.__getitem__)
    return Digest(
        digest_id=digest_id,
        alert_count=len(alerts),
        header=f"{counted(len(alerts), 'alert')} of {counted(len(groups), 'fault')}, the worst {severest}",
        summary=_summary(alerts, emails=emails),
        sections=tuple(sections),
        footer=f"accepted {first} to {last} · each is in the ledger, with digest_id {digest_id}",
        thread=_thread([group.shown for group in worst if group.shown.alert_id not in whole], emails=emails)
        if edits
        else (),
    )


def _in_full(group: Group, *, room: int, emails: bool) -> Section:
    """A fault with its whole analysis, as far as there is room."""
    header = line(" · ".join([*_marks(group), title_of(group.subject)]), HEADER_CHARS, emails=emails)
    hosts = hosts_text_of(group.hosts, emails=emails) if len(group.hosts) > 1 else ""
    first = f"{line(hosts, _HOSTS_CHARS, emails=emails)}\n" if hosts else ""
    room = min(room - len(header), SECTION_CHARS) - len(first)
    section = _whole_analysis(group.shown, room=room, emails=emails)
    return msgspec.structs.replace(section, header=header, text=first + section.text)


def _in_short(group: Group, *, room: int, emails: bool) -> Section:
    """A fault with its cause. Title and cause share the room that the rest of the two lines leaves."""
    shown = group.shown
    marks = " · ".join(_marks(group))
    owner = whose(shown, host_chars=_HOST_CHARS, emails=emails)
    last = f"analysis of {owner}" if shown.analysis else owner
    room -= len(marks) + len(last) + len(" · \n\n")
    title = line(
        title_of(group.subject), min(_TITLE_CHARS, max(room // 2, _LEAST_TITLE_CHARS)), emails=emails
    )
    text = f"{marks} · {title}\n{cause_of(shown, emails=emails, limit=room - len(title))}\n{last}"
    return Section(text=text, analysis_of=shown.alert_id if shown.analysis else None, cut=True)


def _thread(analysed: Sequence[Alert], *, emails: bool) -> tuple[ThreadReply, ...]:
    """The whole analyses, as many a reply as it has room for."""
    replies: list[list[Section]] = []
    room = 0
    for alert in analysed:
        if alert.analysis is None:
            continue
        label = f"{line(title_of(alert), _TITLE_CHARS, emails=emails)}\n"
        section = _whole_analysis(alert, label=label, emails=emails)
        if len(section.text) > room:
            replies.append([])
            room = MESSAGE_CHARS
        replies[-1].append(section)
        room -= len(section.text)
    return tuple(
        ThreadReply(header=f"Analyses of {counted(len(sections), 'fault')}", sections=tuple(sections))
        for sections in replies
    )


def _whole_analysis(alert: Alert, *, label: str = "", room: int = SECTION_CHARS, emails: bool) -> Section:
    """An analysis after whose it is; where there is none, why."""
    if alert.analysis is None:
        return Section(text=analysis_of(alert, emails=emails, limit=room))
    label += f"Analysis of {whose(alert, emails=emails)}:\n"
    whole = analysis_of(alert, emails=emails, limit=SECTION_CHARS)
    shown = analysis_of(alert, emails=emails, limit=room - len(label))
    return Section(text=label + shown, analysis_of=alert.alert_id, cut=shown != whole)


def _marks(group: Group) -> list[str]:
    """Its severity and whatever else there is to say first, such as `12 alerts` and `resolved`."""
    view = group.view
    count, hosts = view.count if view else len(group.alerts), len(group.hosts)
    return [
        str(group.worst_first[0].severity),
        *([_state(group)] if _state(group) else []),
        *([counted(count, "alert")] if count > 1 else []),
        *([counted(hosts, "host")] if hosts > 1 else []),
    ]


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


def _summary(alerts: Sequence[Alert], *, emails: bool) -> str:
    """How many by severity, then by source: the largest, and the others as one, so that each adds up."""
    severities = Counter(alert.severity for alert in alerts)
    sources = Counter(line(alert.source, _SOURCE_CHARS, emails=emails) for alert in alerts)
    shown = sorted(sources.items(), key=lambda item: (-item[1], item[0]))[:_SOURCES]
    others = len(alerts) - sum(count for _, count in shown)
    by_source = [f"{source} ({count})" for source, count in shown]
    by_source += [f"other sources ({others})"] if others else []
    by_severity = [f"{severities[severity]} {severity}" for severity in Severity if severities[severity]]
    return f"{', '.join(by_severity)}\nfrom {', '.join(by_source)}"


def _worst_first(alerts: Iterable[Alert]) -> list[Alert]:
    return sorted(alerts, key=_order)


def _order(alert: Alert) -> tuple[int, int, str]:
    return URGENCY[alert.severity], alert.accepted_at_ms, alert.alert_id
