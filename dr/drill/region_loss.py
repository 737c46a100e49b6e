"""The phases of a drill that loses the primary region: killed, or frozen and woken after the failover."""

import time
from typing import Final

from audit.in_flight import in_flight
from clients.coordination import CoordinationRecords
from dr.drill.play import ACCEPTED_LEAST, DrillFailedError, Phase, Play
from dr.drill.record import Moment, now_ms
from dr.drill.rehearsal import REHEARSAL, rehearse
from dr.drill.stage import Loss
from dr.operations.failback import failback
from dr.operations.failover import failover

LOAD_BEFORE: Final = 75
"""Alerts accepted before the fault, so that some are in every stage of the pipeline when it comes."""

BURST: Final = 40
"""Alerts posted at once right before the fault, as in a real incident, so that many are in flight at it."""

LOAD_WITHIN_S: Final = 180.0
DETECTED_WITHIN_S: Final = 180.0
HEALTHY_WITHIN_S: Final = 180.0
AT_REST_WITHIN_S: Final = 240.0

FAILOVER_MOMENTS: Final = {
    "switch": Moment.ACTED,
    "adopt": Moment.ADOPTED,
    "prove": Moment.PROVEN,
}
"""The instants that the failover's steps end at."""

_REST_POLL_S: Final = 1.0
"""Each look scans the ledger."""


def load_phase() -> Phase:
    """Alerts go in before anything happens."""
    return Phase("load", f"the prober posts until {LOAD_BEFORE} alerts are accepted", _load)


def fault_phase(how: Loss) -> Phase:
    """The primary is lost."""
    word = {"kill": "killed", "freeze": "frozen"}[how]

    def lose(play: Play) -> str:
        region = play.stage.deployment.primary.region
        if Moment.FAULT not in play.file.state.moments:
            _burst(play)
        play.file.mark(Moment.FAULT)
        play.stage.lose_region(region, how)
        return f"{region} is {word}"

    return Phase("fault", f"{BURST} alerts at once, and the primary region is {word}", lose)


def detection_phase() -> Phase:
    """Monitoring says that it is lost."""
    return Phase("detection", "wait for the health check of the primary to fail", _detect)


def decision_phase(to_do: str) -> Phase:
    """A person decides, and takes as long as the drill allows them."""

    def decide(play: Play) -> str:
        after_s = play.file.state.decide_after_s
        time.sleep(after_s)
        play.file.mark(Moment.DECIDED)
        return (
            f"decided to {to_do}; {after_s:g} s are set aside for it, and a person's own time is not measured"
        )

    return Phase("decision", "a person looks and decides; here a set time passes for it", decide)


def failover_phase() -> Phase:
    """The procedure itself: the switch, the adoption of what is in flight, the proof."""
    return Phase("failover", "responder dr failover", _failover)


def mend_phase(how: Loss) -> Phase:
    """The region comes back, and what was frozen in it goes on where it stopped."""
    title = {"kill": "the primary region is started again", "freeze": "the frozen region wakes up"}[how]
    return Phase("mend region", title, _mend)


def failback_phase() -> Phase:
    """The procedure itself: replication checked, the switch off, the proof."""
    return Phase("failback", "responder dr failback", _failback)


def ending_phases() -> tuple[Phase, ...]:
    """The load ends, and everything comes to rest."""
    return (
        Phase("load ends", f"when {ACCEPTED_LEAST} alerts are accepted", _end_load),
        Phase("rest", "every accepted alert comes to rest", _rest),
    )


def wait_at_rest(play: Play) -> None:
    """Wait until every accepted alert is at rest.

    Raises:
        DrillFailedError: it is not in time.
        LedgerUnreadableError, ReceiptsError: nobody can say.
    """

    def rested() -> bool | None:
        waiting = len(in_flight(play.stage.deployment, play.receipts_path))
        if waiting:
            play.say(f"{waiting} alerts are on their way")
        return None if waiting else True

    play.until(rested, "every alert is at rest", within_s=AT_REST_WITHIN_S, every_s=_REST_POLL_S)


def switch_off(play: Play) -> str | None:
    """Fail back if the failover region's switch is on still; what was done, or None."""
    deployment = play.stage.deployment
    if not CoordinationRecords(deployment, deployment.failover.region).switched_on_ms():
        return None
    failback(deployment, operator=play.operator, take_over=True, outside=play.stage.outside)
    return f"failed back to {deployment.primary.region}"


def _load(play: Play) -> str:
    regions = play.stage.deployment.regions

    def ready() -> int | None:
        count = len(play.receipts())
        serving = all(play.stage.serving(one.region) for one in regions)
        return count if count >= LOAD_BEFORE and serving else None

    what = f"{LOAD_BEFORE} alerts are accepted, and the health checks of both regions pass"
    count = play.until(ready, what, within_s=LOAD_WITHIN_S)
    return f"{count} alerts accepted, and the health checks of both regions pass"


def _burst(play: Play) -> None:
    """A region that is lost has something in flight."""
    before = len(play.receipts())
    play.burst(BURST)
    what = f"{BURST} more alerts are accepted"
    play.until(
        lambda: len(play.receipts()) >= before + BURST or None, what, within_s=LOAD_WITHIN_S, every_s=0.1
    )


def _detect(play: Play) -> str:
    region, fault_ms = play.stage.deployment.primary.region, play.file.state.moments[Moment.FAULT]

    def failed_ms() -> int | None:
        health = play.stage.health(region)
        if health is None:
            raise DrillFailedError(
                f"no health check looks at {region}, so nobody would notice; configure `domain`"
            )
        return health.since_ms if not health.healthy and health.since_ms >= fault_ms else None

    at_ms = play.until(failed_ms, f"the health check of {region} fails", within_s=DETECTED_WITHIN_S)
    play.file.mark(Moment.DETECTED, at_ms)
    return f"the health check of {region} failed {(at_ms - fault_ms) / 1_000:.1f} s after the fault"


def _failover(play: Play) -> str:
    play.begin_aside(REHEARSAL, rehearse)
    outcome = failover(
        play.stage.deployment,
        operator=play.operator,
        on_step=play.on_step(FAILOVER_MOMENTS),
        take_over=play.file.state.resumed > 0,
        outside=play.stage.outside,
    )
    for step, moment in FAILOVER_MOMENTS.items():
        play.file.mark(moment, outcome.step(step).ended_ms)
    adopted = outcome.step("adopt").facts["adopted_count"]
    play.file.note(alerts_adopted=adopted)
    return f"{play.stage.deployment.failover.region} takes everything; {adopted} alerts adopted"


def _mend(play: Play) -> str:
    regions = play.stage.mend_regions()
    play.file.mark(Moment.MENDED)
    region = play.stage.deployment.primary.region

    def healthy() -> bool | None:
        health = play.stage.health(region)
        return True if health and health.healthy else None

    play.until(healthy, f"the health check of {region} passes", within_s=HEALTHY_WITHIN_S)
    return f"{', '.join(regions) or region} is back, and its health check passes"


def _failback(play: Play) -> str:
    failback(
        play.stage.deployment,
        operator=play.operator,
        on_step=play.on_step({}),
        take_over=play.file.state.resumed > 0,
        outside=play.stage.outside,
    )
    play.file.mark(Moment.FAILED_BACK)
    return f"{play.stage.deployment.primary.region} takes new alerts again"


def _end_load(play: Play) -> str:
    def enough() -> int | None:
        count = len(play.receipts())
        return count if count >= play.accepted_least else None

    play.until(enough, f"{play.accepted_least} alerts are accepted", within_s=LOAD_WITHIN_S)
    play.stop_load()
    play.file.mark(Moment.LOAD_ENDED)
    return f"{len(play.receipts())} alerts accepted"


def _rest(play: Play) -> str:
    begun_ms = now_ms()
    wait_at_rest(play)
    play.file.mark(Moment.RESTED)
    return f"all at rest {(now_ms() - begun_ms) / 1_000:.1f} s later"
