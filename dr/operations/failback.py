"""Failing back: the primary takes new alerts again, once that can lose nothing.

Refuses while the primary is not healthy, while the regions' tables differ, and with both switches on. That
the primary delivers is proven before anything moves, since a region that answers `/health` may deliver
nothing all the same; it takes posts at its own URL whatever the other's switch says. What is in a queue of
either region does not matter: the ledger has it.
"""

from dataclasses import dataclass
from typing import Final

from clients.coordination import CoordinationRecords, CoordinationUnreachableError
from clients.deployment import Deployment
from dr.operations.adoption import settle
from dr.operations.failover import route_step
from dr.operations.journal import Journal, OperationFailedError, OperationRefusedError, State
from dr.operations.operation import Done, OnStep, Outcome, Step, Turn, outcome_of, quiet, run
from dr.operations.outside import Outside
from dr.operations.proof import healthy, prove, switch_shown
from dr.operations.replication import agree
from dr.operations.switching import HeldSwitch
from topology.records import switch_record

FAILBACK: Final = "failback"


@dataclass(frozen=True, kw_only=True)
class FailbackDeadlines:
    """Seconds that each step may take; `route_s` as in `FailoverDeadlines`."""

    check_s: int = 20
    replication_s: int = 60
    switch_s: int = 20
    route_s: int = 400
    prove_s: int = 240
    settle_s: int = 240


def failback(
    deployment: Deployment,
    *,
    operator: str,
    on_step: OnStep = quiet,
    deadlines: FailbackDeadlines | None = None,
    take_over: bool = False,
    outside: Outside | None = None,
) -> Outcome:
    """Fail back, or bring to an end what was broken off; else, with the switch off, there is nothing to do.

    Steps and their facts: `check`; `replication` (`lag_ms`, `compared`); `prove` (see
    `dr.operations.proof.prove`); `switch`; with a domain `route`; `settle` (`open`).

    Raises:
        OperationRefusedError: another operation is under way, or going back would lose alerts.
        OperationFailedError: a step failed or met its deadline; run it again.
    """
    outside = outside or Outside()
    journal = Journal(deployment, deployment.failover.region)
    already = _nothing_to_do(deployment, journal)
    if already is not None:
        return already
    return run(
        FAILBACK,
        failback_steps(deployment, deadlines=deadlines, outside=outside),
        journal=journal,
        operator=operator,
        clock=outside.clock,
        on_step=on_step,
        take_over=take_over,
    )


def failback_steps(
    deployment: Deployment, *, deadlines: FailbackDeadlines | None = None, outside: Outside | None = None
) -> tuple[Step, ...]:
    """What `failback` does, in its order; making the steps does nothing."""
    limits, outside = deadlines or FailbackDeadlines(), outside or Outside()
    to, leaving = deployment.primary, deployment.failover
    switch = HeldSwitch(deployment, leaving.region)

    def check(turn: Turn) -> Done:
        done = _check(deployment, turn, outside)
        switch.look()
        return done

    steps = [
        Step(
            name="check",
            title=f"{to.region} and {leaving.region} are healthy, and the switch of {to.region} is off",
            deadline_s=limits.check_s,
            act=check,
        ),
        Step(
            name="replication",
            title="each region has what the other took in",
            deadline_s=limits.replication_s,
            act=lambda turn: agree(deployment, turn),
        ),
        Step(
            name="prove",
            title=f"post an alert to {to.region} and follow it to Slack",
            deadline_s=limits.prove_s,
            act=lambda turn: prove(deployment, turn, endpoints=to, web=outside.web),
        ),
        Step(
            name="switch",
            title=f"turn off the switch of {leaving.region}, and see it at {leaving.switch_url}",
            deadline_s=limits.switch_s,
            act=lambda turn: _turn_off(deployment, switch, turn, outside),
        ),
        Step(
            name="settle",
            title="run Recovery in both regions until every alert that is open now is seen to",
            deadline_s=limits.settle_s,
            act=lambda turn: settle(deployment, turn),
        ),
    ]
    if deployment.alerts_url:
        steps.insert(4, route_step(deployment, to.region, deadline_s=limits.route_s, outside=outside))
    return tuple(steps)


def _nothing_to_do(deployment: Deployment, journal: Journal) -> Outcome | None:
    """The last operation if it left nothing to fail back from; None where a failback is due.

    It is also due where a failover was broken off before it turned its switch: everything is looked at then,
    and the journal closed.
    """
    region = journal.region
    try:
        found = journal.read()
        switched_on = CoordinationRecords(deployment, region).switched_on_ms()
    except CoordinationUnreachableError as error:
        raise OperationFailedError(
            f"{error}; routing leaves {region} by itself while it does not answer, and a failback waits "
            "until it does: see `responder dr status`"
        ) from error
    if switched_on or (found is not None and found.state is not State.DONE):
        return None
    if found is not None and found.operation == FAILBACK:
        return outcome_of(found, already_done=True)
    return Outcome(operation=FAILBACK, token="", already_done=True, started_ms=0, ended_ms=0, steps=())


def _check(deployment: Deployment, turn: Turn, outside: Outside) -> Done:
    to = deployment.primary
    seen = [healthy(outside.web, endpoints) for endpoints in deployment.regions]
    while not all(seen) and turn.left_s() > 0:
        turn.clock.sleep(1)
        seen = [healthy(outside.web, endpoints) for endpoints in deployment.regions]
    for endpoints, state in zip(deployment.regions, seen, strict=True):
        if not state:
            said = "does not answer" if state is None else "is not healthy"
            raise OperationRefusedError(
                f"{endpoints.region} {said}; alerts would have nowhere to go, or what it has would be left "
                f"behind. Mend it first: {endpoints.health_url} answers 200 then"
            )
    on = switch_shown(outside.web, to)
    if on or CoordinationRecords(deployment, to.region).switched_on_ms():
        raise OperationRefusedError(
            "the switches of both regions are on, so neither is routed to and nobody knows which was meant; "
            f"turn that of {to.region} off: since_ms = 0 in record {switch_record(to.region)} of the "
            "coordination table"
        )
    return Done("both regions are healthy")


def _turn_off(deployment: Deployment, switch: HeldSwitch, turn: Turn, outside: Outside) -> Done:
    leaving = deployment.failover

    def shown_off() -> bool | None:
        return True if switch_shown(outside.web, leaving) is False else None

    switch.turn(0)
    turn.until(shown_off, f"{leaving.switch_url} shows the switch off")
    return Done(f"the switch of {leaving.region} is off")
