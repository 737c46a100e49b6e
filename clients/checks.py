"""Checks of a deployed stack: each looks at one thing in a region; what cannot be seen is unknown.

`responder deploy check` lists its checks for `run_checks`; whatever else looks at a stack does the same. A
check only reads. It gives a `Finding`, or lets an error of AWS or one that explains itself through, which
becomes `unknown` here: missing data is never good, and never a reason to wake somebody either.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from clients.aws import passes
from topology.errors import ExplainedError

WITHIN_S: Final = 20.0
"""For all checks together: two tries of the slowest call, with connections that nobody answers."""

WORKERS: Final = 32
"""As many as `AwsClients` keeps connections: what a lost region holds up leaves some for the other."""

_DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "UnauthorizedOperation",
    }
)
"""How AWS's services say that the caller may not: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""

_NOBODY: Final = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""How they say that the credentials are nobody's, or nobody's any more: no permission mends that.
https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html ,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""

_NO_SUCH_CALL: Final = frozenset(
    {
        "InvalidAction",
        "NotImplemented",
        "UnknownOperation",
        "UnknownOperationException",
        "UnsupportedOperation",
    }
)
_NOT_IMPLEMENTED: Final = 501


class State(StrEnum):
    """What a check came to. `unknown`: it could not look."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One state in one region. `reason`: what was seen; `hint`: the next step, with its command.

    `figures_ms`: what was measured, by name.
    """

    state: State
    reason: str
    hint: str = ""
    figures_ms: Mapping[str, int] = field(default_factory=dict)


def ok(reason: str, figures_ms: Mapping[str, int] = MappingProxyType({})) -> Finding:
    """All is as it should be."""
    return Finding(State.OK, reason, figures_ms=dict(figures_ms))


def failed(reason: str, hint: str) -> Finding:
    """Somebody has to see to it."""
    return Finding(State.FAILED, reason, hint)


def unknown(reason: str, hint: str = "") -> Finding:
    """It could not be seen."""
    return Finding(State.UNKNOWN, reason, hint)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that is looked at in each of `regions`; `run` takes the region.

    `actions`: the IAM actions that it needs, in full. `title` says what holds where it is ok. `see`: the
    document and section that tell what to do otherwise, as `docs/runbook.md#morning-checks`.
    """

    id: str
    category: str
    title: str
    regions: tuple[str, ...]
    actions: tuple[str, ...]
    run: Callable[[str], Finding]
    see: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a check came to in a region, and after how long."""

    check: Check
    region: str
    finding: Finding
    took_ms: int


def run_checks(
    checks: Sequence[Check], *, within_s: float = WITHIN_S, stopped: threading.Event | None = None
) -> list[Outcome]:
    """Run all checks in all their regions at once; what has not ended in time is unknown.

    Nothing that has not begun by then, or when a person ends it, is begun. `stopped` is set at the end, for
    checks that follow something for long: a program ends only when all that it has begun has ended.

    Any other error than these is a fault of the check, and raised.
    """
    asked = [(check, region) for check in checks for region in check.regions]
    if not asked:
        return []
    pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="check")
    questions = [pool.submit(_outcome, check, region) for check, region in asked]
    try:
        wait(questions, timeout=within_s)
    finally:
        if stopped is not None:
            stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)
    return [
        _answered(question, check, region, within_s)
        for question, (check, region) in zip(questions, asked, strict=True)
    ]


def _answered(question: "Future[Outcome]", check: Check, region: str, within_s: float) -> Outcome:
    if question.done() and not question.cancelled():
        return question.result()
    finding = unknown(f"no answer within {within_s:g} s", "run it again; if it stays so, look at the region")
    return Outcome(check, region, finding, round(within_s * 1_000))


def _outcome(check: Check, region: str) -> Outcome:
    begun = time.monotonic()
    try:
        finding = check.run(region)
    except ParamValidationError:
        raise  # the check asks wrongly
    except (BotoCoreError, ClientError) as error:
        finding = _unseen(error, check)
    except ExplainedError as error:
        finding = unknown(str(error))
    return Outcome(check, region, finding, round((time.monotonic() - begun) * 1_000))


def _unseen(error: BotoCoreError | ClientError, check: Check) -> Finding:
    """Why a check could not look."""
    if isinstance(error, BotoCoreError):
        again = "run it again; `responder dr status` says whether the region is down"
        hint = again if passes(error) else "correct your AWS credentials, then run it again"
        return unknown(f"no answer: {error}", hint)
    code = error.response["Error"]["Code"]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _NOBODY:
        return unknown(f"AWS does not take these credentials ({code})", "log in again, then run it again")
    if code in _DENIED:
        needed = ", ".join(check.actions)
        return unknown(f"these credentials may not look ({code})", f"allow the caller {needed}")
    if code in _NO_SUCH_CALL or status == _NOT_IMPLEMENTED:
        return unknown(f"what answers has no such call ({code})")
    return unknown(f"AWS answers {code}: {error.response['Error'].get('Message', '')}".rstrip(": "))
