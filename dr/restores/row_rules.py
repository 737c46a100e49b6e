"""What a row of the ledger looks like in each status; a verdict asks whether the pipeline wrote one.

The handlers keep these rules in `handlers.domain.states`, which dr does not import; a test has rows of
every state made there and finds nothing in them here. A bad writer keeps no rules: an alert that it takes out
of its key or puts off for ever looks as if it had moved on, and nobody would ever see to it.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from audit.outcome import AT_REST
from topology.alerts import Severity

OPEN: Final = frozenset({"RECEIVED", "ANALYZED"})
STATES: Final = OPEN | AT_REST

FIXED: Final = (
    "alert_id", "severity", "timestamp", "created_at", "accepted_at_ms", "region", "format", "source",
    "title", "message", "component", "host", "link", "started_at", "labels", "identity", "body_hash",
    "parent_id", "raw", "raw_truncated",
)  # fmt: skip
"""What nothing in the pipeline changes after an alert is accepted (docs/architecture.md, The ledger)."""

ALWAYS: Final = (
    "alert_id", "severity", "timestamp", "created_at", "accepted_at_ms", "region", "owner", "format",
    "source", "title", "message", "identity", "raw",
)  # fmt: skip
"""What each row has."""

DUE_WITHIN_S: Final = 3 * 3_600
"""Nothing is put off for longer: the longest deferral and the longest lease are an hour each."""

_NOTIFIED_ONLY: Final = ("notified_at_ms", "digest_id", "slack_ref")
_AT_WORK_ONLY: Final = ("lease_token", "not_before")
_FOLLOW_UPS: Final = frozenset({"WANTED", "READY"})

Item = Mapping[str, Any]
"""A row in DynamoDB's JSON."""


def breaches(row: Item, *, regions: Collection[str], now_s: float) -> tuple[str, ...]:
    """What the pipeline never leaves a row like, and this one is. `regions`: those of the stack.

    What no rule can tell: text that was forged as a whole, and a NOTIFIED row with all of its marks.
    """
    status = _text(row, "status")
    if status not in STATES:
        return (f"there is no status {status or 'like that'}",)
    lacking = [name for name in ALWAYS if name not in row]
    if lacking:
        return (f"it lacks {', '.join(lacking)}",)
    key, due_at = _open_key(row, status), number(row, "due_at")
    at_work = status in OPEN or (status == "NOTIFIED" and "follow_up" in row)
    expires = status in {"NOTIFIED", "SUPPRESSED"}
    rules = {
        "its owner is no region of the stack": _text(row, "owner") in regions,
        "there is no severity like that": _text(row, "severity") in list(Severity),
        f"open_key is not {key or 'absent'}": row.get("open_key") == ({"S": key} if key else None),
        "due_at is there, or is not, against its key": (key is None) == ("due_at" not in row),
        "due_at is no time, or too far away": key is None
        or (due_at is not None and due_at <= now_s + DUE_WITHIN_S),
        "it is leased or deferred, and nobody is to work on it": at_work
        or not any(name in row for name in _AT_WORK_ONLY),
        "expires_at is there, or is not, against its status": ("expires_at" in row) == expires,
        "parked_reason is there, or is not, against its status": ("parked_reason" in row)
        == (status == "PARKED"),
        "it says that people were told, and is not NOTIFIED": status == "NOTIFIED"
        or not any(name in row for name in _NOTIFIED_ONLY),
        "it does not say when people were told": status != "NOTIFIED"
        or number(row, "notified_at_ms") is not None,
        "it has neither an analysis nor a reason why not": status not in {"ANALYZED", "NOTIFIED"}
        or "analysis" in row
        or "analysis_error" in row,
        "it repeats no alert": status != "SUPPRESSED" or "parent_id" in row,
        "its follow-up is none": "follow_up" not in row
        or (status in {"ANALYZED", "NOTIFIED"} and _text(row, "follow_up") in _FOLLOW_UPS),
    }
    return tuple(rule for rule, kept in rules.items() if not kept)


def number(row: Item | None, name: str) -> int | None:
    """A number of a row; None where there is none."""
    value = (row or {}).get(name)
    try:
        return int(float(value["N"])) if value is not None else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _open_key(row: Item, status: str) -> str | None:
    """The key of the open index that it belongs under."""
    owner = _text(row, "owner")
    if status in OPEN:
        return f"{owner}#{_text(row, 'severity')}"
    if status == "PARKED":
        return f"{owner}#PARKED"
    return f"{owner}#FOLLOW_UP" if status == "NOTIFIED" and "follow_up" in row else None


def _text(row: Item, name: str) -> str:
    value = row.get(name, {}).get("S")
    return value if isinstance(value, str) else ""
