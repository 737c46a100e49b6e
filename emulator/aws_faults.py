"""Faults of AWS itself, which a person, a test or a chaos experiment can put in force.

The supervisor writes those in force to a file; each AWS process reads it before an invocation or a call
(`emulator.aws.faults`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from emulator.shared_file import SharedFile
from emulator.stand_ins.faults import FaultError

FILE: Final = "aws-faults.json"

AwsService = Literal["lambda", "dynamodb"]

AWS_KINDS: Final[dict[AwsService, frozenset[str]]] = {
    "lambda": frozenset({"error", "error_after"}),
    "dynamodb": frozenset({"throttled"}),
}
"""`error`: the invocation fails and the function does not run. `error_after`: it runs to its end with all it
does, and then its result is lost and the invocation fails. They are the two forms of AWS FIS's
aws:lambda:invocation-error (preventExecution true and false):
https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html#invocation-error
`throttled`: the call does nothing and answers ProvisionedThroughputExceededException, which SDKs retry."""

PERCENT_MAX: Final = 100.0


class AwsFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault. `percent` of the invocations or calls meet it; in `region` only, if given.

    `function`: the last part of a function's name, such as AnalysisFunction; None for all functions.
    """

    service: AwsService
    kind: str
    percent: float = PERCENT_MAX
    region: str | None = None
    function: str | None = None


def checked(fault: AwsFault, regions: Sequence[str]) -> AwsFault:
    """Return `fault` if it can fire.

    Raises:
        FaultError: its kind or region is unknown, or what it says makes no sense.
    """
    kinds = AWS_KINDS[fault.service]
    if fault.kind not in kinds:
        raise FaultError(f"{fault.service} has no fault {fault.kind!r}; it has {', '.join(sorted(kinds))}")
    if not 0 < fault.percent <= PERCENT_MAX:
        raise FaultError(f"percent is above 0 and at most {PERCENT_MAX:g}, not {fault.percent:g}")
    if fault.region is not None and fault.region not in regions:
        raise FaultError(f"no region {fault.region!r} here; there are {', '.join(regions)}")
    if fault.function is not None and fault.service != "lambda":
        raise FaultError(
            f"a fault of {fault.service} hits no function; leave out function={fault.function!r}"
        )
    return fault


FaultFile = SharedFile[tuple[AwsFault, ...]]


def fault_file(path: Path) -> FaultFile:
    """The file with the faults in force."""
    return SharedFile(path, tuple[AwsFault, ...], unset=())
