"""Incidents: what is known of the alerts that are told together."""

import msgspec

from handlers.domain.alert import Alert


class IncidentView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an incident from its rows, those about to be told among them.

    `count` of its alerts, and whether there are `more` than were counted. `hosts` are distinct, in order of
    appearance. `first_ms` and `last_ms`: when the first and the last alert were accepted. `faults` counts
    distinct fault keys, `resolved` those of them whose latest alert says so. `head` is the lead alert whose
    analysis is shown, if it could be read.
    """

    incident_id: str
    count: int
    more: bool = False
    hosts: tuple[str, ...] = ()
    first_ms: int
    last_ms: int
    faults: int
    resolved: int
    head: Alert | None = None

    @property
    def closed(self) -> bool:
        """Whether each of its faults is resolved."""
        return self.faults > 0 and self.resolved == self.faults
