"""Failing over: the failover region takes everything, on an operator's word.

Calls nothing in the region that is lost and no control plane of Route 53: the switch is a record in the
failover region, and everything else that is asked or waited for is there too. Whether the other region is
really lost is for the operator to judge, by `responder dr status`, before this begins.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.coordination import CoordinationRecords, CoordinationUnreachableError
from clients.deployment import Deployment, RegionEndpoints
from clients.routing import RoutingUnknownError
from dr.adoption import adopt
from dr.journal import Journal, OperationFailedError, OperationRecord, OperationRefusedError, State
from dr.operation import Done, OnStep, Outcome, Step, Turn, quiet, run
from dr.outside import Outside
from dr.proof import healthy, prove, switch_shown

FAILOVER: Final = "failover"


@dataclass(frozen=True, kw_only=True)
class FailoverDeadlines:
    """Seconds that each step may take.

    `adopt_s`: a lease (`leaseS`, two minutes by default) has to run out before an alert that a lost worker
    holds can be taken up. `prove_s`: its alert waits behind everything that is more severe. `route_s`: Route
    53 looks at a region ten times at most, every 30 s at most, and answers are kept for their TTL.
    """

    check_s: int = 20
    switch_s: int = 20
    adopt_s: int = 240
    prove_s: int = 240
    route_s: int = 400


def failover(
    deployment: Deployment,
    *,
    operator: str,
    on_step: OnStep = quiet,
    deadlines: FailoverDeadlines | None = None,
    take_over: bool = False,
    outside: Outside | None = None,
) -> Outcome:
    """Fail over, or go on with a failover that was broken off; once failed over there is nothing to do.

    Steps and their facts: `check`; `switch` (`since_ms`); `adopt` (see `dr.adoption.adopt`); `prove` (see
    `dr.proof.prove`); with a domain `route`. `operator` names a person or machine in the journal.

    Raises:
        OperationRefusedError: another operation is under way, or the primary's switch is on.
        OperationFailedError: a step failed or met its deadline; run it again.
    """
    outside = outside or Outside()
    journal = Journal(deployment, deployment.failover.region)
    already = _already_done(deployment, journal)
    if already is not None:
        return already
    return run(
        FAILOVER,
        failover_steps(deployment, deadlines=deadlines, outside=outside),
        journal=journal,
        operator=operator,
        clock=outside.clock,
        on_step=on_step,
        take_over=take_over,
    )


def failover_steps(
    deployment: Deployment, *, deadlines: FailoverDeadlines | None = None, outside: Outside | None = None
) -> tuple[Step, ...]:
    """What `failover` does, in its order; making the steps does nothing."""
    limits, outside = deadlines or FailoverDeadlines(), outside or Outside()
    to, lost = deployment.failover, deployment.primary.region
    records = CoordinationRecords(deployment, to.region)

    def adopted(turn: Turn) -> Done:
        since_ms = records.switched_on_ms()
        return adopt(deployment, turn, lost=lost, by=to.region, since_ms=since_ms)

    steps = (
        Step(
            name="check",
            title=f"{to.region} is healthy and takes writes, and the switch of {lost} is off",
            deadline_s=limits.check_s,
            act=lambda turn: _check(deployment, records, turn, outside),
        ),
        Step(
            name="switch",
            title=f"turn on the switch of {to.region}, and see it at {to.switch_url}",
            deadline_s=limits.switch_s,
            act=lambda turn: _turn_on(to, records, turn, outside),
        ),
        Step(
            name="adopt",
            title=f"run Recovery in {to.region} until every alert that {lost} left open is seen to",
            deadline_s=limits.adopt_s,
            act=adopted,
        ),
        Step(
            name="prove",
            title=f"post an alert to {to.region} and follow it to Slack",
            deadline_s=limits.prove_s,
            act=lambda turn: prove(deployment, turn, endpoints=to, web=outside.web),
        ),
    )
    if not deployment.alerts_url:
        return steps
    return (*steps, route_step(deployment, to.region, deadline_s=limits.route_s, outside=outside))


def route_step(deployment: Deployment, region: str, *, deadline_s: int, outside: Outside) -> Step:
    """Wait until DNS answers `region` for the stack's name."""

    def answered(turn: Turn) -> Done:
        turn.until(lambda: _answers(deployment, outside, region, turn.say), f"the name answers {region}")
        return Done(f"{deployment.alerts_url} answers {region}")

    title = f"the name {deployment.alerts_url} answers {region}"
    return Step(name="route", title=title, deadline_s=deadline_s, act=answered)


def _answers(
    deployment: Deployment, outside: Outside, region: str, say: Callable[[str], None]
) -> bool | None:
    try:
        found = outside.resolve(deployment)
    except RoutingUnknownError as error:
        say(str(error))
        return None
    return found == region or None


def _already_done(deployment: Deployment, journal: Journal) -> Outcome | None:
    """The failover that was brought to its end, if its switch is on still."""
    try:
        found = journal.read()
        if found is None or found.operation != FAILOVER or found.state is not State.DONE:
            return None
        if not CoordinationRecords(deployment, journal.region).switched_on_ms():
            return None
    except CoordinationUnreachableError as error:
        raise OperationFailedError(
            f"{error}; without the failover region there is nothing to fail over to: see "
            "`responder dr status`"
        ) from error
    return outcome_of(found)


def outcome_of(found: OperationRecord) -> Outcome:
    """An operation that was done before, as if it had been now."""
    return Outcome(
        operation=found.operation,
        token=found.token,
        already_done=True,
        started_ms=found.started_ms,
        ended_ms=found.ended_ms,
        steps=found.steps,
    )


def _check(deployment: Deployment, records: CoordinationRecords, turn: Turn, outside: Outside) -> Done:
    to, lost = deployment.failover.region, deployment.primary.region
    if records.switched_on_ms(of=lost):
        raise OperationRefusedError(
            f"the switch of {lost} is on as {to} has it, and with both on neither region would be routed to; "
            f"turn it off in {lost} first: since_ms = 0 in record switch#{lost} of the coordination table"
        )
    turn.until(lambda: healthy(outside.web, deployment.failover) or None, f"{to} answers /health")
    turn.until(lambda: _takes_writes(deployment, to), f"the ledger of {to} takes a write")
    return Done(f"{to} answers and its ledger takes writes")


def _takes_writes(deployment: Deployment, region: str) -> bool | None:
    """A write that leaves nothing behind: deleting a row that never was."""
    try:
        deployment.clients.client("dynamodb", region).delete_item(
            TableName=deployment.alerts_table, Key={"alert_id": {"S": "dr-write-check"}}
        )
    except (BotoCoreError, ClientError):
        return None
    return True


def _turn_on(to: RegionEndpoints, records: CoordinationRecords, turn: Turn, outside: Outside) -> Done:
    def on() -> int | None:
        since_ms = records.switched_on_ms()
        if since_ms:
            return since_ms
        # Recovery takes over once for each later time, so a clock that runs behind must not repeat one.
        own = records.read(f"region#{to.region}")
        last_ms = int(own.values.get("switched_ms", 0)) if own else 0
        records.set_switch(max(turn.clock.now_ms(), last_ms + 1))
        return None

    since_ms = turn.until(on, f"the switch of {to.region} is on")
    turn.until(lambda: switch_shown(outside.web, to) or None, f"{to.switch_url} shows the switch on")
    return Done(f"{to.region} takes everything", {"since_ms": since_ms})
