"""Posts a recorded stream of alerts to a stack, at the rate at which it was recorded."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from clients.receipts import Tells
from clients.sender import Sender, Webhook

STREAM: Final = Path(__file__).with_name("stream.jsonl")
"""Alerts as a mid-sized shop's monitoring sends them, repeats and bursts included; made for this project."""

POSTS_AT_ONCE: Final = 16


@dataclass(frozen=True)
class Post:
    """One body of the stream and when it is posted, in seconds from the stream's start.

    `tells` says which fault and state each of its members tells of, where the stream's maker knows it.
    """

    at_s: float
    body: Mapping[str, Any]
    tells: tuple[Tells, ...] = ()


def read_stream(path: Path = STREAM) -> tuple[Post, ...]:
    """Read the stream, oldest post first."""
    return tuple(msgspec.json.decode(line, type=Post) for line in path.read_bytes().splitlines())


async def replay(sender: Sender, posts: Sequence[Post], webhooks: tuple[Webhook, ...]) -> None:
    """Post each body at its time from now, to the first webhook unless that fails."""
    begun = time.monotonic()
    places = asyncio.Semaphore(POSTS_AT_ONCE)

    async def send(post: Post) -> None:
        await asyncio.sleep(max(0.0, begun + post.at_s - posts[0].at_s - time.monotonic()))
        async with places:
            await sender.post(post.body, webhooks, post.tells)

    async with asyncio.TaskGroup() as tasks:
        for post in posts:
            tasks.create_task(send(post))
