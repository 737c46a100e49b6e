"""An incident as people are told of it."""

import msgspec

from handlers.domain.alert import Alert


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
