"""What analysis, distribution and people decided about an alert, by its row and those of its incident."""

from collections.abc import Iterator
from datetime import UTC, datetime

from clients.ledger import Row
from handlers.domain.limits import MAX_ATTEMPTS, MAX_INCIDENT_ROWS
from runbook.history.listing import fits_matcher
from runbook.why.decision import Decision, Rule
from runbook.why.intake import Relatives
from runbook.why.stack_rules import StackRules
from topology.alerts import SINK, SYNTHETIC, FaultState, Severity, Status
from topology.routes import DEFAULT_ROUTE

_CONFIGURATION = "configuration"


def delivery_decisions(
    row: Row, beside: Relatives, rules: StackRules | None, *, now_s: int
) -> Iterator[Decision]:
    """In the order in which they are taken; `now_s` is in epoch seconds."""
    if row["format"] == SYNTHETIC:
        yield Decision(rule=Rule.SYNTHETIC, what="it only shows that the way is open: no model, no silence")
    yield from _silence(row, rules)
    if row["status"] == Status.SUPPRESSED:
        return
    if row["status"] != Status.RECEIVED:
        yield _route(row, rules)
        yield from _incident(row, beside, rules)
        yield _analysis(row)
    yield from _at_work(row, rules, now_s)
    yield from _told(row)
    yield from _by_people(row)


def _silence(row: Row, rules: StackRules | None) -> Iterator[Decision]:
    silence_id = row.get("silence_id")
    if not silence_id:
        return
    silence = rules.silences.get(silence_id) if rules else None
    what = f"silence {silence_id} covers it until {_time(row['silenced_until'])}"
    figures: dict[str, object] = {"silence_id": silence_id, "silenced_until": row["silenced_until"]}
    if silence is not None:
        by = f" by {silence.by}" if silence.by else ""
        what += f": {silence.matcher}, made{by} because {silence.reason!r}"
        figures |= {"matcher": str(silence.matcher), "by": silence.by, "reason": silence.reason}
    elif rules is not None:
        what += ", which is in no record any more"
    what += (
        "; once it ends, people are told if it still fires"
        if row.get("due_at")
        else "; it has ended, and people know how its fault stands"
    )
    yield Decision(
        rule=Rule.SILENCE,
        what=what,
        figures=figures,
        known_from=_CONFIGURATION if silence else "ledger",
        decides=row["status"] == Status.SUPPRESSED,
    )


def _route(row: Row, rules: StackRules | None) -> Decision:
    route = str(row.get("route") or DEFAULT_ROUTE)
    if row.get("unusable_route"):
        gone = row["unusable_route"]
        what = f"Slack took nothing by the address of route {gone}, so it went to the {DEFAULT_ROUTE} channel"
        return Decision(rule=Rule.UNUSABLE_ROUTE, what=what, figures={"route": gone})
    if route == SINK:
        return Decision(rule=Rule.ROUTE, what="the stack has no route for synthetic alerts: nobody is told")
    figures: dict[str, object] = {"route": route}
    if row.get("state") == FaultState.RESOLVED:
        what = f"it goes where the alert went that it resolves: route {route}"
    elif rules is None:
        what = f"route {route}"
    else:
        taker = next(
            (spec for spec in rules.routes if not spec.retired and fits_matcher(spec.match)(row)), None
        )
        if route != (taker.name if taker else DEFAULT_ROUTE):
            figures["by_now"] = taker.name if taker else DEFAULT_ROUTE
            what = f"route {route} took it; as configured now it would be {figures['by_now']}"
        elif taker is None:
            what = f"none of the {len(rules.routes)} routes takes it: the {DEFAULT_ROUTE} channel"
        else:
            what = f"route {route} is the first that takes it: {taker.match}"
            figures["matcher"] = str(taker.match)
    return Decision(rule=Rule.ROUTE, what=what, figures=figures, known_from=_CONFIGURATION)


def _incident(row: Row, beside: Relatives, rules: StackRules | None) -> Iterator[Decision]:
    incident_id = row.get("incident_id")
    if not incident_id:
        return
    count = len(beside.incident)
    more = " or more" if count >= MAX_INCIDENT_ROWS else ""
    figures: dict[str, object] = {"incident_id": incident_id, "alerts": count}
    if rules is not None:
        figures["window_s"] = rules.incident_window_s
    first = beside.incident[0].alert_id if beside.incident else None
    if not row.get("lead"):
        what = (
            f"it is told together with the {count}{more} alerts of its incident {incident_id}, not by itself"
        )
        held = row["status"] == Status.ANALYZED
        yield Decision(rule=Rule.INCIDENT, what=what, figures=figures, decides=held)
        return
    why = (
        "it is the first of it"
        if first == row["alert_id"]
        else "analysed first, or more severe than those before"
    )
    if row["severity"] == Severity.CRITICAL:
        why = "each CRITICAL one is"
    what = f"it is posted at once, as it leads its incident {incident_id} of {count}{more}: {why}"
    yield Decision(rule=Rule.INCIDENT, what=what, figures=figures)


def _analysis(row: Row) -> Decision:
    analysis = row.get("analysis")
    if not analysis:
        return Decision(rule=Rule.ANALYSIS, what=f"no analysis: {row.get('analysis_error') or 'not yet'}")
    how = "from the cache, by one of the same signature" if analysis.get("cached") else "by the model"
    left_out = analysis.get("left_out")
    what = f"analysed {how} ({analysis['model']})"
    what += f"; {left_out} sentences did not fit it and are left out" if left_out else ""
    return Decision(rule=Rule.ANALYSIS, what=what, figures={"model": analysis["model"]})


def _at_work(row: Row, rules: StackRules | None, now_s: int) -> Iterator[Decision]:
    status = row["status"]
    if status not in (Status.RECEIVED, Status.ANALYZED):
        return
    figures = {name: row[name] for name in ("attempts", "not_before", "due_at") if row.get(name) is not None}
    step = "its analysis" if status == Status.RECEIVED else "Slack"
    not_before, due_at = int(row.get("not_before") or 0), int(row.get("due_at") or 0)
    what = f"it is on its way: it waits for {step}"
    if row.get("lease_token") and due_at > now_s:
        what = f"a worker has it for {step}, until {_time(due_at)} at most"
    elif not_before > now_s:
        why = f"it waits for {step}"
        if rules is not None and rules.hold_back_s and _may_be_held_back(row):
            why = f"held back for its resolution ({rules.hold_back_s} s)"
        what = f"{why}, not before {_time(not_before)}"
    elif due_at and due_at <= now_s:
        what = f"it waits for {step} since {_time(due_at)}; Recovery takes it up, each minute"
    if row.get("attempts"):
        what += f"; tried {row['attempts']} times, of {MAX_ATTEMPTS}"
    held = status == Status.ANALYZED and row.get("incident_id") and not row.get("lead") and not_before > now_s
    yield Decision(rule=Rule.AT_WORK, what=what, figures=figures, decides=not held)


def _may_be_held_back(row: Row) -> bool:
    """Whether an alert that waits may do so for its resolution: it fires, and nobody has tried it yet."""
    return (
        row["status"] == Status.RECEIVED
        and row["severity"] != Severity.CRITICAL
        and row.get("state") != FaultState.RESOLVED
        and not row.get("attempts")
    )


def _told(row: Row) -> Iterator[Decision]:
    at_ms = row.get("notified_at_ms")
    if at_ms:
        took_s = (int(at_ms) - int(row["accepted_at_ms"])) / 1_000
        figures: dict[str, object] = {"after_s": took_s}
        what = f"Slack took it {took_s:.1f} s after it was accepted"
        rule = Rule.SLACK
        if row.get("route") == SINK:
            what = f"it came through {took_s:.1f} s after it was accepted, and was posted nowhere"
        elif row.get("digest_id"):
            rule, what = Rule.DIGEST, f"{what}, in a message with others: digest {row['digest_id']}"
            figures["digest_id"] = row["digest_id"]
        yield Decision(rule=rule, what=what, at_ms=int(at_ms), figures=figures, decides=True)
    for cause, times in (row.get("possible_duplicates") or {}).items():
        what = f"people may have been told {times} times more than is known: {cause}"
        yield Decision(rule=Rule.DUPLICATE, what=what, figures={"cause": cause, "times": times})
    if row["status"] == Status.PARKED:
        after = f"; {row['successor_id']} goes out in its place" if row.get("successor_id") else ""
        yield Decision(
            rule=Rule.PARKED,
            what=f"it could not be delivered: {row.get('parked_reason')}{after}",
            figures={"parked_reason": row.get("parked_reason")},
            decides=True,
        )


def _by_people(row: Row) -> Iterator[Decision]:
    if row.get("acknowledged_at"):
        yield Decision(
            rule=Rule.ACKNOWLEDGED,
            what=f"{row['acknowledged_by']} acknowledged it",
            at_ms=int(row["acknowledged_at"]) * 1_000,
        )
    if row.get("escalated_at"):
        what = "it went a second way, since nobody had acknowledged it"
        yield Decision(rule=Rule.SECOND_WAY, what=what, at_ms=int(row["escalated_at"]) * 1_000)
    elif row.get("escalate_at"):
        snoozed = f", put off by {row['snoozed_by']}" if row.get("snoozed_by") else ""
        what = f"it goes a second way at {_time(row['escalate_at'])}{snoozed}, unless it is acknowledged"
        yield Decision(rule=Rule.SECOND_WAY, what=what, figures={"escalate_at": row["escalate_at"]})


def _time(at_s: object) -> str:
    return datetime.fromtimestamp(int(str(at_s)), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
