"""The probes, which read a stack: Chaos Toolkit calls these by the names in `experiments/*.yaml`.

A probe of the method raises if it does not find what it checks for, and the experiment then counts as failed:
a fault that hit nothing proves nothing.
"""

import contextlib
import time
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from audit.in_flight import in_flight
from chaos.auditing import audit_experiment, problem_count
from chaos.load import load_in_turn, tally_of
from chaos.target import Target, open_target
from clients.alert_source import AlertSource
from clients.receipts import read_receipts
from clients.schedules import Recorded

Configuration = Mapping[str, Any]
POLL_S: Final = 0.5
INVOKED: Final = "invoked"
"""Value of the configuration's `recovery`: invoke it out of turn while waiting, for a short experiment."""

INVOKE_EACH_S: Final = 2.0


class NotSeenError(Exception):
    """What the experiment presupposes did not happen, so it proves nothing."""


def alerts_in_flight(at_least: int, within_s: float, configuration: Configuration) -> dict[str, int]:
    """Wait until `at_least` accepted alerts are not at rest; return how many are.

    Raises:
        NotSeenError: fewer within the time.
    """
    target = open_target(configuration)
    deadline = time.monotonic() + within_s
    while (count := len(in_flight(target.deployment, target.receipts))) < at_least:
        if time.monotonic() > deadline:
            raise NotSeenError(
                f"{count} alerts in flight, not {at_least}, within {within_s:g} s; raise the load"
            )
        time.sleep(POLL_S)
    return {"in_flight": count, "accepted": _accepted(target)}


def undisturbed_load(at_least: int, within_s: float, configuration: Configuration) -> dict[str, int]:
    """Do as `alerts_in_flight` before anything is broken: every post is taken at its first try.

    Raises:
        NotSeenError: fewer in flight within the time, no load, or a post of it failed.
    """
    seen = alerts_in_flight(at_least, within_s, configuration)
    tally = tally_of(open_target(configuration).receipts)
    if tally is None:
        raise NotSeenError("no load runs; start one first")
    failed = tally.retries + tally.given_up + tally.refused.total()
    if failed:
        raise NotSeenError(f"{failed} tries of {tally.posted} posts failed before any fault; lower the load")
    return seen


def faults_fired(service: str, kind: str, configuration: Configuration, at_least: int = 1) -> dict[str, int]:
    """Count how often a fault really fired in this run, by what it hit.

    Raises:
        NotSeenError: less than `at_least` times.
    """
    since_ms = int(configuration.get("started_at_ms", 0))
    fired = [
        fault
        for fault in open_target(configuration).fired()
        if (fault.service, fault.kind) == (service, kind) and fault.at_ms >= since_ms
    ]
    if len(fired) < at_least:
        raise NotSeenError(f"{service} {kind} fired {len(fired)} times, not {at_least}: nothing was tested")
    counts: dict[str, int] = {}
    for fault in fired:
        where = f"{fault.region or 'anywhere'} {fault.what}"
        counts[where] = counts.get(where, 0) + 1
    return counts


def alerts_are_accepted_and_come_to_rest(count: int, within_s: float, configuration: Configuration) -> bool:
    """Post `count` alerts to each region; return whether all that was ever accepted is at rest in time.

    A source whose region does not answer goes to the other, so each alert is accepted with a region lost.
    """
    target = open_target(configuration)
    deadline = time.monotonic() + within_s
    accepted = _post(target, count)
    if accepted < count * len(target.deployment.regions):
        return False
    return came_to_rest(target, configuration, within_s=deadline - time.monotonic())


def audit_problems(configuration: Configuration) -> int:
    """Count the alerts of this experiment that are not accounted for, by receipts, every ledger and Slack.

    A duplicate in Slack that no row explains counts too.
    """
    return problem_count(audit_experiment(open_target(configuration)))


def came_to_rest(target: Target, configuration: Configuration, *, within_s: float) -> bool:
    """Wait until every accepted alert of this experiment is at rest; return whether all were in time."""
    deadline = time.monotonic() + within_s
    invoked_at = time.monotonic()
    while in_flight(target.deployment, target.receipts):
        if time.monotonic() > deadline:
            return False
        if configuration.get("recovery") == INVOKED and time.monotonic() > invoked_at + INVOKE_EACH_S:
            _invoke_recovery(target)
            invoked_at = time.monotonic()
        time.sleep(POLL_S)
    return True


def _post(target: Target, count: int) -> int:
    """Post to each region at once, and return how many were accepted."""
    source, posts = AlertSource(source="chaos-steady", flapping=True), count * len(target.webhooks)
    load = load_in_turn(source, target.webhooks, Recorded([0.0] * posts), target.receipts, at_once=posts)
    load.start()
    load.wait(load.stopped_within_s)
    return load.stop().accepted


def _accepted(target: Target) -> int:
    return len({receipt.alert_id for receipt in read_receipts(target.receipts)})


def _invoke_recovery(target: Target) -> None:
    """Invoke Recovery in each region that takes the call; a lost one does not."""
    for endpoints in target.deployment.regions:
        with contextlib.suppress(BotoCoreError, ClientError):
            target.deployment.run_recovery(endpoints.region)
