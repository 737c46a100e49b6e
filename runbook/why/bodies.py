"""What comes of a body that a person has: what reception would refuse or ignore of it, and its alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from clients.deployment import Deployment
from clients.ledger import ParkedAlerts, Row
from handlers.domain.alert import IncomingAlert
from handlers.domain.formats import parse
from handlers.domain.identity import body_hash_of, fault_key_of, identity_of
from handlers.domain.intake.heartbeats import heartbeat_of
from handlers.domain.refusal import RefusedError
from runbook.why.decision import Decision, Rule
from runbook.why.explanation import rows_of_fault
from runbook.why.stack_rules import StackRules


@dataclass
class BodyOutcome:
    """What became of a body.

    `decisions`: of the members that are no alerts, and of those that are but have no row. `rows`: of the
    others.
    """

    decisions: list[Decision] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


def outcome_of(
    deployment: Deployment, rules: StackRules | str, body: bytes, headers: Mapping[str, str]
) -> BodyOutcome:
    """Read the body as reception does, and look for its alerts by their faults.

    Raises:
        LedgerUnreachableError: no region answers.
    """
    known = None if isinstance(rules, str) else rules
    outcome = BodyOutcome()
    try:
        parsed = parse(
            body,
            headers,
            sources=known.sources if known else (),
            heartbeat_of=lambda alert: heartbeat_of(known.heartbeats if known else (), alert),
        )
    except RefusedError as error:
        outcome.decisions.append(_refused("it", error))
        return outcome
    for ignored in parsed.ignored:
        what = f"alert {ignored.index} of the body, as {parsed.format}, is none: {ignored.reason}"
        figures = {"index": ignored.index, "format": parsed.format, "reason": ignored.reason}
        outcome.decisions.append(
            Decision(rule=Rule.IGNORED, what=what, figures=figures, known_from="the body", decides=True)
        )
    outcome.decisions += [_refused(f"alert {one.index} of the body", one.error) for one in parsed.refused]
    for alert in parsed.alerts:
        rows = _rows_of(deployment, alert, body_hash_of(body))
        outcome.rows += rows
        if not rows:
            outcome.decisions.append(_absent(alert, parsed.format))
    return outcome


def _rows_of(deployment: Deployment, alert: IncomingAlert, body_hash: str) -> list[Row]:
    """Those of just these bytes; else those that are the same alert; else the last of its fault."""
    rows = ParkedAlerts(deployment).ask_dynamodb(
        lambda dynamodb: rows_of_fault(dynamodb, deployment, fault_key_of(alert))
    )
    identity = identity_of(alert)
    return (
        [row for row in rows if row.get("body_hash") == body_hash]
        or [row for row in rows if row["identity"] == identity]
        or rows[:1]
    )


def _refused(what: str, error: RefusedError) -> Decision:
    where = f" at {error.field}" if error.field else ""
    return Decision(
        rule=Rule.REFUSED,
        what=f"{what} is refused, {error.http_status} {error.code}{where}: {error.hint}",
        figures={"error": error.code, "field": error.field, "format": error.body_format},
        known_from="the body",
        decides=True,
    )


def _absent(alert: IncomingAlert, body_format: str) -> Decision:
    return Decision(
        rule=Rule.ACCEPTED,
        what=f"alert {alert.index} of the body would be taken as {body_format}, and no alert of its fault is "
        "in the ledger: it never came, was answered an error, or is older than what is kept",
        figures={"index": alert.index, "format": body_format, "fault_key": fault_key_of(alert)},
        known_from="the body",
    )
