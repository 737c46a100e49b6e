"""Bugs in what becomes of a source's alerts above its quota."""

from typing import Any, Final

from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.delivery import distribution
from handlers.domain.delivery.messages import notification_of
from handlers.domain.intake import drafts, reception
from handlers.domain.intake.quotas import Quotas
from handlers.domain.intake.reception import Reception
from handlers.domain.states import suppressed
from simulator.mutants.mutant import mutant
from topology.alerts import Severity

_excess = Quotas.excess
_fold_of = Quotas.fold_of
_folds = Reception._folds
_repeat = Reception._repeat


def _dropped(self: Reception, draft: Any, earlier: Any, until_ms: int) -> Any:
    """What is above the quota is answered 202, and kept nowhere."""
    if earlier.folds:
        return drafts.Placed(draft=draft, row=reception._folded(draft.row, earlier.family))
    return _repeat(self, draft, earlier, until_ms)


def _never_due(self: Quotas, row: Alert) -> Alert:
    """The fold rests from the start, as if it repeated itself."""
    fold = _fold_of(self, row)
    return replace(suppressed(fold, due_at=None), parent_id=fold.alert_id)


def _critical_too(self: Reception, drafts: Any, until_ms: int) -> Any:
    """The most severe ones count, and are folded, as all others."""
    lowered = [
        replace(draft, row=replace(draft.row, severity=Severity.INFO))
        if draft.row.severity is Severity.CRITICAL
        else draft
        for draft in drafts
    ]
    return _folds(self, lowered, until_ms)


def _of_all(self: Quotas, _source: str, number: int, *, at_ms: int) -> int:
    """All sources share one quota."""
    return _excess(self, "all", number, at_ms=at_ms)


def _never_reset(self: Quotas, source: str, number: int, *, at_ms: int) -> int:
    """A minute never ends."""
    return _excess(self, source, number, at_ms=at_ms // 10**12)


def _one_more(alert: Alert, *, folded: int = 0, **_: Any) -> Any:
    """A fold tells of more than there are."""
    return notification_of(alert, folded=folded + 1)


MUTANTS: Final = (
    mutant("excess-dropped", "what is above a quota is not kept", (Reception, "_repeat", _dropped)),
    mutant("fold-silent", "the fold is never posted", (Quotas, "fold_of", _never_due)),
    mutant("critical-folded", "CRITICAL alerts are folded too", (Reception, "_folds", _critical_too)),
    mutant("quota-shared", "one source uses up the quota of all", (Quotas, "excess", _of_all)),
    mutant("quota-for-ever", "a source's count is never begun anew", (Quotas, "excess", _never_reset)),
    mutant("fold-miscounts", "a fold tells of one too many", (distribution, "notification_of", _one_more)),
)
