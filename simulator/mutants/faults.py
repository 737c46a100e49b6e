"""Bugs in what becomes of a fault's state, of the members of a group, and of a sender's retry."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from handlers.domain import formats
from handlers.domain.alert import Alert, IncomingAlert
from handlers.domain.formats import ParseResult, parse
from handlers.domain.identity import identity_of
from handlers.domain.intake import drafts, reception, webhook
from handlers.domain.intake.faults import Faults
from handlers.domain.regions.fault_changes import FaultChanges
from handlers.domain.regions.ownership import MovingOwnership
from handlers.domain.states import repeat_looked_at
from simulator.mutants.mutant import mutant
from topology.alerts import Severity

_last_change = Faults.last_change


def _after(self: Any, change: int) -> Any:
    """The id is the same before and after a change."""
    return replace(self, last_change=change)


def _unrecorded(self: Faults, change: Any, known: Any, **of: Any) -> Any:
    """A change is seen and not written down."""
    recorded = known.values.get("change", 0) if known else 0
    if (change.state == "resolved") == bool(recorded % 2):
        return _last_change(self, change, known, **of)
    return recorded + 1, known


def _unknown(_self: Faults, _changes: Any) -> dict[str, Any]:
    """Nobody asks what was recorded."""
    return {}


def _rests(_self: FaultChanges, alert: Alert, _view: Any, **_: Any) -> Alert:
    """A SUPPRESSED alert is a repeat, whatever its fault did."""
    return repeat_looked_at(alert, due_at=None)


def _up_to_the_first_refused(body: bytes, headers: Mapping[str, str], **known: Any) -> ParseResult:
    """What stands behind a member that cannot be taken is lost with it."""
    parsed = parse(body, headers, **known)
    first = min((member.index for member in parsed.refused), default=1 << 30)
    kept = [alert for alert in parsed.alerts if alert.index < first or alert is parsed.alerts[-1]]
    return replace(parsed, alerts=tuple(kept))


def _all_or_nothing(body: bytes, headers: Mapping[str, str], **known: Any) -> ParseResult:
    """One member that cannot be taken has the whole body refused."""
    parsed = parse(body, headers, **known)
    if parsed.refused:
        raise parsed.refused[0].error
    return parsed


def _never_a_retry(_self: Any, _row: Alert, *, within_s: float) -> bool:
    """The same bytes once more are a repeat."""
    del within_s
    return False


def _whatever_its_severity(alert: IncomingAlert) -> str:
    """A warning that becomes critical repeats itself."""
    return identity_of(replace(alert, severity=Severity.INFO))


_read = MovingOwnership._read


def _seen(self: MovingOwnership, now_ms: int) -> Any:
    """The other region's rows are taken to be here."""
    record, view = _read(self, now_ms)
    return record, replace(view, seen_through_ms=1 << 62)


MUTANTS: Final = (
    mutant(
        "escalation-repeats",
        "what is worse now is a repeat of what was not so bad",
        (reception, "identity_of", _whatever_its_severity),
    ),
    mutant(
        "changes-uncounted",
        "an outage after a recovery repeats the first",
        (drafts.Draft, "after", _after),
    ),
    mutant("change-unrecorded", "a recovery is not written down", (Faults, "last_change", _unrecorded)),
    mutant("record-unread", "nobody reads what was written down", (Faults, "known", _unknown)),
    mutant(
        "recovery-unknown",
        "a recovery is not known for one",
        (formats, "is_resolution", lambda _status: False),
    ),
    mutant(
        "repeat-believed",
        "a change that was accepted elsewhere is never looked for",
        (FaultChanges, "after", _rests),
        consistency="eventual",
    ),
    mutant(
        "looked-at-too-soon",
        "a repeat rests before the other region's rows are here",
        (MovingOwnership, "_read", _seen),
        consistency="eventual",
    ),
    mutant(
        "members-cut-off",
        "what stands behind a refused member is lost",
        (webhook, "parse", _up_to_the_first_refused),
    ),
    mutant("group-refused", "one bad member has all refused", (webhook, "parse", _all_or_nothing)),
    mutant("retry-repeats", "a retry makes repeats", (drafts.Earlier, "is_retried_by", _never_a_retry)),
)
