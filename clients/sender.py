"""A well-behaved alert source: posts to one region, retries on the other, keeps a receipt for each 202.

The demo, drills and chaos experiments send with it. It does what the sources are told to do: retry
connection failures, timeouts, 429 and 5xx, on the other region, with backoff, until a deadline.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated

import aiohttp
import msgspec

from clients.lines import SHOWN_CHARS
from clients.receipts import BodyReceipt, Member, Receipt, ReceiptsFile, Tells

POST_TIMEOUT_S = 10.0
"""As long as reception itself may take by default (`receptionTimeoutS`)."""
RETRY_DEADLINE_S = 90.0
BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 2.0
_RETRYABLE = frozenset({429, *range(500, 600)})
_ACCEPTED = 202


@dataclass(frozen=True)
class Webhook:
    """Where one region takes alerts."""

    region: str
    url: str
    api_key: str = field(repr=False)


@dataclass(frozen=True)
class Attempt:
    """One try of one post. Times in epoch milliseconds; `status` None: nothing came back in time."""

    region: str
    sent_at_ms: int
    answered_at_ms: int
    status: int | None


@dataclass
class Tally:
    """What happened to the posts so far.

    `refused` maps a final status to how often it was seen; `unnamed` counts bodies that were answered 202
    for nobody knows which alerts.
    """

    posted: int = 0
    accepted_by_region: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    given_up: int = 0
    unnamed: int = 0

    @property
    def accepted(self) -> int:
        """Alerts answered 202, in every region."""
        return self.accepted_by_region.total()


class _Answered(msgspec.Struct):
    alert_id: str
    status: str
    index: Annotated[int, msgspec.Meta(ge=0)] | None = None
    fault_key: str | None = None
    state: str | None = None


class _Refused(msgspec.Struct):
    index: Annotated[int, msgspec.Meta(ge=0)]
    error: str


class _Answer(msgspec.Struct):
    """Reception's 202: each alert by its place in the body (left out by older ones, in order), or refused.

    `refused_count` may be more than are named.
    """

    alerts: list[_Answered]
    refused: list[_Refused] = []
    refused_count: int = 0


class Sender:
    """Posts bodies; safe to use from many tasks of one event loop."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        receipts: ReceiptsFile,
        *,
        observe: Callable[[Attempt], None] = lambda _: None,
    ) -> None:
        """Send over `session`, append to `receipts`, and tell `observe` of every try."""
        self._session = session
        self._receipts = receipts
        self._observe = observe
        self.tally = Tally()

    async def post(
        self, body: Mapping[str, object], webhooks: tuple[Webhook, ...], tells: Sequence[Tells] = ()
    ) -> list[Receipt]:
        """Post one body until some region answers finally; the first webhook is tried first.

        `tells` says of each of the body's members, in order, what whoever made the body knows of it.

        Returns the receipts of its alerts; empty when it was refused (a 4xx), the deadline passed, or nobody
        can read the answer, which the receipts file says.
        """
        deadline = time.monotonic() + RETRY_DEADLINE_S
        self.tally.posted += 1
        first_sent_at_ms = _now_ms()
        sent, count = json.dumps(body).encode(), count_members(body)
        for attempt in range(1_000):
            webhook = webhooks[attempt % len(webhooks)]
            sent_at_ms = _now_ms()
            status, answer = await self._post_once(webhook, sent)
            self._observe(Attempt(webhook.region, sent_at_ms, _now_ms(), status))
            if status == _ACCEPTED:
                members, more_refused, unnamed = _members(answer, count, tells)
                return self._keep(
                    BodyReceipt(
                        body_hash=sha256(sent).hexdigest(),
                        region=webhook.region,
                        first_sent_at_ms=first_sent_at_ms,
                        sent_at_ms=sent_at_ms,
                        accepted_at_ms=_now_ms(),
                        sent=count,
                        members=members,
                        more_refused=more_refused,
                        unnamed=unnamed,
                    )
                )
            if status is not None and status not in _RETRYABLE:
                self.tally.refused[status] += 1
                return []
            pause_s = min(BACKOFF_FIRST_S * 2 ** (attempt // len(webhooks)), BACKOFF_MAX_S)
            if time.monotonic() + pause_s > deadline:
                break
            self.tally.retries += 1
            if attempt % len(webhooks) == len(webhooks) - 1:
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
        self.tally.given_up += 1
        return []

    async def _post_once(self, webhook: Webhook, body: bytes) -> tuple[int | None, bytes]:
        """One try: the status and the answer, or None where nothing came back."""
        try:
            async with self._session.post(
                webhook.url,
                data=body,
                headers={"content-type": "application/json", "x-api-key": webhook.api_key},
                timeout=aiohttp.ClientTimeout(total=POST_TIMEOUT_S),
            ) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None, b""

    def _keep(self, receipt: BodyReceipt) -> list[Receipt]:
        self._receipts.add(receipt)
        self.tally.unnamed += receipt.unnamed is not None
        alerts = list(receipt.alerts)
        self.tally.accepted_by_region[receipt.region] += len(alerts)
        return alerts


def count_members(body: Mapping[str, object]) -> int:
    """How many alerts a body has: as many as Alertmanager's list holds, or itself."""
    alerts = body.get("alerts")
    return len(alerts) if isinstance(alerts, list) else 1


def _members(answer: bytes, sent: int, tells: Sequence[Tells]) -> tuple[tuple[Member, ...], int, str | None]:
    """The members of a body by what was answered of each, how many more were refused, or why it is unknown.

    A member of which nothing was answered is among them if the sender tells something of it.
    """
    told = dict(enumerate(tells))
    members = []
    unnamed = None
    try:
        found = msgspec.json.decode(answer, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        unnamed = f"with a text that names no alerts ({answer[:SHOWN_CHARS].decode(errors='replace')!a})"
        found = _Answer([])
    free = iter(sorted(set(range(sent)) - {m.index for m in found.refused}))
    for alert in found.alerts:
        index = next(free, sent) if alert.index is None else alert.index
        members.append(
            Member(
                index=index,
                alert_id=alert.alert_id,
                status=alert.status,
                fault_key=alert.fault_key,
                state=alert.state,
                tells=told.get(index),
            )
        )
    members += [Member(index=m.index, refused=m.error, tells=told.get(m.index)) for m in found.refused]
    rest = told.keys() - {member.index for member in members}
    members += [Member(index=index, tells=told[index]) for index in sorted(rest)]
    return tuple(members), max(0, found.refused_count - len(found.refused)), unnamed


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
