"""What comes of a body that a person has: what reception would refuse or ignore of it, and its alerts."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clients.deployment import Deployment
from clients.ledger import ParkedAlerts, Row
from clients.receipts import BodyReceipt, Receipt, Unread, scan_receipts
from clients.rows import read_items
from handlers.adapters.aws.items import plain_of
from handlers.domain.alert import IncomingAlert
from handlers.domain.formats import parse
from handlers.domain.identity import body_hash_of, fault_key_of, identity_of
from handlers.domain.intake.alarms import alert_of_text
from handlers.domain.intake.heartbeats import heartbeat_of
from handlers.domain.refusal import RefusedError
from runbook.why.decision import Decision, Rule
from runbook.why.explanation import rows_of_fault
from runbook.why.search import ALERT_IDS, NO_ROW
from runbook.why.stack_rules import StackRules


@dataclass
class BodyOutcome:
    """What became of a body, or of a file of receipts.

    `decisions`: of the members that are no alerts, and of those that are but have no row. `rows`: of the
    others. `unknown`: what was not looked at.
    """

    decisions: list[Decision] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def outcome_of(
    deployment: Deployment,
    rules: StackRules | str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    limit: int = 5,
) -> BodyOutcome:
    """Read the body as reception does, and look for its first `limit` alerts by their faults.

    What the webhook refuses whole may have come as a text on the alarm topic.

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
        text = alert_of_text(body.decode(errors="replace"))
        outcome.rows = _rows_of(deployment, text, body_hash_of(body))
        outcome.decisions += [] if outcome.rows else [_refused("it", error)]
        return outcome
    for ignored in parsed.ignored:
        what = f"alert {ignored.index} of the body, as {parsed.format}, is none: {ignored.reason}"
        figures = {"index": ignored.index, "format": parsed.format, "reason": ignored.reason}
        outcome.decisions.append(
            Decision(rule=Rule.IGNORED, what=what, figures=figures, known_from="the body", decides=True)
        )
    outcome.decisions += [_refused(f"alert {one.index} of the body", one.error) for one in parsed.refused]
    for alert in parsed.alerts[:limit]:
        rows = _rows_of(deployment, alert, body_hash_of(body))
        outcome.rows += [row for row in rows if row not in outcome.rows]
        if not rows:
            outcome.decisions.append(_absent(alert, parsed.format))
    if len(parsed.alerts) > limit:
        outcome.unknown.append(
            f"the other {len(parsed.alerts) - limit} alerts of the body were not looked for: see --limit"
        )
    return outcome


def outcome_of_receipts(deployment: Deployment, file: Path, *, limit: int) -> BodyOutcome | None:
    """What became of the last `limit` alerts of a sender's receipts, and which of these are torn.

    None where the file has no whole receipt.

    Raises:
        ReceiptsError: the file cannot be read.
        LedgerUnreachableError: no region answers.
    """
    outcome, last, torn, alerts = BodyOutcome(), deque[Receipt](maxlen=limit), deque[Unread](maxlen=limit), 0
    for part in scan_receipts(file):
        if isinstance(part, Unread):
            torn.append(part)
            continue
        for receipt in part.alerts if isinstance(part, BodyReceipt) else [part]:
            last.append(receipt)
            alerts += 1
    if not alerts:
        return None
    ids = [receipt.alert_id for receipt in last]
    ids += [alert_id for part in torn for alert_id in ALERT_IDS.findall(part.why)]
    items = ParkedAlerts(deployment).ask_dynamodb(
        lambda dynamodb: read_items(dynamodb, deployment.alerts_table, [*dict.fromkeys(ids)])
    )
    outcome.rows = sorted(map(plain_of, items), key=lambda row: ids.index(row["alert_id"]))
    known = {row["alert_id"] for row in outcome.rows}
    told = [
        f"{one.alert_id} was answered 202 {one.status} by {one.region}, and {NO_ROW}"
        for one in last
        if one.alert_id not in known
    ]
    told += [f"{part.where}: {part.why}" for part in torn]
    outcome.decisions = [
        Decision(rule=Rule.RECEIPT, what=what, known_from="the receipts", decides=True) for what in told
    ]
    if alerts > limit:
        outcome.unknown.append(
            f"the {alerts - limit} alerts before them were not looked for: `responder audit --receipts FILE`"
        )
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
