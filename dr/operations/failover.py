"""Failing over: the failover region stands in for the primary, on an operator's word.

Calls nothing in the region that is lost and no control plane of Route 53: the switch is a record in the
failover region, and everything else that is asked or waited for is there too. Whether the other region is
really lost is for the operator to judge, by `responder dr status`, before this begins.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.aws import passes
from clients.coordination import (
    CoordinationRecords,
    CoordinationUnreachableError,
)
from clients.deployment import Deployment
from clients.routing import RoutingUnknownError
from dr.operations.adoption import adopt
from dr.operations.journal import Journal, OperationFailedError, OperationRefusedError, State
from dr.operations.operation import Done, OnStep, Outcome, Step, Turn, outcome_of, quiet, run
from dr.operations.outside import Outside
from dr.operations.proof import healthy, prove, switch_shown
from dr.operations.switching import HeldSwitch
from topology.config_keys import STRONG
from topology.records import ownership_record, switch_record

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

    Steps and their facts: `check`; `switch` (`since_ms`); `adopt` (see `dr.operations.adoption.adopt`);
    `prove` (see `dr.operations.proof.prove`); with a domain `route`. The steps after `switch` end well only
    while it is as this run turned it. `operator` names a person or machine in the journal.

    Raises:
        OperationRefusedError: another operation is under way, or the primary's switch is on.
        OperationFailedError: a step failed or met its deadline; run it again.
    """
    outside = outside or Outside()
    journal = Journal(deployment, deployment.failover.region)
    already = _already_done(deployment, journal, outside)
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
    move = _Failover(deployment, outside)
    steps = [
        Step(
            name="check",
            title=f"{to.region} is healthy and takes writes, and the switch of {lost} is off",
            deadline_s=limits.check_s,
            act=move.check,
        ),
        Step(
            name="switch",
            title=f"turn on the switch of {to.region}, and see it at {to.switch_url}",
            deadline_s=limits.switch_s,
            act=move.turn_on,
        ),
        Step(
            name="adopt",
            title=f"run Recovery in {to.region} until every alert that {lost} left open is seen to",
            deadline_s=limits.adopt_s,
            act=move.adopt,
        ),
        Step(
            name="prove",
            title=f"post an alert to {to.region} and follow it to Slack",
            deadline_s=limits.prove_s,
            act=move.prove,
        ),
    ]
    if deployment.alerts_url:
        answers = route_step(deployment, to.region, deadline_s=limits.route_s, outside=outside)
        steps.append(replace(answers, act=move.holding(answers.act)))
    return tuple(steps)


def what_it_does(deployment: Deployment) -> str:
    """What a failover of this stack comes to, and what it leaves to a person."""
    to, lost = deployment.failover, deployment.primary
    if deployment.alerts_url:
        return (
            f"{to.region} takes what is posted to {deployment.alerts_url}, of each source once its "
            "resolver asks again."
        )
    text = (
        f"{to.region} sees to what {lost.region} left open. There is no domain, so sources choose: they post "
        f"to {lost.webhook_url} as long as that answers 202. Unless {lost.region} is dark, point them to "
        f"{to.webhook_url}, with its key"
    )
    if deployment.ledger_consistency != STRONG:
        text += f"; what {lost.region} takes in from now on stays its own while its Recovery runs"
    return f"{text}."


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
    say(f"it answers {found or 'neither region'}")
    return found == region or None


def _already_done(deployment: Deployment, journal: Journal, outside: Outside) -> Outcome | None:
    """The failover that was brought to its end, if what it came to is so still."""
    to = deployment.failover
    try:
        found = journal.read()
        if found is None or found.operation != FAILOVER or found.state is not State.DONE:
            return None
        switch = found.step("switch")
        since_ms = CoordinationRecords(deployment, journal.region).switched_on_ms()
        if switch is None or not since_ms or switch.facts["since_ms"] != since_ms:
            return None
    except CoordinationUnreachableError as error:
        raise OperationFailedError(
            f"{error}; without the failover region there is nothing to fail over to: see "
            "`responder dr status`"
        ) from error
    if not (healthy(outside.web, to) and switch_shown(outside.web, to)):
        return None
    if deployment.alerts_url and not _answers(deployment, outside, to.region, lambda _: None):
        return None
    return outcome_of(found, already_done=True)


class _Failover:
    """The steps' acts, and what the first of them leave to the others."""

    def __init__(self, deployment: Deployment, outside: Outside) -> None:
        self._deployment, self._outside = deployment, outside
        self._to, self._lost = deployment.failover, deployment.primary.region
        self._records = CoordinationRecords(deployment, self._to.region)
        self._switch = HeldSwitch(deployment, self._to.region)
        self._since_ms = 0

    def check(self, turn: Turn) -> Done:
        to, lost, web = self._to.region, self._lost, self._outside.web
        if self._records.switched_on_ms(of=lost):
            raise OperationRefusedError(
                f"the switch of {lost} is on as {to} has it, and with both on neither region would be routed "
                f"to; turn it off in {lost} first: since_ms = 0 in record {switch_record(lost)} of the "
                "coordination table"
            )

        def well() -> bool | None:
            seen = healthy(web, self._to)
            if not seen:
                turn.say("nothing answers" if seen is None else "it is not healthy")
            return seen or None

        turn.until(well, f"{to} answers /health")
        turn.until(lambda: _takes_writes(self._deployment, to, turn), f"the ledger of {to} takes a write")
        self._switch.look()
        return Done(f"{to} answers and its ledger takes writes")

    def turn_on(self, turn: Turn) -> Done:
        to = self._to
        self._since_ms = self._switch.since_ms or self._later_than_the_last(turn.clock.now_ms())
        self._switch.turn(self._since_ms)
        turn.until(
            lambda: switch_shown(self._outside.web, to) or None, f"{to.switch_url} shows the switch on"
        )
        return Done(f"the switch of {to.region} is on", {"since_ms": self._since_ms})

    def adopt(self, turn: Turn) -> Done:
        to, lost = self._to.region, self._lost
        return self._held(adopt(self._deployment, turn, lost=lost, by=to, since_ms=self._since_ms))

    def prove(self, turn: Turn) -> Done:
        return self._held(prove(self._deployment, turn, endpoints=self._to, web=self._outside.web))

    def holding(self, act: Callable[[Turn], Done]) -> Callable[[Turn], Done]:
        """`act`, which counts only if the switch is still as this run turned it."""
        return lambda turn: self._held(act(turn))

    def _held(self, done: Done) -> Done:
        self._switch.hold(self._since_ms)
        return done

    def _later_than_the_last(self, now_ms: int) -> int:
        """Recovery takes over once for each later time, so a clock that runs behind must not repeat one."""
        own = self._records.read(ownership_record(self._to.region))
        last_ms = int(own.values.get("switched_ms", 0)) if own else 0
        return max(now_ms, last_ms + 1)


def _takes_writes(deployment: Deployment, region: str, turn: Turn) -> bool | None:
    """A write that leaves nothing behind: deleting a row that never was.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: no later try will go through either.
    """
    try:
        deployment.clients.client("dynamodb", region).delete_item(
            TableName=deployment.alerts_table, Key={"alert_id": {"S": "dr-write-check"}}
        )
    except (BotoCoreError, ClientError) as error:
        if not passes(error):
            raise
        turn.say(str(error))
        return None
    return True
