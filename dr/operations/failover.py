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
from dr.operations.drain import drain_to_survivor
from dr.operations.environment import Environment
from dr.operations.facts import SwitchFacts
from dr.operations.journal import JournalStore, OperationFailedError, OperationRefusedError, State
from dr.operations.operation import OnStep, Outcome, Step, StepContext, StepResult, no_op, outcome_of, run
from dr.operations.service_check import healthy, post_test_alert, switch_shown
from dr.operations.switching import HeldSwitch
from topology.config_keys import STRONG
from topology.records import ownership_record, switch_record

FAILOVER: Final = "failover"


@dataclass(frozen=True, kw_only=True)
class FailoverDeadlines:
    """Seconds that each step may take.

    `drain_s`: a lease (`leaseS`, two minutes by default) has to run out before an alert that a lost worker
    holds can be taken up. `test_alert_s`: the test alert waits behind everything that is more severe.
    `route_s`: Route 53 checks a region ten times at most, every 30 s at most, and answers are kept for their
    TTL.
    """

    check_s: int = 20
    switch_s: int = 20
    drain_s: int = 240
    test_alert_s: int = 240
    route_s: int = 400


def failover(
    deployment: Deployment,
    *,
    operator: str,
    on_step: OnStep = no_op,
    deadlines: FailoverDeadlines | None = None,
    take_over: bool = False,
    environment: Environment | None = None,
) -> Outcome:
    """Fail over, or go on with a failover that was broken off; once failed over there is nothing to do.

    Steps, and what they find: `check`; `switch` (`SwitchFacts`); `drain` (`DrainFacts`); `test-alert`
    (`DeliveryFacts`); with a domain `route`. The steps after `switch` end well only while it is as this run
    turned it. `operator` names a person or machine in the journal.

    Raises:
        OperationRefusedError: another operation is under way, or the primary's switch is on.
        OperationFailedError: a step failed or met its deadline; run it again.
    """
    environment = environment or Environment()
    store = JournalStore(deployment, deployment.failover.region)
    already = _already_done(deployment, store, environment)
    if already is not None:
        return already
    return run(
        FAILOVER,
        failover_steps(deployment, deadlines=deadlines, environment=environment),
        store=store,
        operator=operator,
        clock=environment.clock,
        on_step=on_step,
        take_over=take_over,
    )


def failover_steps(
    deployment: Deployment,
    *,
    deadlines: FailoverDeadlines | None = None,
    environment: Environment | None = None,
) -> tuple[Step, ...]:
    """What `failover` does, in its order; making the steps does nothing."""
    limits, environment = deadlines or FailoverDeadlines(), environment or Environment()
    to, lost = deployment.failover, deployment.primary.region
    failover_run = _Failover(deployment, environment)
    steps = [
        Step(
            name="check",
            title=f"{to.region} is healthy and takes writes, and the switch of {lost} is off",
            deadline_s=limits.check_s,
            act=failover_run.check,
        ),
        Step(
            name="switch",
            title=f"turn on the switch of {to.region}, and see it at {to.switch_url}",
            deadline_s=limits.switch_s,
            act=failover_run.turn_on,
        ),
        Step(
            name="drain",
            title=f"run Recovery in {to.region} until every alert that {lost} left open is processed",
            deadline_s=limits.drain_s,
            act=failover_run.drain,
        ),
        Step(
            name="test-alert",
            title=f"post a test alert to {to.region} and follow it to Slack",
            deadline_s=limits.test_alert_s,
            act=failover_run.post_test_alert,
        ),
    ]
    if deployment.alerts_url:
        answers = route_step(deployment, to.region, deadline_s=limits.route_s, environment=environment)
        steps.append(replace(answers, act=failover_run.holding(answers.act)))
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
        f"{to.region} processes what {lost.region} left open. There is no domain, so sources choose: they "
        f"post to {lost.webhook_url} as long as that answers 202. Unless {lost.region} is dark, point them "
        f"to {to.webhook_url}, with its key"
    )
    if deployment.ledger_consistency != STRONG:
        text += f"; what {lost.region} takes in from now on stays its own while its Recovery runs"
    return f"{text}."


def route_step(deployment: Deployment, region: str, *, deadline_s: int, environment: Environment) -> Step:
    """Wait until DNS answers `region` for the stack's name."""

    def answered(context: StepContext) -> StepResult:
        context.until(
            lambda: _answers(deployment, environment, region, context.say), f"the name answers {region}"
        )
        return StepResult(f"{deployment.alerts_url} answers {region}")

    title = f"the name {deployment.alerts_url} answers {region}"
    return Step(name="route", title=title, deadline_s=deadline_s, act=answered)


def _answers(
    deployment: Deployment, environment: Environment, region: str, say: Callable[[str], None]
) -> bool | None:
    try:
        answered = environment.resolve(deployment)
    except RoutingUnknownError as error:
        say(str(error))
        return None
    say(f"it answers {answered or 'neither region'}")
    return answered == region or None


def _already_done(deployment: Deployment, store: JournalStore, environment: Environment) -> Outcome | None:
    """The failover that was brought to its end, if what it came to is so still."""
    to = deployment.failover
    try:
        record = store.read()
        if record is None or record.operation != FAILOVER or record.state is not State.DONE:
            return None
        switch = record.step("switch")
        since_ms = CoordinationRecords(deployment, store.region).switched_on_ms()
        if switch is None or not since_ms or switch.facts != SwitchFacts(since_ms=since_ms):
            return None
    except CoordinationUnreachableError as error:
        raise OperationFailedError(
            f"{error}; without the failover region there is nothing to fail over to: see "
            "`responder dr status`"
        ) from error
    if not (healthy(environment.web, to) and switch_shown(environment.web, to)):
        return None
    if deployment.alerts_url and not _answers(deployment, environment, to.region, lambda _: None):
        return None
    return outcome_of(record, already_done=True)


class _Failover:
    """The acts of the steps, and the state that earlier ones leave to later ones."""

    def __init__(self, deployment: Deployment, environment: Environment) -> None:
        self._deployment, self._environment = deployment, environment
        self._to, self._lost = deployment.failover, deployment.primary.region
        self._records = CoordinationRecords(deployment, self._to.region)
        self._switch = HeldSwitch(deployment, self._to.region)
        self._since_ms = 0

    def check(self, context: StepContext) -> StepResult:
        to, lost, web = self._to.region, self._lost, self._environment.web
        if self._records.switched_on_ms(of=lost):
            raise OperationRefusedError(
                f"the switch of {lost} is on as {to} has it, and with both on neither region would be routed "
                f"to; turn it off in {lost} first: since_ms = 0 in record {switch_record(lost)} of the "
                "coordination table"
            )

        def well() -> bool | None:
            state = healthy(web, self._to)
            if not state:
                context.say("nothing answers" if state is None else "it is not healthy")
            return state or None

        context.until(well, f"{to} answers /health")
        context.until(
            lambda: _takes_writes(self._deployment, to, context), f"the ledger of {to} takes a write"
        )
        self._switch.look()
        return StepResult(f"{to} answers and its ledger takes writes")

    def turn_on(self, context: StepContext) -> StepResult:
        to = self._to
        self._since_ms = self._switch.since_ms or self._later_than_the_last(context.clock.now_ms())
        self._switch.turn(self._since_ms)
        context.until(
            lambda: switch_shown(self._environment.web, to) or None, f"{to.switch_url} shows the switch on"
        )
        return StepResult(f"the switch of {to.region} is on", SwitchFacts(since_ms=self._since_ms))

    def drain(self, context: StepContext) -> StepResult:
        to, lost = self._to.region, self._lost
        return self._held(
            drain_to_survivor(self._deployment, context, lost=lost, survivor=to, since_ms=self._since_ms)
        )

    def post_test_alert(self, context: StepContext) -> StepResult:
        return self._held(
            post_test_alert(self._deployment, context, endpoints=self._to, web=self._environment.web)
        )

    def holding(self, act: Callable[[StepContext], StepResult]) -> Callable[[StepContext], StepResult]:
        """`act`, which counts only if the switch is still as this run turned it."""
        return lambda context: self._held(act(context))

    def _held(self, result: StepResult) -> StepResult:
        self._switch.hold(self._since_ms)
        return result

    def _later_than_the_last(self, now_ms: int) -> int:
        """Recovery takes over once for each later time, so a clock that runs behind must not repeat one."""
        own = self._records.read(ownership_record(self._to.region))
        last_ms = int(own.values.get("switched_ms", 0)) if own else 0
        return max(now_ms, last_ms + 1)


def _takes_writes(deployment: Deployment, region: str, context: StepContext) -> bool | None:
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
        context.say(str(error))
        return None
    return True
