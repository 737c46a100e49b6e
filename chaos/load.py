"""Alerts in flight: a source that goes on posting while an experiment's faults fire, and keeps its receipts.

One load runs for each receipts file, started by one action and stopped by another;
Chaos Toolkit's background activities cannot be stopped early.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from clients.load import Load, Post
from clients.receipts import Tells
from clients.sender import Tally, Webhook
from topology.alerts import FaultState

CAUSES: Final = (
    "connection pool is exhausted", "p99 latency is over its objective", "disk is almost full",
    "certificate expires soon", "replica lags behind", "queue depth grows", "error rate is over 1 %",
    "memory is close to its limit",
)  # fmt: skip
"""As few causes as a real incident has, so that most analyses come from the cache."""

SEVERITIES: Final = ("HIGH", "MEDIUM", "LOW", "HIGH", "MEDIUM", "INFO", "HIGH", "MEDIUM", "LOW", "CRITICAL")
POSTS_AT_ONCE: Final = 8

_TURN: Final = 10
_FLAPPING: Final = 8
"""Faults that come and go: each is told of every 80 alerts, so that what clocks cannot order is rare."""


_SERIAL: Final = itertools.count(time.time_ns())
"""Makes an alert's id new in every run, on the same stack too."""


def alerts(
    label: str, orders: Sequence[tuple[Webhook, ...]], *, distinct_causes: bool = False
) -> Iterator[Post]:
    """Generate posts without end, to the webhooks in these orders in turn: numbered events, of few causes.

    No two are alike. Every tenth tells of one of a few faults that come and go, each time of a change.
    `distinct_causes`: no two with the same cause, so that each needs an analysis of its own.
    """
    first = next(_SERIAL)
    for number, webhooks in zip(itertools.count(), itertools.cycle(orders), strict=False):
        cause = CAUSES[number % len(CAUSES)]
        service = _word(number) if distinct_causes else str(number % len(CAUSES))
        turn, rest = divmod(number, _TURN)
        event, state = str(next(_SERIAL)), FaultState.FIRING
        if rest == 0:
            event = f"{first}-{turn % _FLAPPING}"
            state = FaultState.RESOLVED if turn // _FLAPPING % 2 else FaultState.FIRING
        body = {
            "source": f"chaos-{label}",
            "event_id": event,
            "status": str(state),
            "title": f"service-{service}: {cause}",
            "message": f"{cause} (alert {number} of {label})",
            "severity": SEVERITIES[number % len(SEVERITIES)],
            "component": f"service-{service}",
        }
        yield Post(body, webhooks, (Tells(fault=event, state=state),))


def _word(number: int) -> str:
    """Spell a number in letters, since an alert's signature leaves numbers out."""
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(4))


def new_load(
    webhooks: tuple[Webhook, ...], receipts: Path, *, burst: int, per_s: float, distinct_causes: bool = False
) -> Load:
    """Make a source that posts `burst` alerts at once, then `per_s` a second, to both regions in turn."""
    orders = [webhooks[first:] + webhooks[:first] for first in range(len(webhooks))]
    posts = alerts("load", orders, distinct_causes=distinct_causes)
    return Load(posts=posts, receipts=receipts, per_s=per_s, at_once=POSTS_AT_ONCE, ahead=burst)


_LOADS: Final[dict[Path, Load]] = {}


def start_load(load: Load) -> None:
    """Start `load`; one that keeps the same receipts file already is stopped first."""
    stop_load(load.receipts)
    _LOADS[load.receipts] = load
    load.start()


def tally_of(receipts: Path) -> Tally | None:
    """What happened so far to the posts of the load that keeps these receipts; None if there is none."""
    load = _LOADS.get(receipts)
    return None if load is None else load.tally


def stop_load(receipts: Path) -> Tally | None:
    """Stop the load that keeps these receipts; return its tally, or None if there is no such load.

    Raises:
        LoadFailedError: it had died, or does not end.
    """
    load = _LOADS.pop(receipts, None)
    return None if load is None else load.stop()
