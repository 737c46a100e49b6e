"""What one invocation came to, and the REPORT line that Lambda would have logged of it."""

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TIMED_OUT: Final = "Sandbox.Timedout"
"""The type of the error that a caller is told when an invocation took too long."""

EXITED: Final = "Runtime.ExitError"
"""The same of a runtime that exited, for whatever reason."""


class Outcome(StrEnum):
    """How an invocation ended."""

    OK = "ok"
    FUNCTION_ERROR = "function_error"
    """The handler raised, and its process lives on; or the process exited, and the next one starts anew."""
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    """In the handler or in INIT."""
    INIT_FAILED = "init_failed"
    """The handler was never called: twice its module did not load, or not in time."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why an invocation has no answer of the handler's: Lambda's type of the error and its message."""

    outcome: Outcome
    error_type: str
    message: str

    def reported(self) -> str:
        """The fields that Lambda adds to the REPORT line; none where the handler raised.

        A runtime that was killed for memory exits as far as the caller is told, but is reported as what it
        is (seen in public logs; AWS documents neither).
        """
        if self.error_type == TIMED_OUT:
            return "\tStatus: timeout"
        if self.outcome is Outcome.FUNCTION_ERROR and self.error_type != EXITED:
            return ""
        out_of_memory = self.outcome is Outcome.OUT_OF_MEMORY
        return f"\tStatus: error\tError Type: {'Runtime.OutOfMemory' if out_of_memory else self.error_type}"


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One invocation.

    `duration_ms` runs from when the runtime took the event until it asked for the next one, as Lambda's
    does. `init_ms` is None of a warm one. INIT's time comes on top of the duration, and is billed; only
    where INIT is repeated within an invocation (see `ExecutionEnvironment`) it is a part of the duration,
    and REPORT has no `Init Duration`. `max_memory_mb` is the most that the process has had so far, not the
    invocation alone. `target_share` and `cpu_share` are in vCPUs (see `emulator.lambda_host.processor`);
    where INIT did not get its own share, `cpu_share` is lowered by its part of the time.
    `answer` is the payload that the caller of Invoke gets; `error` is "" where all went well, else `<type>:
    <message>`.
    """

    outcome: Outcome
    duration_ms: float
    billed_ms: int
    init_ms: float | None
    memory_mb: int
    max_memory_mb: int
    target_share: float
    cpu_share: float | None
    report: str
    answer: bytes
    error: str


def billed_ms(duration_ms: float, init_ms: float) -> int:
    """Whole milliseconds that are paid for, INIT included since August 2025.

    https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
    """
    return math.ceil(round(duration_ms + init_ms, 2))


def report_line(
    *,
    request_id: str,
    duration_ms: float,
    init_ms: float | None,
    memory_mb: int,
    max_memory_mb: int,
    failure: Failure | None,
) -> str:
    """Lambda's REPORT line; `init_ms` only of an INIT that succeeded in its own phase.

    The form: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
    """
    init = "" if init_ms is None else f"Init Duration: {init_ms:.2f} ms\t"
    fields = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {billed_ms(duration_ms, init_ms or 0.0)} ms\tMemory Size: {memory_mb} MB\t"
        f"Max Memory Used: {max_memory_mb} MB\t{init}"
    )
    return fields.rstrip("\t") + (failure.reported() if failure else "")


def failure_payload(failure: Failure | None, request_id: str) -> bytes:
    """What the caller of Invoke gets where the handler said nothing."""
    if failure is None:
        return b""
    said_by_lambda = failure.error_type in {TIMED_OUT, EXITED}
    message = f"RequestId: {request_id} Error: {failure.message}" if said_by_lambda else failure.message
    return json.dumps({"errorType": failure.error_type, "errorMessage": message}).encode()
