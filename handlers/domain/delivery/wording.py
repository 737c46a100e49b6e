"""The words of messages: what is shown of an alert, harmless and no longer than Slack takes it.

All text here may come from an attacker: it is made `inert` and then `redacted`, in this order, since what is
drawn as nothing may stand within a secret. What is long is cut last, so that no half of a secret is left.
`emails`: whether e-mail addresses are redacted too.
"""

from datetime import UTC, datetime
from typing import Final

from handlers.domain.alert import Alert
from handlers.domain.delivery.answers import shown_answer
from handlers.domain.limits import cut
from handlers.domain.redaction import redacted
from handlers.domain.text import inert
from topology.alerts import FaultState, FollowUp

HEADER_CHARS: Final = 150
"""https://docs.slack.dev/reference/block-kit/blocks/header-block/"""

SECTION_CHARS: Final = 3_000
"""https://docs.slack.dev/reference/block-kit/blocks/section-block/ (at most ten fields)"""

MESSAGE_CHARS: Final = 10_000
"""Of all texts in the blocks of a message. Slack refuses more as `msg_blocks_too_long`: its maintainers tell
of 12,000 and a buffer for the blocks' own form, and it has refused 11,341 of nested ones.
https://github.com/slackapi/bolt-js/issues/2509 and https://github.com/slackapi/bolt-js/issues/2867"""

TEXT_CHARS: Final = 20_000
"""Of a message without blocks; Slack cuts its text at 40,000.
https://docs.slack.dev/reference/methods/chat.postMessage (truncating content)"""

_EXAMPLE_CHARS: Final = 200
_SECOND_MS: Final = 1_000


def safe(text: str, *, emails: bool) -> str:
    """`text` as it may be shown."""
    return redacted(inert(text), emails=emails)


def line(text: str, limit: int, *, emails: bool) -> str:
    """`text` as it may be shown on one line of at most `limit` characters."""
    return cut(" ".join(safe(text, emails=emails).split()), limit)


def title_of(alert: Alert) -> str:
    """The title, where a source's own `[RESOLVED]` is no word of ours: a fault that lasts is not over."""
    if alert.state is FaultState.FIRING and inert(alert.title)[:20].lstrip("[({ ").casefold().startswith(
        "resolved"
    ):
        return f"still firing, titled {alert.title}"
    return alert.title


def counted(count: int, noun: str) -> str:
    """Such as `1 alert` and `1,200 alerts`."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def example_of(alert: Alert, *, emails: bool) -> str:
    """Such as `HIGH 2026-11-23T08:00:00.123Z db-1: Queue is growing (a3f…)`: by its host, else its source."""
    resolved = " resolved" if alert.state is FaultState.RESOLVED else ""
    text = f"{alert.severity}{resolved} {alert.created_at} {alert.host or alert.source}: {title_of(alert)}"
    return f"{line(text, _EXAMPLE_CHARS, emails=emails)} ({alert.alert_id})"


def analysis_of(alert: Alert, *, emails: bool, limit: int = SECTION_CHARS) -> str:
    """What the model said of the alert, or why it said nothing. A long summary leaves room for the rest."""
    parts = _analysis_parts(alert)
    whole = _shown("\n".join(parts), alert, emails=emails)
    if len(whole) <= limit:
        return whole
    shown = [_shown(part, alert, emails=emails) for part in parts]
    return cut("\n".join([*(cut(part, limit // 3) for part in shown[:2]), *shown[2:]]), limit)


def cause_of(alert: Alert, *, emails: bool, limit: int) -> str:
    """The same on one line: the cause, where the model found none what it said first."""
    if alert.analysis is None:
        return line(_analysis_parts(alert)[0], limit, emails=emails)
    said = alert.analysis.probable_cause or alert.analysis.summary or " ".join(alert.analysis.actions)
    return cut(" ".join(_shown(said, alert, emails=emails).split()), limit)


def whose(alert: Alert, *, host_chars: int = 60, emails: bool) -> str:
    """Whose analysis it is, such as `a3f…, host db-1`: what it says is of this alert alone."""
    host = f", host {line(alert.host, host_chars, emails=emails)}" if alert.host else ""
    return f"{alert.alert_id}{host}"


def footer_of(alert: Alert) -> str:
    """Its id, and where its analysis is from."""
    if alert.analysis is None:
        return alert.alert_id
    origin = f"cached analysis by {alert.analysis.model}" if alert.analysis.cached else alert.analysis.model
    if alert.analysis.left_out:
        origin = f"part of a {origin}: {alert.analysis.left_out} of its statements do not fit"
    return f"{alert.alert_id} · {origin}"


def span(ms: int) -> str:
    """A duration, in the largest unit of which it has two: such as `8 s` and `95 min`."""
    seconds = max(ms, 0) // _SECOND_MS
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def at(ms: int) -> str:
    """Such as `2026-11-23 08:00:00`, in UTC."""
    return datetime.fromtimestamp(ms / _SECOND_MS, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _shown(text: str, alert: Alert, *, emails: bool) -> str:
    return redacted(shown_answer(inert(text), links=alert.shown_links.values()), emails=emails)


def _analysis_parts(alert: Alert) -> list[str]:
    if alert.analysis is None:
        reason = alert.analysis_error or "unknown reason"
        if alert.follow_up is FollowUp.WANTED:
            return [f"No analysis yet: {reason}. It follows when it can be had."]
        return [f"No analysis: {reason}"]
    cause = alert.analysis.probable_cause
    parts = [alert.analysis.summary, f"Probable cause: {cause}" if cause else ""]
    parts += [f"{number}. {action}" for number, action in enumerate(alert.analysis.actions, start=1)]
    return [*filter(None, parts), f"Confidence: {alert.analysis.confidence}"]
