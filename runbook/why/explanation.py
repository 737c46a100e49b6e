"""What became of one alert: where it stands, which rule decided it, and its whole history in time order."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clients.coordination import CoordinationRecords, CoordinationUnreachableError
from clients.deployment import Deployment
from clients.ledger import ParkedAlerts, Row
from clients.rows import read_items
from handlers.adapters.aws.items import plain_of
from handlers.domain.limits import MAX_FOLDED_COUNTED, MAX_INCIDENT_ROWS
from runbook.redaction import row_without_secrets
from runbook.why.decision import Decision, Rule
from runbook.why.delivery import delivery_decisions
from runbook.why.intake import Relatives, intake_decisions
from runbook.why.logged import ACCEPTED, Logged, decision_of, lines_of_alert
from runbook.why.stack_rules import StackRules, read_rules
from topology.alerts import Status
from topology.records import fault_record
from topology.tables import FAULT_INDEX

FAULT_ALERTS_MAX: Final = 20
"""Of a fault that are looked at for what was told before."""

_BEFORE_MS: Final = 10_000
_AFTER_MS: Final = 3_600_000
"""Around an alert's life its lines are looked for: a clock may be ahead, and a wake-up may come late."""


@dataclass(frozen=True)
class Explanation:
    """What became of an alert. `decisions`: in time order, those without a time where they belong.

    What its sender wrote is redacted in all of it. `unknown`: what could not be read, and why. `rows_beside`:
    of other alerts, that were read or counted for it.
    """

    row: Row
    decisions: tuple[Decision, ...]
    unknown: tuple[str, ...] = ()
    rows_beside: int = 0

    @property
    def decided_by(self) -> Decision:
        """The decision by which the alert stands where it does."""
        return next((one for one in reversed(self.decisions) if one.decides), self.decisions[-1])


@dataclass
class Explainer:
    """Explains the alerts of a stack; its configuration is read once. `clock` tells epoch seconds."""

    deployment: Deployment
    clock: Callable[[], float] = time.time
    rules: StackRules | str = field(init=False)

    def __post_init__(self) -> None:
        """Read the rules."""
        self.rules = read_rules(self.deployment)

    def explain(self, row: Row) -> Explanation:
        """What became of the alert of this row.

        Raises:
            LedgerUnreachableError: no region answers.
        """
        rules = None if isinstance(self.rules, str) else self.rules
        unknown = [self.rules] if isinstance(self.rules, str) else []
        now_s = int(self.clock())
        beside = self._relatives(row, unknown)
        decided = [
            *intake_decisions(row, beside, rules),
            *delivery_decisions(row, beside, rules, now_s=now_s),
        ]
        logged = self._logged(row, now_ms=now_s * 1_000)
        return Explanation(
            row_without_secrets(row),
            tuple(decision.without_secrets() for decision in _in_order(decided, logged)),
            (*unknown, *logged.unknown),
            len(beside.fault) + len(beside.incident) + beside.children + (beside.parent is not None),
        )

    def _logged(self, row: Row, *, now_ms: int) -> Logged:
        accepted_ms = int(row["accepted_at_ms"])
        ends = [int(row.get("notified_at_ms") or 0), accepted_ms]
        later = ("acknowledged_at", "escalated_at", "silenced_until")
        ends += [int(row.get(name) or 0) * 1_000 for name in later]
        at_rest = row["status"] in (Status.NOTIFIED, Status.SUPPRESSED) and not row.get("open_key")
        until_ms = max(ends) + _AFTER_MS if at_rest else now_ms + _AFTER_MS
        return lines_of_alert(
            self.deployment, row["alert_id"], since_ms=accepted_ms - _BEFORE_MS, until_ms=until_ms
        )

    def _relatives(self, row: Row, unknown: list[str]) -> Relatives:
        alerts, owner = ParkedAlerts(self.deployment), str(row["owner"])
        fault_key, incident_id = row.get("fault_key"), row.get("incident_id")
        incident = (
            alerts.by_handlers_ledger(
                owner, lambda ledger: ledger.incident(str(incident_id), limit=MAX_INCIDENT_ROWS)
            )
            if incident_id
            else ()
        )
        return Relatives(
            parent=alerts.get(row["parent_id"]) if row.get("parent_id") else None,
            fault=tuple(
                one
                for one in (self._of_fault(alerts, str(fault_key)) if fault_key else ())
                if one["alert_id"] != row["alert_id"]
            ),
            children=alerts.by_handlers_ledger(
                owner, lambda ledger: ledger.count_children(row["alert_id"], limit=MAX_FOLDED_COUNTED)
            ),
            changes=self._changes(str(row["region"]), str(fault_key), unknown),
            incident=tuple(incident),
        )

    def _of_fault(self, alerts: ParkedAlerts, fault_key: str) -> list[Row]:
        return alerts.ask_dynamodb(lambda dynamodb: rows_of_fault(dynamodb, self.deployment, fault_key))

    def _changes(self, region: str, fault_key: str, unknown: list[str]) -> tuple[int, ...]:
        try:
            record = CoordinationRecords(self.deployment, region).read(fault_record(fault_key))
        except CoordinationUnreachableError as error:
            unknown.append(str(error))
            return (0,)
        values = record.values if record else {}
        return tuple(dict.fromkeys((0, int(values.get("change", 0)), int(values.get("before", 0)))))


def rows_of_fault(dynamodb: Any, deployment: Deployment, fault_key: str) -> list[Row]:
    """The last `FAULT_ALERTS_MAX` alerts of a fault, the latest first.

    Raises:
        LedgerUnreachableError: the table kept leaving rows unread.
        botocore.exceptions.ClientError, BotoCoreError: the region does not answer, or refuses.
    """
    items = dynamodb.query(
        TableName=deployment.alerts_table,
        IndexName=FAULT_INDEX.name,
        KeyConditionExpression="fault_key = :key",
        ExpressionAttributeValues={":key": {"S": fault_key}},
        ProjectionExpression="alert_id",
        ScanIndexForward=False,
        Limit=FAULT_ALERTS_MAX,
    )["Items"]
    ids = [item["alert_id"]["S"] for item in items]
    rows = map(plain_of, read_items(dynamodb, deployment.alerts_table, ids))
    return sorted(rows, key=lambda row: int(row["accepted_at_ms"]), reverse=True)


def _in_order(decided: Sequence[Decision], logged: Logged) -> tuple[Decision, ...]:
    """All decisions by their times; one without a time follows the one that it was taken after.

    A sender's retry has no row of its own: the log has it.
    """
    at_ms, timed = 0, []
    for decision in decided:
        at_ms = decision.at_ms or at_ms
        timed.append((at_ms, decision))
    accepted = [line for line in logged.lines if (line.fields or {}).get("message") in ACCEPTED]
    for line in logged.lines:
        decision = decision_of(line)
        if line in accepted[1:]:
            what = "the same bytes came once more: answered with this row, and nothing written"
            decision = Decision(
                rule=Rule.SAME_BYTES,
                what=what,
                at_ms=line.at_ms,
                figures=decision.figures,
                known_from=decision.known_from,
            )
        timed.append((line.at_ms, decision))
    return tuple(decision for _, decision in sorted(timed, key=lambda pair: pair[0]))
