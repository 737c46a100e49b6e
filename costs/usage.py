"""What alerts used: the measurement that the cost model prices, as a file of the repository keeps it.

`responder cost measure` writes it; who has other durations, such as a sweep of memory sizes, puts them into
`Usage.functions` and prices that.
"""

from pathlib import Path
from typing import Annotated, Final

import msgspec

from topology.errors import ExplainedError
from topology.functions import FUNCTIONS, RECOVERY
from topology.tables import ALERTS

MEASURED: Final = Path(__file__).parent / "measured.json"
"""The measurement that an estimate goes by unless another one is named."""

Amount = Annotated[float, msgspec.Meta(ge=0, le=1e15)]


class MeasurementError(ExplainedError):
    """A measurement cannot be read, or says nothing of a part of the pipeline."""


class FunctionUsage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Invocations of a function and the milliseconds that they were billed for, all together."""

    invocations: Amount
    billed_ms: Amount


class Units(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Capacity units that were consumed of a table or an index, in the region that made the call."""

    reads: Amount = 0.0
    writes: Amount = 0.0


class Usage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `alerts` alerts used, all together, and what one run of Recovery uses with nothing to do.

    `functions` and `recovery` by the keys of their specs; `units` and `recovery_units` by a table's key, or
    `<key>/<index>`. `row_bytes`: what an alert adds to the table on average, and `index_bytes` to its
    indexes; a retry adds nothing.
    """

    alerts: Annotated[int, msgspec.Meta(ge=0)]
    api_requests: Amount
    functions: dict[str, FunctionUsage]
    units: dict[str, Units]
    queue_sends: Amount
    log_bytes: Amount
    model_calls: Amount
    input_tokens: Amount
    row_bytes: Amount
    index_bytes: Amount
    recovery: FunctionUsage
    recovery_units: dict[str, Units]
    recovery_log_bytes: Amount


class Measurement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A usage, and how it came about."""

    measured_on: str
    command: str
    machine: str
    mix: str
    usage: Usage


def read_measurement(path: Path = MEASURED) -> Measurement:
    """The measurement in a file.

    Raises:
        MeasurementError: there is none, it cannot be read, or it is of no alerts.
    """
    again = "make one with `responder cost measure --report FILE`"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Measurement)
    except (OSError, msgspec.MsgspecError) as error:
        raise MeasurementError(f"{path} is no measurement ({error}); {again}") from error
    if found.usage.alerts < 1:
        raise MeasurementError(f"{path} is a measurement of {found.usage.alerts} alerts; {again}")
    parts = {spec.key for spec in FUNCTIONS} - {RECOVERY.key}
    if found.usage.functions.keys() != parts or ALERTS.key not in found.usage.units:
        raise MeasurementError(
            f"{path} says nothing of a part of the pipeline: it needs {', '.join(sorted(parts))}, and the "
            f"table {ALERTS.key}; {again}"
        )
    return found
