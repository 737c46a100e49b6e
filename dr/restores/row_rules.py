"""The rules that each row of the ledger keeps; a repair asks whether the pipeline can have written one.

Most are the handlers' own (`handlers.domain.states.contradictions`). A bad writer keeps no rules: an alert
that it takes out of the open index, or puts off for ever, looks as if it had moved on, and nobody would
process it.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from dr.restores.table_items import wire
from handlers.adapters.aws.items import plain_of
from handlers.domain.alert import Alert
from handlers.domain.states import contradictions
from topology.alerts import Status

DUE_WITHIN_S: Final = 3 * 3_600
"""Nothing is put off for longer: the longest deferral and the longest lease are an hour each."""

Item = Mapping[str, Any]
"""A row in DynamoDB's JSON."""


def breaches(row: Item, *, regions: Collection[str], now_s: float) -> tuple[str, ...]:
    """The rules that a row breaks; `regions` are those of the stack.

    What no rule can tell: text that was forged as a whole, and a NOTIFIED row with all of its marks.
    """
    try:
        alert = msgspec.convert(plain_of(wire(row)), Alert)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        return (f"no handler can read it: {error}",)
    status, sent_on = alert.status, alert.status in {Status.ANALYZED, Status.NOTIFIED}
    broken = {
        "its owner is no region of the stack": alert.owner not in regions,
        "its due_at is too far away": alert.due_at is not None and alert.due_at > now_s + DUE_WITHIN_S,
        "it does not say when people were notified": status is Status.NOTIFIED
        and alert.notified_at_ms is None,
        "it has neither an analysis nor a reason why not": sent_on
        and alert.analysis is None
        and alert.analysis_error is None,
        "it has no parent": status is Status.SUPPRESSED and alert.parent_id is None,
    }
    return (*contradictions(alert), *(rule for rule, is_broken in broken.items() if is_broken))


def number(row: Item | None, name: str) -> int | None:
    """A number of a row; None where there is none."""
    value = (row or {}).get(name)
    try:
        return int(float(value["N"])) if value is not None else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
