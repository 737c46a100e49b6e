"""Limits of AWS's capacity that can be set for a while, and what was used: what a tuning run needs to know.

A machine that embeds AWS has other limits than AWS. With a limit of a known rate in force, a run shows
whether it finds that limit and names it. The other limits are AWS's own settings (an API's throttle, a
function's reserved concurrency, a mapping's), which the embedded AWS holds as they are configured.
"""

from pathlib import Path
from typing import Final

import msgspec

from emulator.shared_file import SharedFile

FILE: Final = "aws-capacity.json"
USAGE_PATH: Final = "/_emulator/usage"
"""Where an AWS process answers what it has done since it started."""


class IndexWrites(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Write units that each partition key of an index takes: `per_s`, and so many more as `burst` at once.

    AWS's are 1,000 a second, and what was not used in the last 300 seconds.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
    """

    index: str
    per_s: float
    burst: float


class AwsCapacity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits in force.

    `least_s`: how many seconds an invocation of a function takes at least, by the last part of its name. Only
    what works on alerts counts, a POST or a batch: who looks at a region's health is answered as ever.
    """

    least_s: dict[str, float] = {}
    index_writes: IndexWrites | None = None


CapacityFile = SharedFile[AwsCapacity]


def capacity_file(path: Path) -> CapacityFile:
    """The file with the limits in force."""
    return SharedFile(path, AwsCapacity, unset=AwsCapacity())


class FunctionUse(msgspec.Struct, kw_only=True):
    """What a function did for alerts, by POSTs and batches, and its throttles. `busy_s`: all durations."""

    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    busy_s: float = 0.0


class TableUse(msgspec.Struct, kw_only=True):
    """Capacity units that calls on a table or an index consumed, as AWS bills them on demand."""

    reads: float = 0.0
    writes: float = 0.0


class IndexUse(msgspec.Struct, kw_only=True):
    """What a partition key of the limited index took: write units, and requests that were throttled."""

    units: float = 0.0
    throttles: int = 0


class Usage(msgspec.Struct, kw_only=True):
    """What an AWS process did since it started, or since the region came back.

    `functions` by name; `background`, likewise, what they did for no alert: health checks and schedules.
    `index_writes` by `<table>/index/<index> <key>`, while `IndexWrites` is in force; `tables` by `<table>`
    and `<table>/index/<index>`. `queue_sends`: calls that send; `log_bytes`: of functions' logs, 26 for each
    line besides its text.
    """

    functions: dict[str, FunctionUse] = {}
    background: dict[str, FunctionUse] = {}
    index_writes: dict[str, IndexUse] = {}
    tables: dict[str, TableUse] = {}
    queue_sends: int = 0
    log_bytes: int = 0
