"""The phases of a drill that loses the primary region: killed, or frozen and woken after the failover."""

import time
from typing import Final

from audit.in_flight import in_flight
from clients.coordination import CoordinationRecords
from dr.drill.record import Moment, now_ms
from dr.drill.rehearsal import REHEARSAL, rehearse
from dr.drill.run import ACCEPTED_LEAST, DrillFailedError, DrillRun, Phase
from dr.drill.target import Loss
from dr.operations.facts import DrainFacts
from dr.operations.failback import failback
from dr.operations.failover import failover

LOAD_BEFORE: Final = 75
"""Alerts accepted before the fault, so that some are in every step of the pipeline when it comes."""

BURST: Final = 40
"""Alerts posted at once right before the fault, as in a real incident, so that many are in flight at it."""

LOAD_WITHIN_S: Final = 180.0
DETECTED_WITHIN_S: Final = 180.0
HEALTHY_WITHIN_S: Final = 180.0
AT_REST_WITHIN_S: Final = 240.0

FAILOVER_MOMENTS: Final = {
    "switch": Moment.ACTED,
    "drain": Moment.DRAINED,
    "test-alert": Moment.VERIFIED,
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

    def lose(run: DrillRun) -> str:
        region = run.target.deployment.primary.region
        if Moment.FAULT not in run.file.state.moments:
            _burst(run)
        run.file.mark(Moment.FAULT)
        run.target.lose_region(region, how)
        return f"{region} is {word}"

    return Phase("fault", f"{BURST} alerts at once, and the primary region is {word}", lose)


def detection_phase() -> Phase:
    """Monitoring says that it is lost."""
    return Phase("detection", "wait for the health check of the primary to fail", _detect)


def decision_phase(to_do: str) -> Phase:
    """A person decides, and takes as long as the drill allows them."""

    def decide(run: DrillRun) -> str:
        after_s = run.file.state.decide_after_s
        time.sleep(after_s)
        run.file.mark(Moment.DECIDED)
        return (
            f"decided to {to_do}; {after_s:g} s are allowed for it, and a person's own time is not measured"
        )

    return Phase("decision", "a person looks and decides; here a set time passes for it", decide)


def failover_phase() -> Phase:
    """The procedure itself: the switch, the drain of what is in flight, the test alert."""
    return Phase("failover", "responder dr failover", _failover)


def start_phase(how: Loss) -> Phase:
    """The region is started again; what was frozen in it goes on where it stopped."""
    title = {"kill": "the primary region is started again", "freeze": "the frozen region is resumed"}[how]
    return Phase("start region", title, _start_region)


def failback_phase() -> Phase:
    """The procedure itself: replication checked, a test alert, the switch off."""
    return Phase("failback", "responder dr failback", _failback)


def ending_phases() -> tuple[Phase, ...]:
    """The load ends, and everything comes to rest."""
    return (
        Phase("load ends", f"when {ACCEPTED_LEAST} alerts are accepted", _end_load),
        Phase("rest", "every accepted alert comes to rest", _rest),
    )


def wait_at_rest(run: DrillRun) -> None:
    """Wait until every accepted alert is at rest.

    Raises:
        DrillFailedError: it is not in time.
        LedgerUnreadableError, ReceiptsError: nobody can say.
    """

    def rested() -> bool | None:
        waiting = len(in_flight(run.target.deployment, run.receipts_path))
        if waiting:
            run.say(f"{waiting} alerts are on their way")
        return None if waiting else True

    run.until(rested, "every alert is at rest", within_s=AT_REST_WITHIN_S, every_s=_REST_POLL_S)


def switch_off(run: DrillRun) -> str | None:
    """Fail back if the failover region's switch is on still; what was done, or None."""
    deployment = run.target.deployment
    if not CoordinationRecords(deployment, deployment.failover.region).switched_on_ms():
        return None
    failback(deployment, operator=run.operator, take_over=True, environment=run.target.environment)
    return f"failed back to {deployment.primary.region}"


def _load(run: DrillRun) -> str:
    regions = run.target.deployment.regions

    def ready() -> int | None:
        count = len(run.receipts())
        serving = all(run.target.serving(endpoints.region) for endpoints in regions)
        return count if count >= LOAD_BEFORE and serving else None

    what = f"{LOAD_BEFORE} alerts are accepted, and the health checks of both regions pass"
    count = run.until(ready, what, within_s=LOAD_WITHIN_S)
    return f"{count} alerts accepted, and the health checks of both regions pass"


def _burst(run: DrillRun) -> None:
    """A region that is lost has something in flight."""
    before = len(run.receipts())
    run.burst(BURST)
    what = f"{BURST} more alerts are accepted"
    run.until(
        lambda: len(run.receipts()) >= before + BURST or None, what, within_s=LOAD_WITHIN_S, every_s=0.1
    )


def _detect(run: DrillRun) -> str:
    region, fault_ms = run.target.deployment.primary.region, run.file.state.moments[Moment.FAULT]

    def failed_ms() -> int | None:
        health = run.target.health(region)
        if health is None:
            raise DrillFailedError(
                f"no health check looks at {region}, so nobody would notice; configure `domain`"
            )
        return health.since_ms if not health.healthy and health.since_ms >= fault_ms else None

    at_ms = run.until(failed_ms, f"the health check of {region} fails", within_s=DETECTED_WITHIN_S)
    run.file.mark(Moment.DETECTED, at_ms)
    return f"the health check of {region} failed {(at_ms - fault_ms) / 1_000:.1f} s after the fault"


def _failover(run: DrillRun) -> str:
    run.begin_background(REHEARSAL, rehearse)
    outcome = failover(
        run.target.deployment,
        operator=run.operator,
        on_step=run.on_step(FAILOVER_MOMENTS),
        take_over=run.file.state.resumed > 0,
        environment=run.target.environment,
    )
    for step, moment in FAILOVER_MOMENTS.items():
        run.file.mark(moment, outcome.step(step).ended_ms)
    drained = outcome.facts(DrainFacts).drained_count
    run.file.note(alerts_drained=drained)
    return f"{run.target.deployment.failover.region} takes everything; {drained} alerts drained"


def _start_region(run: DrillRun) -> str:
    regions = run.target.start_regions()
    run.file.mark(Moment.STARTED)
    region = run.target.deployment.primary.region

    def healthy() -> bool | None:
        health = run.target.health(region)
        return True if health and health.healthy else None

    run.until(healthy, f"the health check of {region} passes", within_s=HEALTHY_WITHIN_S)
    return f"{', '.join(regions) or region} is back, and its health check passes"


def _failback(run: DrillRun) -> str:
    failback(
        run.target.deployment,
        operator=run.operator,
        on_step=run.on_step({}),
        take_over=run.file.state.resumed > 0,
        environment=run.target.environment,
    )
    run.file.mark(Moment.FAILED_BACK)
    return f"{run.target.deployment.primary.region} takes new alerts again"


def _end_load(run: DrillRun) -> str:
    def enough() -> int | None:
        count = len(run.receipts())
        return count if count >= run.accepted_least else None

    run.until(enough, f"{run.accepted_least} alerts are accepted", within_s=LOAD_WITHIN_S)
    run.stop_load()
    run.file.mark(Moment.LOAD_ENDED)
    return f"{len(run.receipts())} alerts accepted"


def _rest(run: DrillRun) -> str:
    begun_ms = now_ms()
    wait_at_rest(run)
    run.file.mark(Moment.RESTED)
    return f"all at rest {(now_ms() - begun_ms) / 1_000:.1f} s later"
