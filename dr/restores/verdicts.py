"""What is to be done about a row that differs from the restored one; `dr.restores.repair` does it.

A row that the pipeline moved on is left alone, if it looks as the pipeline leaves rows. What was at rest and
cannot have moved is put back; where it may have moved as well, a person decides.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from audit.outcome import AT_REST
from dr.comparison.canonical import canonical
from dr.restores.row_rules import FIXED, OPEN, STATES, Item, breaches, number
from topology.limits import API_INTEGRATION_TIMEOUT_MAX_S

LEAVES: Final = {"PARKED": OPEN | {"NOTIFIED"}, "SUPPRESSED": STATES}
"""Out of rest by the pipeline's own moves: an operator's redrive, and the promotion of a repeat."""

WRITTEN_WITHIN_MS: Final = API_INTEGRATION_TIMEOUT_MAX_S * 1_000
"""A row is written at most so long after its alert was accepted: reception has no more time."""

DOUBT: Final = "ownership_transferred"
"""Carried by what is put back undelivered: it may have gone out since, and an audit knows the cause by it."""

_LOOKED_AT: Final = frozenset({"due_at", "successor_id"})
"""What Recovery changes in a PARKED row that nobody redrives."""


@dataclass(frozen=True)
class Verdict:
    """`write`: the row to be written where it is put back; None where nothing is."""

    kind: Literal["put back", "person", "normal"]
    why: str
    write: Item | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Judge:
    """`as_of_ms`: the time that the restored table shows; `regions`: those of the stack."""

    as_of_ms: int
    now_s: float
    regions: Collection[str]

    def verdict(self, before: Item | None, now: Item | None) -> Verdict:
        """On a row as it was and as it is, in DynamoDB's JSON; None for no row."""
        if now is None:
            return self._deleted(before or {})
        if before is None:
            return self._new(now)
        spoilt = [name for name in _changed(before, now) if name in FIXED]
        return self._spoilt(before, now, spoilt) if spoilt else self._moved(before, now)

    def _spoilt(self, before: Item, now: Item, names: Collection[str]) -> Verdict:
        """On a row whose fixed attributes are not as they were. A newer state is kept if it is sound."""
        why = f"what never changes did: {', '.join(names)}"
        mended = {name: value for name, value in now.items() if name not in FIXED}
        mended |= {name: before[name] for name in FIXED if name in before}
        found = self._moved(before, mended)
        if found.kind == "put back":
            return Verdict("put back", f"{why}; {found.why}", found.write)
        if _changed(before, mended) and self._breaches(mended):
            return Verdict("person", f"{why}; {found.why}")
        return Verdict("put back", why, mended)

    def _deleted(self, before: Item) -> Verdict:
        expires_s = number(before, "expires_at")
        if expires_s is not None and expires_s <= self.now_s:
            return Verdict("normal", "expired")
        return Verdict("put back", "it was deleted", self._again(before))

    def _new(self, now: Item) -> Verdict:
        accepted_ms = number(now, "accepted_at_ms")
        if accepted_ms is None or accepted_ms < self.as_of_ms - WRITTEN_WITHIN_MS:
            return Verdict("person", "it does not say that it was accepted since, and was not there then")
        if wrong := self._breaches(now):
            return Verdict("person", f"a new alert as the pipeline leaves none: {wrong}")
        return Verdict("normal", "a new alert")

    def _moved(self, before: Item, now: Item) -> Verdict:
        """On a row whose fixed attributes are as they were."""
        changed = _changed(before, now)
        if not changed:
            return Verdict("normal", "it is as it was again")
        was, is_now = (str(item.get("status", {}).get("S", "")) for item in (before, now))
        wrong, names = self._breaches(now), ", ".join(changed)
        if was in AT_REST:
            return self._out_of_rest(before, changed, was=was, is_now=is_now, wrong=wrong)
        # Nothing leads from work to SUPPRESSED.
        if wrong or is_now == "SUPPRESSED":
            return Verdict("person", f"it was {was or 'in no state'}; changed: {names}; {wrong}")
        return Verdict("normal", f"it moved from {was} to {is_now}")

    def _out_of_rest(
        self, before: Item, changed: Collection[str], *, was: str, is_now: str, wrong: str
    ) -> Verdict:
        """On a row that was at rest. One that breaks no rule may still be the pipeline's own."""
        names = ", ".join(changed)
        if not wrong and was == is_now == "PARKED" and _LOOKED_AT.issuperset(changed):
            return Verdict("normal", "Recovery looked at it")
        if not wrong and was != is_now and is_now in LEAVES.get(was, ()):
            return Verdict(
                "person", f"it was {was} and is {is_now}: a redrive or a promotion would do that too"
            )
        if not wrong and was == is_now and "open_key" in before:
            return Verdict("person", f"somebody still sees to it; changed: {names}")
        return Verdict("put back", f"it was {was} at rest; changed: {names}", self._again(before))

    def _again(self, before: Item) -> Item:
        """The row as it was, for whoever sees to it now: its lease is long over, and it may have gone out."""
        row = dict(before)
        if "open_key" in row:
            row = {name: value for name, value in row.items() if name not in {"lease_token", "not_before"}}
            row["due_at"] = {"N": str(int(self.now_s))}
        if row.get("status", {}).get("S") in OPEN | {"PARKED"}:
            possible_duplicates = dict(row.get("possible_duplicates", {}).get("M", {}))
            count = number(possible_duplicates, DOUBT) or 0
            row["possible_duplicates"] = {"M": possible_duplicates | {DOUBT: {"N": str(count + 1)}}}
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
