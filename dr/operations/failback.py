"""Failing back: the primary takes new alerts again, once that can lose nothing.

Refuses while the primary is not healthy, while the regions' tables differ, and with both switches on. The
primary has to deliver a test alert before anything changes, since a region that answers `/health` may deliver
nothing all the same; it takes posts at its own URL whatever the other's switch says. What is in a queue of
either region does not matter: the ledger has it.
"""

from dataclasses import dataclass
from typing import Final

from clients.coordination import CoordinationRecords, CoordinationUnreachableError
from clients.deployment import Deployment
from dr.operations.drain import wait_until_at_rest
from dr.operations.environment import Environment
from dr.operations.failover import route_step
from dr.operations.journal import JournalStore, OperationFailedError, OperationRefusedError, State
from dr.operations.operation import OnStep, Outcome, Step, StepContext, StepResult, no_op, outcome_of, run
from dr.operations.replication import check_replication
from dr.operations.service_check import healthy, post_test_alert, switch_shown
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
    test_alert_s: int = 240
    rest_s: int = 240


def failback(
    deployment: Deployment,
    *,
    operator: str,
    on_step: OnStep = no_op,
    deadlines: FailbackDeadlines | None = None,
    take_over: bool = False,
    environment: Environment | None = None,
) -> Outcome:
    """Fail back, or bring to an end what was broken off; else, with the switch off, there is nothing to do.

    Steps, and what they find: `check`; `replication` (`ReplicationFacts`); `test-alert` (`DeliveryFacts`);
    `switch`; with a domain `route`; `rest` (`RestFacts`).

    Raises:
        OperationRefusedError: another operation is under way, or going back would lose alerts.
        OperationFailedError: a step failed or met its deadline; run it again.
    """
    environment = environment or Environment()
    store = JournalStore(deployment, deployment.failover.region)
    already = _nothing_to_do(deployment, store)
    if already is not None:
        return already
    return run(
        FAILBACK,
        failback_steps(deployment, deadlines=deadlines, environment=environment),
        store=store,
        operator=operator,
        clock=environment.clock,
        on_step=on_step,
        take_over=take_over,
    )


def failback_steps(
    deployment: Deployment,
    *,
    deadlines: FailbackDeadlines | None = None,
    environment: Environment | None = None,
) -> tuple[Step, ...]:
    """What `failback` does, in its order; making the steps does nothing."""
    limits, environment = deadlines or FailbackDeadlines(), environment or Environment()
    to, leaving = deployment.primary, deployment.failover
    switch = HeldSwitch(deployment, leaving.region)

    def check(context: StepContext) -> StepResult:
        result = _check(deployment, context, environment)
        switch.look()
        return result

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
            act=lambda context: check_replication(deployment, context),
        ),
        Step(
            name="test-alert",
            title=f"post a test alert to {to.region} and follow it to Slack",
            deadline_s=limits.test_alert_s,
            act=lambda context: post_test_alert(deployment, context, endpoints=to, web=environment.web),
        ),
        Step(
            name="switch",
            title=f"turn off the switch of {leaving.region}, and see it at {leaving.switch_url}",
            deadline_s=limits.switch_s,
            act=lambda context: _turn_off(deployment, switch, context, environment),
        ),
        Step(
            name="rest",
            title="run Recovery in both regions until every alert that is open now is processed",
            deadline_s=limits.rest_s,
            act=lambda context: wait_until_at_rest(deployment, context),
        ),
    ]
    if deployment.alerts_url:
        steps.insert(4, route_step(deployment, to.region, deadline_s=limits.route_s, environment=environment))
    return tuple(steps)


def _nothing_to_do(deployment: Deployment, store: JournalStore) -> Outcome | None:
    """The last operation if it left nothing to fail back from; None where a failback is due.

    It is also due where a failover was broken off before it turned its switch: everything is looked at then,
    and the journal closed.
    """
    region = store.region
    try:
        record = store.read()
        switched_on = CoordinationRecords(deployment, region).switched_on_ms()
    except CoordinationUnreachableError as error:
        raise OperationFailedError(
            f"{error}; routing leaves {region} by itself while it does not answer, and a failback waits "
            "until it does: see `responder dr status`"
        ) from error
    if switched_on or (record is not None and record.state is not State.DONE):
        return None
    if record is not None and record.operation == FAILBACK:
        return outcome_of(record, already_done=True)
    return Outcome(operation=FAILBACK, token="", already_done=True, started_ms=0, ended_ms=0, steps=())


def _check(deployment: Deployment, context: StepContext, environment: Environment) -> StepResult:
    to = deployment.primary
    states = [healthy(environment.web, endpoints) for endpoints in deployment.regions]
    while not all(states) and context.left_s() > 0:
        context.clock.sleep(1)
        states = [healthy(environment.web, endpoints) for endpoints in deployment.regions]
    for endpoints, state in zip(deployment.regions, states, strict=True):
        if not state:
            problem = "does not answer" if state is None else "is not healthy"
            raise OperationRefusedError(
                f"{endpoints.region} {problem}; alerts would have nowhere to go, or what it has would be "
                f"left behind. Start it first: {endpoints.health_url} answers 200 then"
            )
    on = switch_shown(environment.web, to)
    if on or CoordinationRecords(deployment, to.region).switched_on_ms():
        raise OperationRefusedError(
            "the switches of both regions are on, so neither is routed to and nobody knows which was meant; "
            f"turn that of {to.region} off: since_ms = 0 in record {switch_record(to.region)} of the "
            "coordination table"
        )
    return StepResult("both regions are healthy")


def _turn_off(
    deployment: Deployment, switch: HeldSwitch, context: StepContext, environment: Environment
) -> StepResult:
    leaving = deployment.failover

    def shown_off() -> bool | None:
        return True if switch_shown(environment.web, leaving) is False else None

    switch.turn(0)
    context.until(shown_off, f"{leaving.switch_url} shows the switch off")
    return StepResult(f"the switch of {leaving.region} is off")
