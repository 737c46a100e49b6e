"""An incident as people are told of it, and the place of an alert in it."""

import msgspec

from handlers.domain.alert import Alert


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How an alert is told.

    `held_until` (epoch seconds): with others, not before. `asks`: whether the model is asked for it.
    `wait_s`: the alert that it resolves is not as far yet, or its worker was away too long; look again then.
    """

    route: str | None = None
    incident_id: str | None = None
    lead: bool = True
    asks: bool = True
    held_until: int | None = None
    wait_s: int = 0


class IncidentView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an incident from its rows, those about to be told among them.

    `more`: there are more rows than were counted. `hosts` are distinct, in order of appearance; `first_ms`
    and `last_ms` are acceptance of first and last alert, epoch milliseconds. `faults` counts distinct fault
    keys, `resolved` those of them whose latest alert says so. `head`: the lead whose analysis is shown.
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
        """Whether every fault of it is resolved, and none is left uncounted."""
        return self.faults == self.resolved > 0 and not self.more
