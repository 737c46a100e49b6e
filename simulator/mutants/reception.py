"""Bugs in what is promised to a source, and in what becomes of repeats."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, Final

from msgspec.structs import replace

from handlers.domain.intake import drafts, reception
from handlers.domain.intake.reception import Reception
from handlers.domain.ports import LedgerUnavailableError, QueueSendError
from handlers.domain.regions.recovery import Recovery
from handlers.domain.states import suppressed
from simulator.mutants.mutant import mutant
from topology.alerts import Status

_created = Reception._created
_repeat = Reception._repeat


def _random_identity() -> Callable[[Any], str]:
    numbers = count()
    return lambda _alert: f"{next(numbers):064x}"


def _accepted_unwritten(self: Reception, draft: Any, row: Any, until_ms: int) -> Any:
    try:
        return _created(self, draft, row, until_ms)
    except LedgerUnavailableError:
        return None


def _wake_up_before_row(self: Reception, draft: Any, row: Any, until_ms: int) -> Any:
    with suppress(QueueSendError):
        self.queue_sender.send(draft.row.queue, [draft.row])
    return _created(self, draft, row, until_ms)


def _child_suppressed(self: Reception, draft: Any, earlier: Any, until_ms: int) -> Any:
    """A repeat is SUPPRESSED, whatever its parent's status is."""
    if earlier.folds:
        return _repeat(self, draft, earlier, until_ms)
    child = replace(
        draft.row, alert_id=f"{earlier.family}.{self.randomness.hex(8)}", parent_id=earlier.family
    )
    child = suppressed(child, due_at=child.timestamp + 60)
    self.ledger.create(child, actor=self.actor)
    return drafts.Placed(draft=draft, row=child)


def _child_dropped(self: Reception, draft: Any, earlier: Any, until_ms: int) -> Any:
    """A repeat gets an id in the answer, and no row."""
    if earlier.folds:
        return _repeat(self, draft, earlier, until_ms)
    child = replace(draft.row, alert_id=f"{earlier.family}.0badc0de", status=Status.SUPPRESSED)
    return drafts.Placed(draft=draft, row=child)


def _no_successor(_self: Recovery, _family: str) -> None:
    """Nobody goes out in the place of a PARKED alert."""


MUTANTS: Final = (
    mutant("random-id", "the id is no function of the alert", (reception, "identity_of", _random_identity())),
    mutant(
        "accepted-unwritten", "202 although the ledger failed", (Reception, "_created", _accepted_unwritten)
    ),
    mutant(
        "wake-up-before-row",
        "the wake-up is sent before the row is there",
        (Reception, "_created", _wake_up_before_row),
    ),
    mutant("child-dropped", "a repeat is answered 202 and not kept", (Reception, "_repeat", _child_dropped)),
    mutant(
        "never-promoted",
        "repeats of a PARKED alert stay so",
        (Recovery, "_next_successor", _no_successor),
    ),
    mutant(
        "suppressed-under-parked",
        "a repeat of a PARKED alert is SUPPRESSED, and stays so",
        (Reception, "_repeat", _child_suppressed),
        (Recovery, "_next_successor", _no_successor),
    ),
)
