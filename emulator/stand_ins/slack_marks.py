"""What a message is about, by the ids of its blocks: how Slack's record is compared with the ledger.

A message without blocks, as it goes out where its layout was refused, has its mark in its text's last line.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

ALERT: Final = "alert:"
DIGEST: Final = "digest:"
FOLLOW_UP: Final = "follow-up:"
"""What the id of a block starts with; the alert's id follows, or the digest's and its count of alerts."""


class Marks(TypedDict):
    """The fields of `SlackMessage` that come from blocks."""

    alert_ids: tuple[str, ...]
    digests: tuple[tuple[str, int], ...]
    follow_ups: tuple[str, ...]


def marks_of(payload: Mapping[str, Any]) -> Marks:
    """The marks of a message that was checked."""
    blocks = payload.get("blocks")
    ids = [block.get("block_id") or "" for block in blocks or []]
    if not blocks:
        ids = [str(payload.get("text") or "").rpartition("\n")[2]]
    return Marks(
        alert_ids=_after(ALERT, ids),
        digests=tuple(
            (digest_id, int(count))
            for digest_id, _, count in (rest.rpartition(":") for rest in _after(DIGEST, ids))
            if count.isdecimal() and count.isascii()
        ),
        follow_ups=_after(FOLLOW_UP, ids),
    )


def _after(mark: str, ids: Sequence[str]) -> tuple[str, ...]:
    return tuple(block_id.removeprefix(mark) for block_id in ids if block_id.startswith(mark))
