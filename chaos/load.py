"""Alerts in flight: a source that goes on posting while an experiment's faults fire, and keeps its receipts.

One load runs for each receipts file, started by one action and stopped by another;
Chaos Toolkit's background activities cannot be stopped early.
"""

from pathlib import Path
from typing import Final

from clients.alert_source import AlertSource, in_turn
from clients.load import Load
from clients.schedules import Schedule, Steady
from clients.sender import Tally, Webhook

POSTS_AT_ONCE: Final = 8


def new_load(
    webhooks: tuple[Webhook, ...], receipts: Path, *, burst: int, per_s: float, distinct_causes: bool = False
) -> Load:
    """Make a source that posts `burst` alerts at once, then `per_s` a second, to both regions in turn."""
    source = AlertSource(source="chaos-load", flapping=True, distinct_causes=distinct_causes)
    return load_in_turn(source, webhooks, Steady(per_s, ahead=burst), receipts, at_once=POSTS_AT_ONCE)


def load_in_turn(
    source: AlertSource, webhooks: tuple[Webhook, ...], schedule: Schedule, receipts: Path, *, at_once: int
) -> Load:
    """Make a load of these alerts in which each of the webhooks is tried first in turn."""
    orders = in_turn(webhooks)
    return Load(
        post=lambda number: source.post(number, orders[number % len(orders)]),
        schedule=schedule,
        receipts=receipts,
        at_once=at_once,
    )


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
