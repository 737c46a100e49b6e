"""What happens to the pipeline in one run: the alerts that come, the faults, and until when. All plain data.

`drawing` makes one from a seed; the shrinker makes smaller ones. Times are milliseconds since the start.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final, Literal

from topology.alerts import Severity
from topology.matchers import Matcher

Consistency = Literal["strong", "eventual"]
CONSISTENCIES: Final[tuple[Consistency, ...]] = ("strong", "eventual")
REGIONS: Final = ("us-east-1", "us-west-2")
MACHINE_SKEW_MS: Final = 40
"""How far a machine's clock may be off its region's: those of one region agree about as well."""


REFUSED_MARK: Final = "unspeakable"
"""In the title of an alert that Slack will never take."""

DEADLY_MARK: Final = "deadly"
"""In the title of an alert that its worker does not survive, whenever it is."""

ROUTE: Final = "aside"
"""The one route beside the default that a scenario may have."""


def peer_of(region: str) -> str:
    """The other region."""
    return REGIONS[1 - REGIONS.index(region)]


def fault_of(title: str) -> int | None:
    """The fault that an alert with this title tells of; None if it tells of something else."""
    words = title.removeprefix("[RESOLVED] ").split()
    return int(words[1]) if len(words) > 1 and words[0] == "fault" else None


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How probable each fault is: of one call of a port, of one message, of one run of Recovery."""

    crash_before: float = 0
    """The invocation dies before a call is sent."""
    crash_after: float = 0
    """The invocation dies when its call has had its effect, before the answer comes."""
    freeze: float = 0
    """The invocation stands still around a call, and wakes up: perhaps after its lease, or its end."""
    slow_call: float = 0
    ledger_throttled: float = 0
    ledger_lost_request: float = 0
    ledger_lost_answer: float = 0
    """The write happened, and the caller sees a timeout."""
    ledger_late_write: float = 0
    """The write happens seconds after the caller saw a timeout."""
    ledger_unseen_write: float = 0
    """The SDK tried again after a write that happened: the condition fails on our own write."""
    index_lag: float = 0
    """An entry of an index stays old for seconds to a minute."""
    coordination_failed: float = 0
    coordination_lost_answer: float = 0
    cache_failed: float = 0
    send_failed: float = 0
    send_lost_answer: float = 0
    message_twice: float = 0
    message_late: float = 0
    message_lost_receive: float = 0
    """Received by nobody: it comes back when its visibility timeout ends."""
    analyst_busy: float = 0
    analyst_failed: float = 0
    analyst_slow: float = 0
    slack_throttled: float = 0
    slack_failed: float = 0
    slack_lost_request: float = 0
    slack_lost_answer: float = 0
    """Slack took the message, and the caller sees a timeout."""
    answer_lost: float = 0
    """The webhook's answer does not reach the source, which sends again elsewhere."""
    escalation_failed: float = 0
    escalation_lost_answer: float = 0
    """The second way took it, and the caller sees a timeout."""
    recovery_skipped: float = 0
    recovery_twice: float = 0


FAULTS: Final = tuple(field.name for field in fields(Faults))


class Kind(StrEnum):
    """What can befall a region or a service for a while."""

    REGION_DOWN = "region down"
    REGION_FROZEN = "region frozen"
    PARTITION = "partition"
    REPLICATION_PAUSED = "replication paused"
    LEDGER_DOWN = "ledger down"
    COORDINATION_DOWN = "coordination down"
    CACHE_DOWN = "cache down"
    CLAUDE_DOWN = "claude down"
    SLACK_CLOSED = "slack says wait"
    SLACK_DOWN = "slack down"
    SLACK_DEAF = "slack answers nobody"
    """It takes each message, and the answers are lost."""
    SLACK_MOVED = "slack's address is unusable"
    ROUTE_MOVED = "a route's address is unusable"
    QUEUES_DENIED = "queues denied"
    QUEUE_PURGED = "queues purged"
    POISON = "poison"
    REDRIVE = "operator redrives"
    ACKNOWLEDGED = "operator acknowledges"
    SWITCHED = "operator fails over"
    """The region's switch is on: it takes over from the other, however well that one is."""


FOR_GOOD: Final = 10**12
"""The end of an incident that has none."""


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One of these, from `from_ms` to before `to_ms`; those of a moment only begin.

    `region`: whose; for services that both share it has no meaning. `detail`, 1 or 0, is the kind's own: for
    REGION_DOWN whether its queues are lost, for POISON which body, for SLACK_CLOSED whether Retry-After is
    given, for CLAUDE_DOWN whether it is only that nobody has its key, for ACKNOWLEDGED whether the operator
    snoozes instead.
    """

    kind: Kind
    from_ms: int
    to_ms: int
    region: str = REGIONS[0]
    detail: int = 0

    def __str__(self) -> str:
        """As the history shows it."""
        until = "for good" if self.to_ms >= FOR_GOOD else f"to {self.to_ms / 1000:.0f} s"
        return f"{self.kind} ({self.region}) from {self.from_ms / 1000:.0f} s {until}"


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One request of a source, at first to `region`; after a failure it is sent again to the other.

    `tells_of`: which faults of the monitored world it tells of; the same number is the same alert.
    `error`: what it says of each; alerts that say the same are one incident. `host`: where it is.
    `resolved`: that they are over, not that they are there; `since_ms`: since when, by the source's clock,
    and `episode_ms`: since when they were there. `stamp`: when it was sent, as the body says; with the same
    one come the same bytes. `spoilt`: so many members before those of a group are none.
    `keyed`: with an `Idempotency-Key`; `by_content`: without an event id of the source.
    `refused`: Slack will never take a message about it. `deadly`: each worker that has it analysed dies.
    """

    label: str
    at_ms: int
    region: str
    tells_of: tuple[int, ...]
    severity: Severity
    error: str = "something broke"
    host: str = "host-1"
    resolved: bool = False
    since_ms: int = 0
    episode_ms: int = 0
    stamp: str = ""
    spoilt: int = 0
    keyed: bool = False
    by_content: bool = False
    refused: bool = False
    deadly: bool = False

    @property
    def by_source(self) -> bool:
        """Whether its format has the source's own times: a group's has."""
        return len(self.tells_of) > 1


@dataclass(frozen=True, kw_only=True)
class Mix:
    """An archived `release` that runs in some `places`, regions or functions; today's runs elsewhere."""

    release: str
    places: tuple[str, ...]

    def __str__(self) -> str:
        """As reports show it."""
        return f"{self.release} in {' and '.join(self.places)}, today's elsewhere"


def mixes_of(release: str) -> tuple[Mix, ...]:
    """Each way to run `release` beside today's: in one region, or in half of the functions of both."""
    halves = (("reception", "recovery"), ("analysis", "distribution"))
    return tuple(
        Mix(release=release, places=places) for places in (*((region,) for region in REGIONS), *halves)
    )


@dataclass(frozen=True, kw_only=True)
class PlannedSilence:
    """A silence that somebody makes at `from_ms`; with `ended_ms` somebody ends it then, before `to_ms`.

    `critical`: it was said that it holds for CRITICAL alerts too.
    """

    silence_id: str
    matcher: Matcher
    from_ms: int
    to_ms: int
    ended_ms: int | None = None
    critical: bool = False

    @property
    def over_ms(self) -> int:
        """When it ends, one way or the other."""
        return self.to_ms if self.ended_ms is None else self.ended_ms


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One run. After `horizon_ms` no fault fires any more, and everything must come to rest.

    `skew_ms`: of each region's clocks. `canary`: an alert that comes long after the last fault.
    `allowed`: if given, only these single faults fire (the shrinker's way to leave some out). `mix`: which
    releases run where, if not today's alone. `source_quota_per_minute`: if not the shipped one.
    `can_edit`: Slack is posted to by a bot. `routed`: which alerts go by the route `ROUTE`, if it has one.
    """

    seed: int
    consistency: Consistency
    horizon_ms: int
    arrivals: tuple[Arrival, ...]
    incidents: tuple[Incident, ...] = ()
    faults: Faults = Faults()
    skew_ms: tuple[int, int] = (0, 0)
    takeover_after_s: int = 900
    concurrency: int = 10
    source_quota_per_minute: int | None = None
    can_edit: bool = False
    incident_window_s: int = 0
    hold_back_s: int = 0
    escalate_after_s: int = 0
    routed: Matcher | None = None
    silences: tuple[PlannedSilence, ...] = ()
    canary: bool = False
    allowed: frozenset[str] | None = None
    mix: Mix | None = None

    @property
    def disagreement_ms(self) -> int:
        """How far any two clocks, or a clock and true time, may disagree."""
        return max(0, *self.skew_ms) - min(0, *self.skew_ms) + 2 * MACHINE_SKEW_MS


def changing_faults(scenario: Scenario) -> frozenset[int]:
    """The faults that are told to be there and to be over, in any order."""
    told = {(fault, arrival.resolved) for arrival in scenario.arrivals for fault in arrival.tells_of}
    return frozenset(fault for fault, resolved in told if (fault, not resolved) in told)
