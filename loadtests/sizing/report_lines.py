"""Reads what Lambda reports of an invocation at the end of its log: REPORT, and INIT_REPORT of a failed INIT.

In text, as the stack's functions log:
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html (REPORT),
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html (INIT_REPORT). The `Status` and
`Error Type` that REPORT ends with where an invocation failed are in public logs only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emulator.lambda_host.invocations import EXITED, Outcome
from topology.errors import ExplainedError

_OUT_OF_MEMORY: Final = "Runtime.OutOfMemory"


class NoReportError(ExplainedError):
    """The log that came with an answer has no REPORT line, so nothing is known of the invocation."""


@dataclass(frozen=True, kw_only=True)
class InvocationReport:
    """What one invocation took, in ms and MB, and how it ended as far as Lambda knows.

    `init_ms` is None of a warm one, and of a `cold` one whose INIT failed and was repeated within it.
    """

    outcome: Outcome
    duration_ms: float
    billed_ms: int
    init_ms: float | None
    max_memory_mb: int
    cold: bool


def read_report(tail: str, *, failed: bool) -> InvocationReport:
    """Read the log of one invocation, or the end of it; `failed`: its answer was an error of the function.

    Raises:
        NoReportError: there is no REPORT line in it, or none that can be read.
    """
    lines = [_fields(line) for line in tail.splitlines()]
    reports = [fields for fields in lines if "REPORT RequestId" in fields]
    inits = [fields for fields in lines if "INIT_REPORT Init Duration" in fields]
    try:
        report = reports[-1]
        init = report.get("Init Duration")
        return InvocationReport(
            outcome=_outcome(report, inits, failed=failed),
            duration_ms=_number(report["Duration"]),
            billed_ms=round(_number(report["Billed Duration"])),
            init_ms=None if init is None else _number(init),
            max_memory_mb=round(_number(report["Max Memory Used"])),
            cold=init is not None or bool(inits),
        )
    except (IndexError, KeyError, ValueError) as error:
        end = " ".join(tail[-200:].split())
        raise NoReportError(
            f"the log of an invocation ends without a REPORT line that can be read: {end!r}; "
            "have the function log in text, and less"
        ) from error


def _outcome(report: Mapping[str, str], inits: Sequence[Mapping[str, str]], *, failed: bool) -> Outcome:
    """A runtime that was killed for memory may be reported as one that exited with all of it in use."""
    all_used = _number(report["Max Memory Used"]) >= _number(report["Memory Size"])
    errors = [fields["Error Type"] for fields in (*inits, report) if "Error Type" in fields]
    if _OUT_OF_MEMORY in errors or (EXITED in errors and all_used):
        return Outcome.OUT_OF_MEMORY
    if any(fields.get("Phase") == "invoke" and "Status" in fields for fields in inits):
        return Outcome.INIT_FAILED
    if report.get("Status") == "timeout":
        return Outcome.TIMEOUT
    return Outcome.FUNCTION_ERROR if failed or "Status" in report else Outcome.OK


def _fields(line: str) -> dict[str, str]:
    pairs = (part.partition(": ") for part in line.split("\t"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _number(text: str) -> float:
    """Of a value with its unit, such as `12.34 ms`."""
    return float(text.partition(" ")[0])
