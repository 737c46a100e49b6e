"""Acknowledging what Slack shows: somebody sees to it, so that it goes no second way, or only later.

`responder alerts` uses it. The row keeps who did it and when, and the audit reads it there.
"""

from collections.abc import Callable
from typing import Final

from clients.deployment import Deployment
from clients.failover import NoRegionAnswersError
from clients.ledger import ParkedAlerts
from handlers.adapters.aws.dynamodb import DynamoLedger
from handlers.domain.alert import Alert
from handlers.domain.moves import Actor
from handlers.domain.ports import MalformedRowError
from handlers.domain.regions.escalations import resolved_since
from handlers.domain.states import acknowledged, snoozed
from handlers.settings import variable
from topology.alerts import Severity, Status
from topology.errors import ExplainedError
from topology.functions import RECOVERY

_TRIES: Final = 5


class AcknowledgementError(ExplainedError):
    """The alert cannot be acknowledged or snoozed; the message says why, and what can be done instead."""


class Acknowledgements:
    """What people say of alerts. Its owner's region is asked first, and the other where that is silent."""

    def __init__(self, deployment: Deployment) -> None:
        """Nothing is read yet."""
        self._deployment = deployment
        self._alerts = ParkedAlerts(deployment)

    def acknowledge(self, alert_id: str, *, by: str, now_s: int) -> None:
        """Record that `by` sees to the alert.

        Raises:
            AcknowledgementError: it is not in Slack, somebody has it already, or its fault is resolved.
            LedgerUnreachableError: no region answers.
        """

        def after(alert: Alert) -> Alert:
            if alert.acknowledged_at is not None:
                raise AcknowledgementError(
                    f"{alert_id}: {alert.acknowledged_by} has acknowledged it already; talk to them"
                )
            return acknowledged(alert, by=by, at=now_s)

        self._change(alert_id, after)

    def snooze(self, alert_id: str, *, by: str, until_s: int) -> None:
        """Have the CRITICAL alert go a second way only at `until_s`, as `by` says, unless it is acknowledged.

        Raises:
            AcknowledgementError: it is not CRITICAL, not in Slack, or its fault is resolved; or nothing goes
                a second way in this stack.
            LedgerUnreachableError: no region answers.
        """
        if not self._escalates():
            raise AcknowledgementError(
                f"{alert_id}: escalateAfterS is 0 in this stack, so nothing goes a second way and nobody "
                f"would hear when a snooze ends; acknowledge it by `responder alerts ack {alert_id}`"
            )

        def after(alert: Alert) -> Alert:
            if alert.severity is not Severity.CRITICAL:
                raise AcknowledgementError(
                    f"{alert_id} is {alert.severity}, and only CRITICAL alerts go a second way; acknowledge "
                    f"it by `responder alerts ack {alert_id}`"
                )
            return snoozed(alert, by=by, until=until_s)

        self._change(alert_id, after)

    def _escalates(self) -> bool:
        """Whether Recovery, as it is deployed, tells anything a second way; True where no region says."""
        try:
            variables = self._alerts.failover.ask(
                self._deployment.regions,
                lambda endpoints: self._deployment.environment(RECOVERY, endpoints.region),
            )
        except NoRegionAnswersError:
            return True
        return variables.get(variable("escalate_after_s")) != "0"

    def _change(self, alert_id: str, change: Callable[[Alert], Alert]) -> None:
        """Write what `change` makes of the row, if nobody has moved it since it was read; else again."""
        row = self._alerts.get(alert_id)
        if row is None:
            raise AcknowledgementError(f"{alert_id}: there is no such alert; Slack's message has its id")

        def written(ledger: DynamoLedger) -> bool:
            for _ in range(_TRIES):
                try:
                    alert = ledger.get(alert_id)
                except MalformedRowError as error:
                    raise AcknowledgementError(
                        f"{alert_id}: its row is malformed ({error}); correct it first"
                    ) from error
                if alert is None:
                    break
                _check_in_slack(alert)
                if resolved_since(alert, ledger):
                    raise AcknowledgementError(
                        f"{alert_id}: its fault is resolved, so there is nothing to acknowledge; if it fires "
                        "again, that is an alert of its own"
                    )
                if ledger.replace(alert, change(alert), actor=Actor.OPERATOR):
                    return True
            raise AcknowledgementError(f"{alert_id} is moved by others at the same time; try again")

        self._alerts.by_handlers_ledger(str(row.get("owner")), written)


def _check_in_slack(alert: Alert) -> None:
    if alert.status is Status.NOTIFIED:
        return
    if alert.status is Status.PARKED:
        why = f"it is PARKED; send it out by `responder parked redrive {alert.alert_id}`"
    elif alert.silence_id is not None:
        why = f"nobody was told of it, under the silence {alert.silence_id}; see `responder silence list`"
    elif alert.parent_id is not None:
        why = f"it repeats {alert.parent_id}; acknowledge that one"
    else:
        why = f"it is {alert.status}, and not in Slack yet; try again when it is"
    raise AcknowledgementError(f"{alert.alert_id}: {why}")
