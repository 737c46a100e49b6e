"""A well-behaved alert source: posts to one region, retries on the other, keeps a receipt for each 202.

The demo, drills and chaos experiments send with it. It does what the sources are told to do: retry
connection failures, timeouts, 429 and 5xx, on the other region, with backoff, until a deadline.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from clients.receipts import Receipt, ReceiptsFile

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
    """What happened to the posts so far; `refused` maps a final status to how often it was seen."""

    posted: int = 0
    accepted_by_region: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    given_up: int = 0

    @property
    def accepted(self) -> int:
        """Alerts answered 202, in every region."""
        return self.accepted_by_region.total()


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

    async def post(self, body: Mapping[str, object], webhooks: tuple[Webhook, ...]) -> list[Receipt]:
        """Post one body until some region answers finally; the first webhook is tried first.

        Returns the receipts of its alerts; empty when it was refused (a 4xx) or the deadline passed.
        """
        deadline = time.monotonic() + RETRY_DEADLINE_S
        self.tally.posted += 1
        for attempt in range(1_000):
            webhook = webhooks[attempt % len(webhooks)]
            sent_at_ms = _now_ms()
            status, answer = await self._post_once(webhook, body)
            self._observe(Attempt(webhook.region, sent_at_ms, _now_ms(), status))
            if status == _ACCEPTED:
                return self._keep(answer, webhook.region, sent_at_ms)
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

    async def _post_once(self, webhook: Webhook, body: Mapping[str, object]) -> tuple[int | None, bytes]:
        """One try: the status and the answer, or None where nothing came back."""
        try:
            async with self._session.post(
                webhook.url,
                data=json.dumps(body).encode(),
                headers={"content-type": "application/json", "x-api-key": webhook.api_key},
                timeout=aiohttp.ClientTimeout(total=POST_TIMEOUT_S),
            ) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None, b""

    def _keep(self, answer: bytes, region: str, sent_at_ms: int) -> list[Receipt]:
        accepted_at_ms = _now_ms()
        receipts = [
            Receipt(alert["alert_id"], alert["status"], region, sent_at_ms, accepted_at_ms)
            for alert in json.loads(answer)["alerts"]
        ]
        for receipt in receipts:
            self._receipts.add(receipt)
        self.tally.accepted_by_region[region] += len(receipts)
        return receipts


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
