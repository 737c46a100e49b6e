"""Recorded streams of alerts, as files of JSON lines, and their replay at the times of the record."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from clients.load import Arrival, Load, Post
from clients.receipts import Tells
from clients.schedules import Recorded
from clients.sender import Tally, Webhook
from topology.errors import ExplainedError

SHIPPED: Final = Path(__file__).with_name("stream.jsonl")
"""Alerts as a mid-sized shop's monitoring sends them, repeats and bursts included; made for this project."""

POSTS_AT_ONCE: Final = 16


class StreamError(ExplainedError):
    """A file is no stream of alerts, or cannot be read."""


class RecordedPost(msgspec.Struct, frozen=True):
    """One line of a stream: a body and when it is posted, in seconds from the stream's start.

    `tells` says which fault and state each of its members tells of, where the stream's maker knows it.
    """

    at_s: Annotated[float, msgspec.Meta(ge=0)]
    body: Mapping[str, Any]
    tells: tuple[Tells, ...] = ()


def replay(
    posts: Sequence[RecordedPost],
    webhooks: tuple[Webhook, ...],
    receipts: Path,
    *,
    tally: Tally | None = None,
    ended: Callable[[Arrival], None] = lambda _: None,
) -> Load:
    """A load, not begun, that posts these at the times at which they were recorded, the first at once.

    Each goes to the first of the webhooks that takes it.
    """
    return Load(
        post=lambda number: Post(posts[number].body, webhooks, posts[number].tells),
        schedule=Recorded([post.at_s for post in posts]),
        receipts=receipts,
        at_once=POSTS_AT_ONCE,
        tally=tally or Tally(),
        ended=ended,
    )


def read_stream(path: Path = SHIPPED) -> tuple[RecordedPost, ...]:
    """Read a stream.

    Raises:
        StreamError: it cannot be read, or a line is no post or is earlier than the one before it.
    """
    posts: list[RecordedPost] = []
    decoder = msgspec.json.Decoder(RecordedPost)
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                posts.append(decoder.decode(line))
                if len(posts) > 1 and posts[-1].at_s < posts[-2].at_s:
                    raise StreamError(f"{path} line {number} is earlier than the one before it; sort by at_s")
    except OSError as error:
        raise StreamError(f"{path} cannot be read: {error.strerror}; name a stream of alerts") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StreamError(
            f"{path} line {len(posts) + 1} is no recorded post ({error}); "
            'each line is {"at_s": seconds, "body": {...}}'
        ) from error
    if not posts:
        raise StreamError(f"{path} has no posts; name a stream of alerts")
    return tuple(posts)
