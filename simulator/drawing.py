"""From a seed to a scenario: each seed draws its own few faults and how strong they are (swarm testing).

https://users.cs.utah.edu/~regehr/papers/swarm12.pdf: runs with few kinds of faults each find more than runs
that have all of them a little.
"""

from dataclasses import replace
from random import Random
from typing import Final

from simulator.scenario import (
    CONSISTENCIES,
    FAULTS,
    FOR_GOOD,
    REGIONS,
    Arrival,
    Consistency,
    Faults,
    Incident,
    Kind,
    Mix,
    PlannedSilence,
    Scenario,
    peer_of,
)
from topology.alerts import Severity
from topology.matchers import Matcher

_S: Final = 1_000
_MIN: Final = 60 * _S

_SEVERITIES: Final = (*Severity, Severity.CRITICAL, Severity.HIGH)
_TAKEOVERS_S: Final = (120, 300, 900)
_SKEWS_MS: Final = (0, 0, 300, 1_500, 4_000)

_SHARED: Final = (Kind.SLACK_CLOSED, Kind.SLACK_DOWN, Kind.SLACK_DEAF, Kind.SLACK_MOVED, Kind.CLAUDE_DOWN)
"""The kinds that are no region's."""

_ANY_TIME: Final = tuple(kind for kind in Kind if kind not in (Kind.ROUTE_MOVED, Kind.ACKNOWLEDGED))
"""The others belong to what a scenario has of routes and of people."""

_ERRORS: Final = ("something broke", "disk is full", "queue grows", "deadlock found", "certificate lapsed")
_HOSTS: Final = ("host-1", "host-2", "host-3", "host-4")
_ROUTED: Final = (
    Matcher(host="host-2"),
    Matcher(severity=(Severity.LOW, Severity.INFO)),
    Matcher(severity=(Severity.CRITICAL,)),
    Matcher(source="alertmanager"),
)
_SILENCED: Final = (
    Matcher(host="host-1"),
    Matcher(title="fault *"),
    Matcher(severity=(Severity.CRITICAL, Severity.HIGH)),
    Matcher(source="simulator", host="host-?"),
    Matcher(source="simulator"),
)

_LONG: Final = (Kind.SLACK_DOWN, Kind.SLACK_DEAF, Kind.REGION_DOWN, Kind.PARTITION, Kind.LEDGER_DOWN)
"""What some seeds have for more than an hour: long enough for attempts to run out, and for takeovers."""


def scenario_of(seed: int, consistency: Consistency, mix: Mix | None = None) -> Scenario:
    """The scenario of a seed under one consistency of the ledger; the same whichever releases run.

    But what release 0.1.0 has nobody for: silences and a second way are for when all runs a later one.
    """
    # A Random takes a whole number as it is; text would do too, and a tuple would be hashed.
    number = seed * len(CONSISTENCIES) + CONSISTENCIES.index(consistency)
    random, told = Random(number), Random(~number)  # noqa: S311 - not for secrets
    people = Random(number + (1 << 40))  # noqa: S311 - not for secrets
    clean = random.random() < 0.05  # noqa: PLR2004 - one seed in twenty shows that faults cause the trouble
    long = not clean and random.random() < 0.12  # noqa: PLR2004 - these cost ten times as much
    horizon_ms = random.randint(70, 95) * _MIN if long else random.randint(2, 8) * _MIN
    arrivals = _arrivals(random, told, horizon_ms=min(horizon_ms, 15 * _MIN), clean=clean)
    takeover_after_s = random.choice(_TAKEOVERS_S)
    incidents = () if clean else _incidents(random, horizon_ms, takeover_after_s * _S, long=long)
    if consistency == "strong" and random.random() < 0.3:  # noqa: PLR2004 - what a strong ledger must bear
        incidents = _for_good(incidents)
    if consistency == "eventual" and not clean and told.random() < 0.15:  # noqa: PLR2004
        flap, pause = _unseen_flap(told, horizon_ms)
        arrivals, incidents = (*arrivals, *flap), (*incidents, pause)
    arrivals = _alike(people, arrivals)
    routed = people.choice(_ROUTED) if people.random() < 0.4 else None  # noqa: PLR2004
    escalate_after_s = people.choice((0, 0, 60, 120, 400))
    if routed and not clean and people.random() < 0.3:  # noqa: PLR2004
        incidents = (*incidents, _incident(people, Kind.ROUTE_MOVED, horizon_ms, takeover_after_s * _S))
    for _ in range(people.randint(0, 3) if escalate_after_s else 0):
        incidents = (*incidents, _incident(people, Kind.ACKNOWLEDGED, horizon_ms, takeover_after_s * _S))
    skew = random.choice(_SKEWS_MS)
    return Scenario(
        seed=seed,
        consistency=consistency,
        horizon_ms=horizon_ms,
        arrivals=arrivals,
        incidents=incidents,
        faults=Faults() if clean else _faults(random, long=long),
        skew_ms=(random.randint(-skew, skew), random.randint(-skew, skew)),
        takeover_after_s=takeover_after_s,
        concurrency=random.choice((2, 5, 10)),
        can_edit=random.random() < 0.3,  # noqa: PLR2004
        incident_window_s=people.choice((0, 20, 60, 60, 300)),
        hold_back_s=people.choice((0, 0, 0, 5, 30)),
        escalate_after_s=0 if mix else escalate_after_s,
        routed=routed,
        silences=() if mix else _silences(people, horizon_ms),
        canary=not long,
        source_quota_per_minute=random.randint(2, 8) if random.random() < 0.3 else None,  # noqa: PLR2004
        mix=mix,
    )


def _faults(random: Random, *, long: bool) -> Faults:
    """A third of the kinds, each rare to frequent; rarer where a run is long, or all would be lost in it."""
    drawn = {}
    for name in FAULTS:
        on, strength = random.random() < 0.35, random.random()  # noqa: PLR2004
        if on:
            drawn[name] = 0.002 * 50.0**strength * (0.3 if long else 1)
    return Faults(**drawn)


def _incidents(random: Random, horizon_ms: int, takeover_ms: int, *, long: bool) -> tuple[Incident, ...]:
    kinds = random.choices(_ANY_TIME, k=random.randint(0, 4))
    incidents = [_incident(random, kind, horizon_ms, takeover_ms) for kind in kinds]
    if long:
        kind = random.choice(_LONG)
        from_ms = random.randint(0, 3 * _MIN)
        incidents.append(
            Incident(kind=kind, from_ms=from_ms, to_ms=horizon_ms, region=random.choice(REGIONS), detail=1)
        )
        incidents.append(_incident(random, Kind.REDRIVE, horizon_ms, takeover_ms))
    return tuple(incidents)


def _for_good(incidents: tuple[Incident, ...]) -> tuple[Incident, ...]:
    """The first region to go down does not come back."""
    for index, incident in enumerate(incidents):
        if incident.kind is Kind.REGION_DOWN:
            lost = replace(incident, to_ms=FOR_GOOD)
            return (*incidents[:index], lost, *incidents[index + 1 :])
    return incidents


def _incident(random: Random, kind: Kind, horizon_ms: int, takeover_ms: int) -> Incident:
    from_ms = random.randint(0, horizon_ms * 2 // 3)
    lasting_ms = random.choice((20 * _S, 60 * _S, 150 * _S, takeover_ms + 150 * _S))
    if kind is Kind.REDRIVE:
        # Mostly after the faults, when there is something to redrive and a chance to get through.
        from_ms = random.randint(horizon_ms // 2, horizon_ms + 20 * _MIN)
    if kind in (Kind.REDRIVE, Kind.ACKNOWLEDGED):
        lasting_ms = 0
    end_ms = horizon_ms
    if kind is Kind.SWITCHED:
        # People fail back when the trouble is over.
        lasting_ms, end_ms = random.choice((3, 15)) * _MIN, horizon_ms + 15 * _MIN
    return Incident(
        kind=kind,
        from_ms=from_ms,
        to_ms=min(from_ms + lasting_ms, end_ms) if lasting_ms else from_ms,
        region=REGIONS[0] if kind in (*_SHARED, Kind.ROUTE_MOVED) else random.choice(REGIONS),
        detail=random.randint(0, 1),
    )


def _unseen_flap(random: Random, horizon_ms: int) -> tuple[tuple[Arrival, ...], Incident]:
    """Down, up, down while nothing replicates, the recovery taken in by the other region."""
    at_ms = random.randint(0, horizon_ms // 2)
    down = Arrival(
        label="F0",
        at_ms=at_ms,
        region=random.choice(REGIONS),
        tells_of=(900_000,),
        severity=random.choice(_SEVERITIES),
        by_content=random.random() < 0.5,  # noqa: PLR2004
    )
    up_ms, again_ms = at_ms + random.randint(10, 40) * _S, at_ms + random.randint(60, 90) * _S
    up = replace(down, label="F1", at_ms=up_ms, region=peer_of(down.region), resolved=True, stamp="F1")
    again = replace(down, label="F2", at_ms=again_ms, stamp="F2")
    to_ms = again_ms + random.choice((5, 200)) * _S
    return (down, up, again), Incident(kind=Kind.REPLICATION_PAUSED, from_ms=at_ms, to_ms=to_ms)


def _alike(random: Random, arrivals: tuple[Arrival, ...]) -> tuple[Arrival, ...]:
    """The same arrivals, of few errors on several hosts; what is told of one fault is of one host."""
    errors = _ERRORS[: random.randint(1, len(_ERRORS))]
    of = {
        arrival.tells_of: (random.choice(errors), random.choice(_HOSTS))
        for arrival in sorted(arrivals, key=lambda arrival: arrival.tells_of)
    }
    return tuple(replace(a, error=of[a.tells_of][0], host=of[a.tells_of][1]) for a in arrivals)


def _silences(random: Random, horizon_ms: int) -> tuple[PlannedSilence, ...]:
    """None, one or two, that begin and end around the faults; some are ended before their time."""
    silences = []
    for number in range(random.choice((0, 0, 1, 2))):
        from_ms = random.randint(0, horizon_ms // 2)
        to_ms = from_ms + random.choice((30 * _S, 2 * _MIN, 5 * _MIN, 10 * _MIN))
        ended = random.random() < 0.3  # noqa: PLR2004
        silences.append(
            PlannedSilence(
                silence_id=f"s{number}",
                matcher=random.choice(_SILENCED),
                from_ms=from_ms,
                to_ms=to_ms,
                ended_ms=random.randint(from_ms + 10 * _S, to_ms) if ended else None,
                critical=random.random() < 0.3,  # noqa: PLR2004
            )
        )
    return tuple(silences)


def _arrivals(random: Random, told: Random, *, horizon_ms: int, clean: bool) -> tuple[Arrival, ...]:
    """Some new alerts and some repeats; in one seed of five, a storm. `told` draws what is said of faults."""
    storm = not clean and random.random() < 0.2  # noqa: PLR2004
    count = random.randint(20, 40) if storm else random.randint(3, 16)
    storm_ms = random.randint(0, horizon_ms // 2)
    repeats = random.choice((0.1, 0.3, 0.6))
    refused = random.choice((0.0, 0.0, 0.05, 0.2))
    changes = told.choice((0.0, 0.3, 0.7))
    arrivals: list[Arrival] = []
    for number in range(count):
        at_ms = storm_ms + random.randint(0, 15 * _S) if storm else random.randint(0, horizon_ms)
        earlier = random.choice(arrivals) if arrivals and random.random() < repeats else None
        body = 1 if random.random() < 0.9 else random.randint(2, 5)  # noqa: PLR2004
        fresh = Arrival(
            label=f"A{number}",
            at_ms=at_ms,
            region=random.choice(REGIONS),
            tells_of=tuple(number * 10 + part for part in range(body)),
            severity=random.choice(_SEVERITIES),
            keyed=random.random() < 0.15,  # noqa: PLR2004
            by_content=random.random() < 0.3,  # noqa: PLR2004
            refused=random.random() < refused,
            since_ms=at_ms,
            episode_ms=at_ms,
            spoilt=told.choice((0, 0, 1, 3)) if body > 1 else 0,
        )
        arrivals.append(fresh if earlier is None else _again(random, told, earlier, fresh, changes))
    if not clean and random.random() < 0.04:  # noqa: PLR2004 - these take hours, until all attempts are used up
        deadly = random.choice(arrivals).tells_of
        arrivals = [replace(a, deadly=a.deadly or a.tells_of == deadly) for a in arrivals]
    return tuple(sorted(arrivals, key=lambda arrival: arrival.at_ms))


def _again(random: Random, told: Random, earlier: Arrival, fresh: Arrival, changes: float) -> Arrival:
    """The same alert once more, at once or within minutes: in the same bytes, or not, or worse, or over."""
    later_ms = random.choice((random.randint(0, 3 * _S), random.randint(0, 4 * _MIN)))
    at_ms = earlier.at_ms + later_ms
    same = replace(earlier, label=fresh.label, region=fresh.region, at_ms=at_ms)
    if told.random() < changes:
        return replace(
            same,
            resolved=not earlier.resolved,
            since_ms=at_ms,
            episode_ms=at_ms if earlier.resolved else earlier.episode_ms,
            stamp=fresh.label if earlier.keyed or told.random() < 0.5 else "",  # noqa: PLR2004
        )
    return replace(
        same,
        stamp=earlier.stamp if told.random() < 0.4 else fresh.label,  # noqa: PLR2004
        severity=earlier.severity if earlier.keyed or told.random() < 0.8 else fresh.severity,  # noqa: PLR2004
    )
