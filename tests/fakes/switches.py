"""A region's switch, turned by hand as the documentation tells people to."""

from clients.coordination import CoordinationRecords
from topology.records import switch_record


def set_switch(records: CoordinationRecords, since_ms: int) -> bool:
    """Turn the region's switch on since `since_ms` (epoch ms), or off (0); False if others did."""
    name = switch_record(records.region)
    return records.write(name, records.read(name), {"since_ms": since_ms})
