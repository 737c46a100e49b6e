"""A region's switch: an operator's word that this region takes everything and the other stands aside.

One record of the coordination table for each region, written in that region only, so that failing over
calls nothing in the region that is lost. Routing asks for it at `/switch`, and Recovery takes over the
other's alerts once for each time that it is turned on (under an eventual ledger; a strong one shares them).

| value | meaning |
|---|---|
| `since_ms` | when it was turned on, epoch milliseconds; 0 while it is off |
"""

import msgspec

from handlers.domain.ports import Coordination
from topology.records import switch_record


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """The switch of `region`."""

    coordination: Coordination
    region: str

    def since_ms(self) -> int:
        """When it was turned on; 0 while it is off, or was never touched.

        Raises:
            CoordinationUnavailableError: it is unknown.
        """
        record = self.coordination.read(switch_record(self.region))
        return record.values.get("since_ms", 0) if record else 0
