"""Faults of AWS itself, which a person, a test or a chaos experiment can put in force.

The supervisor writes those in force to one file in the run folder; each AWS process reads it before an
invocation or a call (`emulator.aws.faults`). So a fault is in force when `set_aws_fault` returns, also for a
region that is started later, and no message has to reach a process that is frozen.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

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


class FaultFile:
    """The file with the faults in force: the supervisor writes it, the AWS processes read it."""

    def __init__(self, path: Path) -> None:
        """Nothing is read or written yet."""
        self._path = path
        self._version: tuple[int, int] | None = None
        self._faults: tuple[AwsFault, ...] = ()

    def write(self, faults: Sequence[AwsFault]) -> None:
        """Put these faults in force, and no others."""
        draft = self._path.with_suffix(".tmp")
        draft.write_bytes(msgspec.json.encode(faults))
        draft.replace(self._path)

    def read(self) -> tuple[AwsFault, ...]:
        """Return the faults in force; the file is read again only if it was replaced."""
        try:
            stat = os.stat(self._path)  # noqa: PTH116 - asked before every call: a Path's stat costs thrice
        except FileNotFoundError:
            return ()
        if (version := (stat.st_ino, stat.st_mtime_ns)) != self._version:
            self._faults = msgspec.json.decode(self._path.read_bytes(), type=tuple[AwsFault, ...])
            self._version = version
        return self._faults
