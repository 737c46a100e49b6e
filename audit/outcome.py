"""What an audit found, as people and scripts get it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

NOTIFIED: Final = "NOTIFIED"
SUPPRESSED: Final = "SUPPRESSED"
PARKED: Final = "PARKED"
AT_REST: Final = frozenset({NOTIFIED, SUPPRESSED, PARKED})

IN_DIGEST: Final = "IN_DIGEST"
"""Of the NOTIFIED ones, those that went out as a part of a digest."""

UNEXPLAINED: Final = "unexplained"
CAUSES: Final = ("outcome_unknown", "lease_expired", "ownership_transferred")
"""The possible duplicates of a row that explain a duplicate; docs/architecture.md says what each means. One
that two could explain is counted under the first."""

MEMBERS: Final = ("sent", "answered", "refused", "lost")
"""What is counted of the members of bodies; the last three make up the first."""

IN_DOUBT: Final = "state_uncertain"
"""Of a row that repeats another unless its fault changed state between. It has an id of its own, so that it
explains no duplicate."""

MAX_LISTED: Final = 1_000
"""Ids in an outcome. The counts are of all, and the problems file has all."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """The outcome. `unaccounted` counts alerts; `problems` maps ids, at most `MAX_LISTED`, to what is wrong.

    `duplicates_by_cause` counts what Slack has more than once, by `CAUSES` and `UNEXPLAINED`; None where
    Slack was not read. `unexplained` maps ids to the duplicates that nothing explains. `by_region` counts
    sound alerts by the region that took them in, then by state. `unreceipted` counts rows whose 202 the
    sender never saw: they are shown, and nothing was promised about them. `unread` counts the parts of the
    receipts that cannot be read (a torn line, the end of a log); `unread_parts` maps where they are, at most
    `MAX_LISTED`, to why. What was promised in them is unknown.

    `members` counts the members of the bodies that the receipts are of: `sent`, `answered`, `refused` and
    `lost`, which are unaccounted for; None where no receipt says of which body it is. `bodiless` counts the
    receipts that do not. `untold` counts the changes of state that nobody was told, unaccounted for as well;
    `told_in_doubt` the alerts that may have been no change and were told all the same (`IN_DOUBT`);
    None where neither record in `states_known` knows any: the `sender` and the `ledger`, each with the number
    of alerts of which it knows fault and state.

    Of the sound alerts, `silenced` counts the suppressed ones that lie under a silence, `acknowledged` those
    that somebody has acknowledged, `escalated` those that went a second way. `synthetic` counts the rows that
    the stack made to watch itself: they need no receipt, and are in no other count.
    """

    consistency: str
    accepted: int
    notified: int
    in_digests: int
    suppressed: int
    parked: int
    digests: int
    digests_verified: int
    unaccounted: int
    unreceipted: int
    by_region: Mapping[str, Mapping[str, int]]
    duplicates_by_cause: Mapping[str, int] | None
    problems: Mapping[str, str] = field(default_factory=dict)
    unexplained: Mapping[str, str] = field(default_factory=dict)
    unread: int = 0
    unread_parts: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, int] | None = None
    bodiless: int = 0
    untold: int | None = None
    told_in_doubt: int = 0
    states_known: Mapping[str, int] = field(default_factory=dict)
    silenced: int = 0
    acknowledged: int = 0
    escalated: int = 0
    synthetic: int = 0

    @property
    def duplicates(self) -> int:
        """Messages about alerts that Slack had a message about already."""
        return sum((self.duplicates_by_cause or {}).values())

    @property
    def by_people(self) -> dict[str, int]:
        """What a report shows of them where it is not zero: counts by what people did, and of `synthetic`."""
        counts = {
            "silenced": self.silenced,
            "acknowledged": self.acknowledged,
            "told a second way": self.escalated,
            "synthetic": self.synthetic,
        }
        return {name: count for name, count in counts.items() if count}

    @property
    def passed(self) -> bool:
        """Whether every receipt is read and accounted for and, under a strong ledger, duplicates explained.

        A 202 that nobody can name may be a lost alert: unknown is not passed.
        """
        unexplained = (self.duplicates_by_cause or {}).get(UNEXPLAINED, 0)
        return self.unaccounted == 0 == self.unread and (self.consistency != "strong" or unexplained == 0)
