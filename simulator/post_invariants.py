"""The invariants of posts: only what its poster has leased, each in a slot, none while Slack asks to wait."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handlers.domain.alert import Alert
from handlers.domain.limits import MAX_DEFERRAL_S
from handlers.domain.ports import Record
from simulator.scenario import Scenario
from simulator.scheduler import Scheduler
from simulator.wiring import PostedMessage
from topology.alerts import Status
from topology.config_keys import KEYS

if TYPE_CHECKING:
    from simulator.machine import Invocation
    from simulator.services import Post

INTERVAL_MS: Final = next(int(key.default or 0) for key in KEYS if key.name == "slackIntervalMs")
_MAX_SLEEP_S: Final = 2.0
"""Of distribution, which pauses between tries of a ledger write, and never for Slack."""


@dataclass(frozen=True, kw_only=True)
class _Closing:
    """Slack's wish to be left alone: kept by whoever began after `from_ms`, until `until_ms`."""

    from_ms: int
    until_ms: int
    route: str | None


class PostInvariants:
    """Checks every post of one run. `broken(rule, text)` is called with each violation."""

    def __init__(self, scenario: Scenario, scheduler: Scheduler, broken: Callable[[str, str], None]) -> None:
        """Begin with an empty channel."""
        self.alerts: dict[str, list[Post]] = {}
        """By alert: what Slack has of it, follow-ups apart."""
        self.follow_ups: dict[str, list[Post]] = {}
        """By alert: the follow-ups that Slack has."""
        self.read: Callable[[str, str], Alert | None] = lambda _region, _alert_id: None
        """The row as a region sees it."""
        self._strong = scenario.consistency == "strong"
        self._mixed = scenario.mix is not None
        self._skew_ms = scenario.disagreement_ms
        self._scheduler = scheduler
        self._broken = broken
        self._asked_to_wait: dict[str, tuple[int, str | None]] = {}
        self._closings: list[_Closing] = []
        self._last_slots_ms: dict[str, int] = {}

    def posting(
        self,
        invocation: "Invocation",
        message: PostedMessage,
        members: tuple[str, ...] | None,
        route: str | None,
    ) -> None:
        """A worker is about to post a message about `members`, None if they are unknown, by a route."""
        invocation.posts += 1
        if invocation.posts > invocation.slots + invocation.coordination_errors:
            self._broken("posted_without_slot", f"{invocation.name} posts without a slot of the rate limiter")
        if members is None:
            self._broken("digest_unprovable", f"{invocation.name}: the digest's id is not of what it claimed")
        for alert_id in members or ():
            self._may_post(invocation, message, alert_id, route)
        self._check_closings(invocation, route)

    def posted(self, post: "Post") -> None:
        """Note a message that Slack has taken."""
        kept = self.follow_ups if post.message.kind == "follow-up" else self.alerts
        for alert_id in post.members or ():
            kept.setdefault(alert_id, []).append(post)

    def throttled(self, invocation: "Invocation", retry_after_s: float, route: str | None) -> None:
        """Slack has answered 429 in a channel; `retry_after_s` is 0 if it did not say for how long."""
        if retry_after_s >= 1:
            for_ms = round(min(retry_after_s, MAX_DEFERRAL_S) * 1000)
            self._asked_to_wait[invocation.name] = (self._scheduler.now_ms + for_ms, route)

    def ended(self, invocation: "Invocation") -> None:
        """Note that an invocation is over: if Slack asked it to wait, later ones must know."""
        until_ms, route = self._asked_to_wait.pop(invocation.name, (None, None))
        undisturbed = not (invocation.killed or invocation.was_frozen or invocation.coordination_errors)
        if until_ms is not None and undisturbed and self._strong:
            self._closings.append(_Closing(from_ms=self._scheduler.now_ms, until_ms=until_ms, route=route))

    def slept(self, invocation: "Invocation", seconds: float) -> None:
        """Check how long a handler sleeps."""
        if invocation.function == "distribution" and seconds > _MAX_SLEEP_S:
            self._broken("worker_held", f"{invocation.name} sleeps {seconds:.0f} s instead of giving it back")

    def slot_reserved(
        self, invocation: "Invocation", asked_ms: int, stored: Record | None, new: Record, *, name: str
    ) -> None:
        """A channel's rate limiter was written, by its `name`; `asked_ms`: when the writer sent the write."""
        before = stored.values if stored else {}
        if new.values.get("next_ms", 0) == before.get("next_ms", 0):
            return
        invocation.slots += 1
        last_ms, self._last_slots_ms[name] = self._last_slots_ms.get(name), asked_ms
        if self._strong and last_ms is not None and asked_ms - last_ms < INTERVAL_MS - self._skew_ms:
            self._broken("slots_too_close", f"{invocation.name}: {asked_ms - last_ms} ms apart")

    def _may_post(
        self, invocation: "Invocation", message: PostedMessage, alert_id: str, route: str | None
    ) -> None:
        row = self.read(invocation.region, alert_id)
        if row is None:
            self._broken("posted_unknown", f"{invocation.name} posts {alert_id}, which has no row")
            return
        if row.status is Status.SUPPRESSED:
            self._broken("posted_suppressed", f"{invocation.name} posts {alert_id}, which is SUPPRESSED")
        holds = row.lease_token in invocation.tokens
        if not holds and not invocation.held.get(alert_id):
            self._broken(
                "posted_unclaimed",
                f"{invocation.name} posts {alert_id}, and did not hold it when it last looked",
            )
        if holds and row.route != route and not self._mixed:
            self._broken(
                "wrong_channel",
                f"{invocation.name} posts {alert_id} by the route {route}, and its own is {row.route}",
            )
        if row.unusable_route and message.kind == "alert" and row.unusable_route not in message.text:
            self._broken(
                "reroute_unsaid", f"{invocation.name} posts {alert_id}, and not why it is not by its route"
            )
        if holds and (message.kind == "follow-up") is not (row.status is Status.NOTIFIED):
            self._broken(
                "wrong_message", f"{invocation.name} posts {alert_id}, {row.status}, as {message.kind}"
            )

    def _check_closings(self, invocation: "Invocation", route: str | None) -> None:
        """Nobody who could know posts while Slack wants to be left alone."""
        if invocation.coordination_errors:
            return
        now_ms = self._scheduler.now_ms
        for closing in self._closings:
            until_ms = closing.until_ms - self._skew_ms - INTERVAL_MS
            known = closing.route == route and closing.from_ms <= invocation.started_ms
            if known and now_ms < until_ms:
                left_s = (closing.until_ms - now_ms) / 1000
                self._broken("retry_after_ignored", f"{invocation.name} posts {left_s:.0f} s too early")
