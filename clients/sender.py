"""A well-behaved alert source: posts to one region, retries on the other, keeps a receipt for each 202.

The demo, drills, chaos experiments and load tests send with it. It does what the sources are told to do:
retry connection failures, timeouts, 429 and 5xx, on the other region, with backoff, until a deadline.

It blocks, so that threads run it and Locust's greenlets too.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated

import msgspec
import urllib3

from clients.lines import SHOWN_CHARS
from clients.receipts import BodyReceipt, Member, Receipt, ReceiptsFile, Tells

POST_TIMEOUT_S = 10.0
"""As long as reception itself may take by default (`receptionTimeoutS`)."""
RETRY_DEADLINE_S = 90.0
BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 2.0
_DOUBLINGS_MAX = 10
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


@dataclass(frozen=True)
class Outcome:
    """How a post ended: the receipts of its alerts, the last try's status (None: nothing came), the tries."""

    alerts: tuple[Receipt, ...]
    status: int | None
    tries: int


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
    """Posts bodies; many threads may use one."""

    def __init__(
        self,
        receipts: ReceiptsFile,
        *,
        at_once: int = 1,
        observe: Callable[[Attempt], None] = lambda _: None,
        tally: Tally | None = None,
        retry_for_s: float = RETRY_DEADLINE_S,
    ) -> None:
        """Append to `receipts`, count in `tally`, tell `observe` of every try; keep `at_once` connections.

        Only one thread at a time appends, counts and tells.
        """
        self._receipts = receipts
        self._observe = observe
        self._turn = threading.Lock()
        self._pool = urllib3.PoolManager(
            maxsize=at_once, retries=False, timeout=urllib3.Timeout(total=POST_TIMEOUT_S)
        )
        self._retry_for_s = retry_for_s
        self.tally = tally or Tally()

    def post(
        self, body: Mapping[str, object], webhooks: tuple[Webhook, ...], tells: Sequence[Tells] = ()
    ) -> Outcome:
        """Post one body until some region answers finally; the first webhook is tried first.

        `tells` says of each of the body's members, in order, what whoever made the body knows of it. The
        outcome has no receipts if the body was refused (a 4xx), the deadline passed, or nobody can read the
        answer, which the receipts file says.

        Raises:
            ReceiptsError: what was accepted cannot be written down.
        """
        deadline = time.monotonic() + self._retry_for_s
        self._count(posted=1)
        first_sent_at_ms = _now_ms()
        sent, count, tries = json.dumps(body).encode(), count_members(body), 0
        while True:
            webhook = webhooks[tries % len(webhooks)]
            tries += 1
            sent_at_ms = _now_ms()
            status, answer = self._post_once(webhook, sent)
            with self._turn:
                self._observe(Attempt(webhook.region, sent_at_ms, _now_ms(), status))
            if status == _ACCEPTED:
                members, more_refused, unnamed = _members(answer, count, tells)
                receipt = BodyReceipt(
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
                return Outcome(self._keep(receipt), status, tries)
            if status is not None and status not in _RETRYABLE:
                with self._turn:
                    self.tally.refused[status] += 1
                return Outcome((), status, tries)
            rounds, place = divmod(tries - 1, len(webhooks))
            pause_s = min(BACKOFF_FIRST_S * 2 ** min(rounds, _DOUBLINGS_MAX), BACKOFF_MAX_S)
            if time.monotonic() + pause_s > deadline:
                self._count(given_up=1)
                return Outcome((), status, tries)
            self._count(retries=1)
            if place == len(webhooks) - 1:
                time.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _post_once(self, webhook: Webhook, body: bytes) -> tuple[int | None, bytes]:
        """One try: the status and the answer, or None where nothing came back."""
        headers = {"content-type": "application/json", "x-api-key": webhook.api_key}
        try:
            response = self._pool.request("POST", webhook.url, body=body, headers=headers, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError):
            return None, b""
        return response.status, response.data

    def _count(self, *, posted: int = 0, retries: int = 0, given_up: int = 0) -> None:
        with self._turn:
            self.tally.posted += posted
            self.tally.retries += retries
            self.tally.given_up += given_up

    def _keep(self, receipt: BodyReceipt) -> tuple[Receipt, ...]:
        alerts = tuple(receipt.alerts)
        with self._turn:
            self._receipts.add(receipt)
            self.tally.unnamed += receipt.unnamed is not None
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
