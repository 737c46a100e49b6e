"""What reception decided about an alert, by its row and those beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clients.ledger import Row
from handlers.domain.formats import FORMATS
from handlers.domain.identity import alert_id_of
from handlers.domain.intake.alarms import TEXT_FORMAT
from handlers.domain.intake.rows import NAMELESS
from runbook.why.decision import Decision, Rule
from runbook.why.stack_rules import StackRules
from topology.alerts import FaultState, Severity, Status

_SAME: Final = ("severity", "title", "message", "component", "host", "started_at", "labels")


@dataclass(frozen=True, kw_only=True)
class Relatives:
    """The rows beside an alert's own: what it repeats, others of its fault, how many are below it.

    `fault`: the latest alerts of its fault, itself not among them. `changes`: the numbers of the last changes
    of its fault's state that are on record. `incident`: what the index shows of its incident, those accepted
    first.
    """

    parent: Row | None = None
    fault: tuple[Row, ...] = ()
    children: int = 0
    changes: tuple[int, ...] = (0,)
    incident: tuple[Any, ...] = ()


def intake_decisions(row: Row, beside: Relatives, rules: StackRules | None) -> Iterator[Decision]:
    """In the order in which reception takes them."""
    at_ms = int(row["accepted_at_ms"])
    yield Decision(
        rule=Rule.ACCEPTED,
        what=f"{row['region']} took it in as {row['format']}",
        at_ms=at_ms,
        figures={"format": row["format"], "region": row["region"], "source": row["source"]},
    )
    yield from _as_understood(row, rules)
    if row.get("folds"):
        yield Decision(
            rule=Rule.QUOTA,
            what=f"it stands for {beside.children} alerts of {row['source']} above the quota of a minute, "
            f"which have parent_id {row['alert_id']}",
            at_ms=at_ms,
            figures={"folded": beside.children, **_quota(rules)},
        )
    elif row.get("parent_id"):
        yield _as_child(row, beside, rules)
    else:
        yield from _as_another(row, beside)
        if beside.children:
            yield Decision(
                rule=Rule.REPEAT,
                what=f"{beside.children} alerts repeat it, each under an id that begins with its own",
                figures={"repeats": beside.children},
            )


def _as_understood(row: Row, rules: StackRules | None) -> Iterator[Decision]:
    """What was made of the body's words."""
    formats = (*FORMATS, *(rules.sources if rules else ()))
    known_by = {spec.name: spec.identity.event_id for spec in formats} | {TEXT_FORMAT: "its text"}
    if row["format"] in known_by:
        yield Decision(
            rule=Rule.IDENTITY,
            what=f"the same of {row['format']} is known by: {known_by[row['format']]}",
            figures={"identity": row["identity"], "fault_key": row.get("fault_key")},
        )
    if row["format"] == row["source"] and row["title"].endswith("of one body could not be taken"):
        yield Decision(rule=Rule.REFUSED, what=f"it tells of members that were refused: {row['message']}")
    if row.get("state") == FaultState.RESOLVED:
        yield Decision(
            rule=Rule.RESOLUTION, what=f"it resolves its fault, so it asks nobody to act: {Severity.INFO}"
        )
    elif row.get("severity_word"):
        yield Decision(
            rule=Rule.SEVERITY,
            what=f"its word for the severity, {row['severity_word']}, is not known, so it is the default, "
            f"{row['severity']}",
            figures={"word": row["severity_word"]},
        )
    mended = [str(text) for text in row.get("mended") or ()]
    if row["format"] == TEXT_FORMAT:
        mended.append("what came on the alarm topic was no alarm of a known form, so its text is the alert")
    if NAMELESS in row.get("labels", {}):
        mended.append(f"a label without a name is kept as {NAMELESS}")
    yield from (Decision(rule=Rule.MENDED, what=text) for text in mended)
    if row.get("raw_truncated"):
        yield Decision(rule=Rule.MENDED, what="its part of the body is longer than a row holds, and was cut")
    if row.get("left_out"):
        yield Decision(
            rule=Rule.LEFT_OUT,
            what=f"its sender left out {row['left_out']} more alerts of the group, which never came",
            figures={"left_out": row["left_out"]},
        )


def _as_child(row: Row, beside: Relatives, rules: StackRules | None) -> Decision:
    """Why it is below another, and whether it rests there."""
    parent, at_ms = beside.parent, int(row["accepted_at_ms"])
    figures: dict[str, object] = {"parent_id": row["parent_id"]}
    if parent is not None:
        figures["parent_status"] = parent["status"]
        figures["after_s"] = (at_ms - int(parent["accepted_at_ms"])) // 1_000
    if row.get("folded"):
        figures |= _quota(rules)
        quota = _of(figures, "per_minute", " of {} a minute")
        what = (
            f"{row['source']} was above its quota{quota}: it is folded below {row['parent_id']}, which tells "
        )
        what += "of it by number"
        return Decision(rule=Rule.QUOTA, what=what, at_ms=at_ms, figures=figures, decides=True)
    if parent is not None and rules is not None:
        figures["window_s"] = _window_s(parent, beside, rules)
    what = f"it repeats {row['parent_id']}"
    what += _of(figures, "after_s", ", {} s after it") + _of(
        figures, "window_s", ", within its window of {} s"
    )
    if row["status"] == Status.SUPPRESSED and not row.get("silence_id"):
        what += _of(figures, "parent_status", "; that one is {}, so people are told by it")
        return Decision(rule=Rule.REPEAT, what=what, at_ms=at_ms, figures=figures, decides=True)
    if parent is not None and (
        parent["status"] == Status.PARKED or parent.get("successor_id") == row["alert_id"]
    ):
        what += "; that one was PARKED, so this one goes out in its place"
        return Decision(rule=Rule.PARENT_PARKED, what=what, figures=figures)
    what += "; it was promoted: its fault had changed state between, or what kept it back was over"
    return Decision(rule=Rule.STATE_CHANGE, what=what, figures=figures)


def _as_another(row: Row, beside: Relatives) -> Iterator[Decision]:
    """Why it is no repeat of the alert that its fault had before."""
    earlier = [one for one in beside.fault if _order(one) < _order(row)]
    if not earlier:
        return
    before = max(earlier, key=_order)
    after_s = (int(row["accepted_at_ms"]) - int(before["accepted_at_ms"])) // 1_000
    figures = {"before": before["alert_id"], "after_s": after_s, "state_before": before.get("state")}
    if before.get("state") != row.get("state"):
        yield Decision(
            rule=Rule.STATE_CHANGE,
            what=f"its fault was {before.get('state')} by {before['alert_id']}, {after_s} s before, and is "
            f"{row.get('state')} by this one: each change is told",
            figures=figures,
        )
        return
    between = "its time window was over, or its fault had changed state between"
    if before.get("identity") != row.get("identity"):
        other = [name for name in _SAME if before.get(name) != row.get(name)]
        between = f"the two are no copies: {', '.join(other) or 'status or times'} differ"
    yield Decision(
        rule=Rule.IDENTITY,
        what=f"it is another alert of the fault of {before['alert_id']}, {after_s} s after it: {between}",
        figures=figures,
    )


def _window_s(parent: Row, beside: Relatives, rules: StackRules) -> object:
    """The window that the parent's id was made with; both where that cannot be told."""
    for window_s in (rules.event_window_s, rules.content_window_s):
        for change in beside.changes:
            made = alert_id_of(
                parent["identity"], at_ms=int(parent["accepted_at_ms"]), window_s=window_s, change=change
            )
            if made == parent["alert_id"]:
                return window_s
    return f"{rules.event_window_s} (with an event id) or {rules.content_window_s}"


def _quota(rules: StackRules | None) -> Mapping[str, object]:
    return {"per_minute": rules.quota_per_minute} if rules else {}


def _order(row: Row) -> tuple[int, int, str]:
    return int(row.get("changed_at_ms") or row["accepted_at_ms"]), int(row["accepted_at_ms"]), row["alert_id"]


def _of(figures: Mapping[str, object], name: str, text: str) -> str:
    """The text with a figure in it; nothing where that is unknown."""
    return text.format(figures[name]) if figures.get(name) is not None else ""
