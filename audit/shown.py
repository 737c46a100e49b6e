"""Whether people saw why: which alerts were told with an analysis of their incident, by what Slack received.

An alert is told by each message and edit that is marked with it (`alert:` or `follow-up:` and its id,
`digest:` and the id of the digest that its row names), and by the replies in the thread of such a message.
It is told *with its analysis* if a block of one of them is marked `analysis:` and the id of an alert, this
one or one of its incident, and has in its text how that alert's cause, summary or an action begins in the
ledger. Neither mark nor text alone is believed. A message without blocks, which went out as plain text
because Slack refused its layout, has no marks but its own: there the text alone counts.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

import msgspec

from audit.comparison import SlackPost
from audit.ledger import scan_items
from audit.outcome import NOTIFIED
from clients.deployment import Deployment

LEAST_PERCENT: Final = 95
"""Of the notified alerts are to be told with their analysis, in a demo as in a storm."""

_MARK: Final = "analysis:"
_COMPARED_CHARS: Final = 24
"""Of a text's beginning: a digest's line is cut, and a secret further on may have been taken out."""

_ATTRIBUTES: Final = ("alert_id", "status", "digest_id", "incident_id", "analysis_error", "analysis")


class ReadPost(SlackPost, Protocol):
    """A message or an edit as Slack has it, with all that it shows."""

    @property
    def channel(self) -> str:
        """Where it is."""

    @property
    def ts(self) -> str:
        """Its id in the channel; an edit has that of the message it is of."""

    @property
    def thread_ts(self) -> str:
        """The id of the message that it replies to; empty if it does not."""

    @property
    def payload(self) -> Mapping[str, Any]:
        """What was posted."""


class AnalysedRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a ledger says of an alert: how it was told, and `said`, the texts of its analysis.

    `analysis_error` says why it has none.
    """

    alert_id: str
    status: str
    digest_id: str | None = None
    incident_id: str | None = None
    said: tuple[str, ...] = ()
    analysis_error: str = "no message that tells of it shows its analysis"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Of the `notified` alerts those that were told with an analysis, and why the others (by id) were not."""

    notified: int
    with_analysis: int
    without: Mapping[str, str]

    @property
    def percent(self) -> float | None:
        """Told with an analysis; None if nobody was told of anything."""
        return 100 * self.with_analysis / self.notified if self.notified else None


def shown_of(
    posts: Iterable[ReadPost], rows: Iterable[AnalysedRow], *, ids: Collection[str] | None = None
) -> Shown:
    """Which notified alerts, of `ids` if there are some, were told with an analysis."""
    by_id = {row.alert_id: row for row in rows}
    asked = [row for row in by_id.values() if row.status == NOTIFIED and (ids is None or row.alert_id in ids)]
    read = _Read(posts, by_id.values())
    without = {row.alert_id: row.analysis_error for row in asked if not read.shows(row)}
    return Shown(notified=len(asked), with_analysis=len(asked) - len(without), without=without)


class _Read:
    """The posts by what they tell of, and the rows by incident."""

    def __init__(self, posts: Iterable[ReadPost], rows: Collection[AnalysedRow]) -> None:
        self._told_by: defaultdict[str, list[ReadPost]] = defaultdict(list)
        self._replies: defaultdict[tuple[str, str], list[ReadPost]] = defaultdict(list)
        for post in posts:
            for subject in (*post.alert_ids, *post.follow_ups, *(digest_id for digest_id, _ in post.digests)):
                self._told_by[subject].append(post)
            if post.thread_ts:
                self._replies[post.channel, post.thread_ts].append(post)
        self._said = {row.alert_id: tuple(filter(None, map(_beginning, row.said))) for row in rows}
        self._incidents: defaultdict[str | None, set[str]] = defaultdict(set)
        for row in rows:
            if row.incident_id is not None:
                self._incidents[row.incident_id].add(row.alert_id)

    def shows(self, row: AnalysedRow) -> bool:
        kin = {row.alert_id} | self._incidents.get(row.incident_id, set())
        told_by = (*self._told_by.get(row.alert_id, ()), *self._told_by.get(row.digest_id or "", ()))
        return any(
            words in text
            for message in told_by
            for post in (message, *self._replies.get((message.channel, message.ts), ()))
            for marked, text in _texts(post.payload)
            for owner in (kin if marked is None else kin & {marked})
            for words in self._said.get(owner, ())
        )


def scan_analysed(deployment: Deployment, region: str) -> Iterator[AnalysedRow]:
    """Every row as `region` has it. Raises as `audit.ledger.scan_ledger` does."""
    for item in scan_items(deployment, region, _ATTRIBUTES):
        analysis = item.get("analysis", {}).get("M", {})
        texts = [analysis.get(name, {}).get("S", "") for name in ("probable_cause", "summary")]
        texts += [action.get("S", "") for action in analysis.get("actions", {}).get("L", ())]
        values = {name: item[name]["S"] for name in _ATTRIBUTES[:-1] if name in item}
        yield AnalysedRow(**{"status": "", **values}, said=tuple(texts))


def _texts(payload: Mapping[str, Any]) -> Iterator[tuple[str | None, str]]:
    """Whose analysis is said to be shown, and what is; None and all of it where there are no blocks."""
    blocks = payload.get("blocks") or ()
    if not blocks:
        yield None, _joined(str(payload.get("text") or ""))
    for block in blocks:
        block_id, text = str(block.get("block_id") or ""), block.get("text")
        if block_id.startswith(_MARK) and isinstance(text, dict):
            yield block_id.removeprefix(_MARK), _joined(str(text.get("text") or ""))


def _beginning(text: str) -> str:
    return _joined(text)[:_COMPARED_CHARS].strip()


def _joined(text: str) -> str:
    return " ".join(text.split())
