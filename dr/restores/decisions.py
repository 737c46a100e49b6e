"""What is to be done about a row that differs from the restored one; `dr.restores.repair` does it.

A row that the pipeline moved on is left alone, if it keeps the pipeline's rules. What was at rest and cannot
have moved is rolled back; where it may have moved as well, a person decides.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from dr.comparison.canonical import canonical
from dr.restores.row_rules import Item, breaches, number
from handlers.domain.alert import FIXED_ATTRIBUTES
from topology.alerts import DuplicateCause, Status
from topology.limits import API_INTEGRATION_TIMEOUT_MAX_S

OPEN: Final = frozenset(status for status in Status if not status.at_rest)
AT_REST: Final = frozenset(Status) - OPEN

LEAVES: Final[Mapping[str, Collection[str]]] = {
    Status.PARKED: OPEN | {Status.NOTIFIED},
    Status.SUPPRESSED: frozenset(Status),
}
"""Out of rest by the pipeline's own moves: an operator's redrive, and the promotion of a repeat."""

WRITTEN_WITHIN_MS: Final = API_INTEGRATION_TIMEOUT_MAX_S * 1_000
"""A row is written at most so long after its alert was accepted: reception has no more time."""

_RECOVERYS_OWN: Final[Mapping[str, frozenset[str]]] = {
    Status.PARKED: frozenset({"due_at", "successor_id"}),
    Status.SUPPRESSED: frozenset({"due_at", "open_key"}),
}
"""What Recovery changes in a row at rest, by its status, that stays as it is."""


@dataclass(frozen=True)
class Decision:
    """What becomes of one row. `write`: the row to be written where it is rolled back; None elsewhere."""

    kind: Literal["roll back", "person", "normal"]
    why: str
    write: Item | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class RowDecider:
    """Decides about rows. `as_of_ms`: the time that the restored table shows; `regions`: the stack's."""

    as_of_ms: int
    now_s: float
    regions: Collection[str]

    def decide(self, before: Item | None, now: Item | None) -> Decision:
        """Decide about a row as it was and as it is, in DynamoDB's JSON; None for no row."""
        if now is None:
            return self._deleted(before or {})
        if before is None:
            return self._new(now)
        spoilt = [name for name in _changed(before, now) if name in FIXED_ATTRIBUTES]
        return self._spoilt(before, now, spoilt) if spoilt else self._moved(before, now)

    def _spoilt(self, before: Item, now: Item, names: Collection[str]) -> Decision:
        """Decide about a row whose fixed attributes were changed. A newer state is kept if it is sound."""
        why = f"what never changes did: {', '.join(names)}"
        restored = {name: value for name, value in now.items() if name not in FIXED_ATTRIBUTES}
        restored |= {name: before[name] for name in FIXED_ATTRIBUTES if name in before}
        decision = self._moved(before, restored)
        if decision.kind == "roll back":
            return Decision("roll back", f"{why}; {decision.why}", decision.write)
        if _changed(before, restored) and self._breaches(restored):
            return Decision("person", f"{why}; {decision.why}")
        return Decision("roll back", why, restored)

    def _deleted(self, before: Item) -> Decision:
        expires_s = number(before, "expires_at")
        if expires_s is not None and expires_s <= self.now_s:
            return Decision("normal", "expired")
        return Decision("roll back", "it was deleted", self._rolled_back(before))

    def _new(self, now: Item) -> Decision:
        accepted_ms = number(now, "accepted_at_ms")
        if accepted_ms is None or accepted_ms < self.as_of_ms - WRITTEN_WITHIN_MS:
            return Decision("person", "it does not say that it was accepted since, and was not there then")
        if wrong := self._breaches(now):
            return Decision("person", f"a new alert as the pipeline leaves none: {wrong}")
        return Decision("normal", "a new alert")

    def _moved(self, before: Item, now: Item) -> Decision:
        """Decide about a row whose fixed attributes are as they were."""
        changed = _changed(before, now)
        if not changed:
            return Decision("normal", "it is as it was again")
        was, is_now = (str(item.get("status", {}).get("S", "")) for item in (before, now))
        wrong, names = self._breaches(now), ", ".join(changed)
        if was in AT_REST:
            return self._out_of_rest(before, changed, was=was, is_now=is_now, wrong=wrong)
        # Nothing leads from work to SUPPRESSED.
        if wrong or is_now == Status.SUPPRESSED:
            return Decision("person", f"it was {was or 'in no state'}; changed: {names}; {wrong}")
        return Decision("normal", f"it moved from {was} to {is_now}")

    def _out_of_rest(
        self, before: Item, changed: Collection[str], *, was: str, is_now: str, wrong: str
    ) -> Decision:
        """Decide about a row that was at rest. One that breaks no rule may still be the pipeline's own."""
        names = ", ".join(changed)
        if not wrong and was == is_now and _RECOVERYS_OWN.get(was, frozenset()).issuperset(changed):
            return Decision("normal", "Recovery looked at it")
        if not wrong and was != is_now and is_now in LEAVES.get(was, ()):
            return Decision(
                "person", f"it was {was} and is {is_now}: a redrive or a promotion would do that too"
            )
        if not wrong and was == is_now and "open_key" in before:
            return Decision("person", f"a worker may still process it; changed: {names}")
        return Decision("roll back", f"it was {was} at rest; changed: {names}", self._rolled_back(before))

    def _rolled_back(self, before: Item) -> Item:
        """The row as it was, for whoever processes it now: its lease is long over, and it may have gone out.

        One that was not delivered carries a possible duplicate, by which an audit knows the cause.
        """
        row = dict(before)
        if "open_key" in row:
            row = {name: value for name, value in row.items() if name not in {"lease_token", "not_before"}}
            row["due_at"] = {"N": str(int(self.now_s))}
        if row.get("status", {}).get("S") in OPEN | {Status.PARKED}:
            causes, cause = (
                dict(row.get("possible_duplicates", {}).get("M", {})),
                DuplicateCause.OWNERSHIP_TRANSFERRED,
            )
            count = number(causes, cause) or 0
            row["possible_duplicates"] = {"M": causes | {str(cause): {"N": str(count + 1)}}}
        return row

    def _breaches(self, row: Item) -> str:
        return "; ".join(breaches(row, regions=self.regions, now_s=self.now_s))


def _changed(before: Item, now: Item) -> list[str]:
    return sorted(
        name
        for name in before.keys() | now.keys()
        if _canonical(before.get(name)) != _canonical(now.get(name))
    )


def _canonical(value: Any) -> str:
    return "" if value is None else json.dumps(canonical(value))
