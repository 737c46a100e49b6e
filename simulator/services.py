"""Claude and Slack: what they answer, how slowly, and what Slack really has."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any, Final

from simulator.history import short
from simulator.machine import Invocation, Machine
from simulator.releases.release import Release
from simulator.scenario import DEADLY_MARK, REFUSED_MARK, ROUTE, Kind
from simulator.scheduler import START_MS
from simulator.wiring import PostedMessage
from simulator.world import World
from topology.alerts import Severity, Status

_RETRY_AFTERS_S: Final = (None, 1.0, 5.0, 45.0, 300.0)
_EARLIER_PATIENCE_S: Final = 10
"""Of CRITICAL alerts, in releases that have no setting for it."""

_MOST_TRIED: Final = 100_000
"""Ways to leave some out of a digest: four of forty."""

_BURST: Final = 6
_BURST_MS: Final = 1_000
_BURST_RETRY_AFTER_S: Final = 2.0
"""Slack lets short bursts through, and stops longer ones."""


class AnalystPort:
    """`Analyst` for what runs in `machine`, with the answers and errors of its release."""

    def __init__(self, machine: Machine, release: Release) -> None:
        """Claude is shared by both regions."""
        self._machine = machine
        self._wiring = release.wiring

    def analyse(self, alert: Any, *, timeout_s: float) -> Any:
        """See `Analyst`."""
        invocation, world = self._machine.invocation, self._machine.world
        draw, errors = invocation.random, self._wiring.ERRORS
        if alert.severity == Severity.CRITICAL and alert.status == Status.RECEIVED:
            patience_s = getattr(self._wiring.CONFIG, "critical_patience_s", _EARLIER_PATIENCE_S)
            world.checker.critical_asked(invocation, alert.alert_id, patience_s=patience_s)
        what = f"claude.analyse {short(alert.alert_id)}"
        if DEADLY_MARK in alert.title:
            invocation.die("out of memory")
        latency_ms = draw.randint(800, 6_000)
        error: Exception | None = None
        retry_after_s = draw.choice(_RETRY_AFTERS_S)
        down = world.active(Kind.CLAUDE_DOWN)
        if down is not None and down.detail:
            error, latency_ms = errors.AnalystUnconfiguredError("simulated: no key"), 5
        elif down is not None or invocation.fires("analyst_busy"):
            error = errors.AnalystBusyError("simulated: overloaded", retry_after_s=retry_after_s)
            latency_ms = draw.choice((200, 2_000, 20_000))
        elif invocation.fires("analyst_failed"):
            error = errors.AnalystFailedError("simulated: no usable answer")
        elif invocation.fires("analyst_slow"):
            latency_ms = draw.randint(5_000, 90_000)
        if latency_ms >= timeout_s * 1000:
            latency_ms, error = round(timeout_s * 1000), errors.AnalystBusyError("simulated: too slow")
        answer = self._wiring.model_answer(f"about {alert.title}")
        instead = None if error is None else (latency_ms, error)
        world.checker.incidents.asked(invocation, alert)
        answered = invocation.call(what, lambda: answer, out_ms=latency_ms, back_ms=0, instead=instead)
        world.checker.incidents.model_answered(invocation, alert.alert_id)
        return answered


@dataclass(frozen=True, kw_only=True)
class Post:
    """One message that Slack has, or an edit of one.

    `members`: the alerts it is about, or None where they are unknown. `route`: whose channel it is in, None
    for the default one.
    """

    message: PostedMessage
    route: str | None
    members: tuple[str, ...] | None
    at_ms: int
    invocation: Invocation
    answered: bool
    """Whether Slack's answer reached the poster."""


class Slack:
    """A channel: what it has, and when it says wait. `route`: which one goes there, None for the default."""

    def __init__(self, world: World, route: str | None = None) -> None:
        """Begin with an empty channel."""
        self.world = world
        self.route = route
        self.posts: list[Post] = []
        self._recent_ms: list[int] = []

    def hurried(self) -> bool:
        """Whether so much came just now that one more is too much."""
        now_ms = self.world.now_ms
        self._recent_ms = [at_ms for at_ms in self._recent_ms if now_ms - at_ms < _BURST_MS]
        return len(self._recent_ms) >= _BURST

    def take(self, post: Post) -> None:
        """Add a message to the channel."""
        self._recent_ms.append(post.at_ms)
        self.posts.append(post)


class NotifierPort:
    """`Notifier` for what runs in `machine`, with the messages and errors of its release."""

    def __init__(self, machine: Machine, slack: Slack, release: Release) -> None:
        """Slack is shared by both regions."""
        self._machine = machine
        self._slack = slack
        self._wiring = release.wiring
        self._errors = release.wiring.ERRORS

    def post(self, laid_out: Any, *, timeout_s: float) -> str | None:
        """See `Notifier`."""
        invocation, world = self._machine.invocation, self._machine.world
        draw, errors = invocation.random, self._errors
        message: PostedMessage = self._wiring.posted(laid_out)
        members = members_of(message, invocation)
        world.checker.posts.posting(invocation, message, members, self._slack.route)
        world.checker.incidents.posting(invocation, message, members)
        what = f"slack.post {_named(message)}"
        out_ms, back_ms = draw.randint(30, 200), draw.randint(10, 100)
        timeout_ms = round(timeout_s * 1000)
        if world.active(Kind.SLACK_MOVED) or (self._slack.route == ROUTE and world.active(Kind.ROUTE_MOVED)):
            moved = errors.NotifierMisaddressedError("simulated: no_service")
            invocation.call(what, None, out_ms=0, instead=(out_ms + back_ms, moved))
        deaf = world.active(Kind.SLACK_DEAF) is not None
        if deaf or invocation.fires("slack_lost_answer"):
            error = errors.NotifierUnavailableError("simulated: no answer", outcome_unknown=True)
            self._send(what, message, members, out_ms=out_ms, instead=(timeout_ms, error))
        if world.active(Kind.SLACK_DOWN):
            unknown = draw.random() < 0.5  # noqa: PLR2004 - some connections are refused, some time out
            error = errors.NotifierUnavailableError("simulated: slack is down", outcome_unknown=unknown)
            invocation.call(what, None, out_ms=0, instead=(timeout_ms if unknown else 50, error))
        if invocation.fires("slack_lost_request"):
            error = errors.NotifierUnavailableError("simulated: no answer", outcome_unknown=True)
            invocation.call(what, None, out_ms=0, instead=(timeout_ms, error))
        if invocation.fires("slack_failed"):
            error = errors.NotifierUnavailableError("simulated: 503", outcome_unknown=False)
            invocation.call(what, None, out_ms=0, instead=(out_ms + back_ms, error))
        return self._send(what, message, members, out_ms=out_ms, back_ms=back_ms)

    def _send(
        self,
        what: str,
        message: PostedMessage,
        members: tuple[str, ...] | None,
        *,
        out_ms: int,
        back_ms: int = 0,
        instead: tuple[int, Exception] | None = None,
    ) -> str | None:
        invocation, world, slack = self._machine.invocation, self._machine.world, self._slack
        wait_s = self._wait_s()

        def effect() -> str | None:
            if wait_s is not None or slack.hurried():
                asked_s = _BURST_RETRY_AFTER_S if wait_s is None else wait_s
                if instead is None:
                    world.checker.posts.throttled(invocation, asked_s, slack.route)
                raise self._errors.NotifierThrottledError("simulated: 429", retry_after_s=asked_s or None)
            if REFUSED_MARK in message.text:
                raise self._errors.NotifierRefusedError("simulated: invalid_blocks")
            post = Post(
                message=message,
                route=slack.route,
                members=members,
                at_ms=world.now_ms,
                invocation=invocation,
                answered=instead is None,
            )
            slack.take(post)
            world.checker.posts.posted(post)
            if not world.scenario.can_edit:
                return None
            edited: str | None = getattr(message, "refers_to", None)
            return edited or f"{slack.route or 'default'}/{len(slack.posts)}"

        return invocation.call(what, effect, out_ms=out_ms, back_ms=back_ms, instead=instead)

    def _wait_s(self) -> float | None:
        """What Slack's 429 says: seconds, 0 for no Retry-After; None if there is no 429."""
        world, invocation = self._machine.world, self._machine.invocation
        closed = world.active(Kind.SLACK_CLOSED)
        if closed is not None:
            return (START_MS + closed.to_ms - world.now_ms) / 1000 + 1 if closed.detail else 0.0
        if invocation.fires("slack_throttled"):
            return float(invocation.random.choice((0, 1, 10, 60, 200)))
        return None


def members_of(message: PostedMessage, invocation: Invocation) -> tuple[str, ...] | None:
    """The alerts that a message is about.

    A digest tells them only by its id and their count, so these are compared with what its poster has
    leased: all whose lease held when it was last read, or all but a few that were left out for another
    reason. None if it is made of none of these.
    """
    if message.kind == "reply":
        return ()
    if message.kind != "digest":
        return (message.key,)
    claimed = sorted(invocation.leases)
    held = [alert_id for alert_id in claimed if invocation.held.get(alert_id)]
    for candidates in (held, claimed):
        for members in islice(combinations(candidates, message.alert_count), _MOST_TRIED):
            if message.key == digest_id_of(members):
                return members
    return None


def digest_id_of(members: Iterable[str]) -> str:
    """The id of a digest of these, made here once more so that the handlers' own is checked by it."""
    return "d" + hashlib.sha256("\n".join(sorted(members)).encode()).hexdigest()[:32]


def _named(message: PostedMessage) -> str:
    if message.kind == "digest":
        return f"digest {message.key[:9]} of {message.alert_count}"
    return f"{message.kind} {short(message.key)}"
