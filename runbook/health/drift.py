"""Drift: what a stack is not as it was deployed, and what was deployed since yesterday."""

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from clients.checks import Check, Finding, failed, ok, unknown
from deploy.checks.subject import Subject
from dr.exports.objects import ObjectMissingError
from dr.exports.requests import bucket_of
from runbook.health.functions import DAILY_SEE
from topology.backups import LATEST, STACK_BYTES_MAX, stack_key
from topology.errors import ExplainedError
from topology.functions import FUNCTIONS
from topology.names import LIVE_ALIAS

_PARTS: Final = {"config": "configuration", "outputs": "output", "packages": "package of"}
NAMED_MAX: Final = 8


class RecordDamagedError(ExplainedError):
    """A `stack.json` is no record of a deployment; the message says which, and what writes it again."""


def drift_checks(subject: Subject) -> tuple[Check, ...]:
    """By hand, and by deployments."""
    return (
        subject.check(
            "by-hand",
            "drift",
            "each function runs the package, memory and timeout that were deployed",
            actions=("lambda:GetFunctionConfiguration", "s3:GetObject"),
            run=_by_hand,
            see=DAILY_SEE,
        ),
        subject.check(
            "deployed",
            "drift",
            "what was deployed since yesterday",
            actions=("s3:GetObject",),
            run=_deployed,
            see=DAILY_SEE,
        ),
    )


def _by_hand(subject: Subject, region: str) -> Finding:
    digests, client = _record(subject, region, LATEST)["packages"], subject.client("lambda", region)
    problems = []
    for spec in FUNCTIONS:
        name = subject.deployment.names.function(spec)
        found = client.get_function_configuration(FunctionName=name, Qualifier=LIVE_ALIAS)
        # Lambda gives the digest of the package in base64, the record in hexadecimal digits.
        code = base64.b64decode(found["CodeSha256"]).hex()
        if spec.suffix in digests and code != digests[spec.suffix]:
            problems.append(f"{spec.suffix} runs another package")
        wanted = {"MemorySize": subject.config.memory_mb[spec], "Timeout": subject.config.timeout_s[spec]}
        problems += [
            f"{spec.suffix} has {key} {found[key]}, not {value}"
            for key, value in wanted.items()
            if found[key] != value
        ]
    if problems:
        return failed(
            ", ".join(problems), f"`git log` on the stack's file may say why; else run {subject.up}"
        )
    if lacking := [spec.suffix for spec in FUNCTIONS if spec.suffix not in digests]:
        return unknown(
            f"{stack_key(LATEST)} has no package of {', '.join(lacking)} to compare with", f"run {subject.up}"
        )
    return ok("as deployed")


def _deployed(subject: Subject, region: str) -> Finding:
    """The daily copy of yesterday is compared with what the last deployment left."""
    yesterday = (subject.now() - timedelta(days=1)).strftime("%Y-%m-%d")
    try:
        before = _record(subject, region, yesterday)
    except ObjectMissingError:
        return unknown(f"there is no copy of {yesterday}; a new stack has its first at 03:30 UTC")
    after = _record(subject, region, LATEST)
    changes = [
        f"{what} {key}"
        for part, what in _PARTS.items()
        for key in sorted(before[part].keys() | after[part].keys())
        if before[part].get(key) != after[part].get(key)
    ]
    more = f" and {len(changes) - NAMED_MAX} more" if len(changes) > NAMED_MAX else ""
    return ok(f"since {yesterday}: {', '.join(changes[:NAMED_MAX])}{more}" if changes else "nothing")


def _record(subject: Subject, region: str, date: str) -> Mapping[str, Mapping[str, Any]]:
    """The parts of a date's `stack.json` in the region's bucket.

    Raises:
        RecordDamagedError: it is none.
        Also what `S3Objects.read` raises.
    """
    text = bucket_of(subject.deployment, region).read(stack_key(date), limit_bytes=STACK_BYTES_MAX)
    try:
        record = json.loads(text)
        return {part: dict(record.get(part, {})) for part in _PARTS}
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise RecordDamagedError(
            f"{stack_key(date)} is damaged ({error}); {subject.up} writes that of {LATEST} again"
        ) from error
