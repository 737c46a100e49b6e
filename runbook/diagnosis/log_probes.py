"""What the functions say went wrong: their warnings and errors, by what they mean."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from clients.logs import LogLine, read_events
from runbook.diagnosis.evidence import Evidence, Probe, Scene, Sign
from runbook.diagnosis.traffic_probes import WORKS, log_of
from topology.functions import DISTRIBUTION, FUNCTIONS, RECOVERY, FunctionSpec

LINES_MAX: Final = 2_000
"""Of each kind of line, the first in the time that is looked at."""

_TIMED_OUT: Final = "Task timed out"
_ASKED_TO_WAIT: Final = "Slack asked to wait"
_OWN: Final = {DISTRIBUTION: f'"{_ASKED_TO_WAIT}"', RECOVERY: "{ $.report.recovered > 0 }"}
_PATTERNS: Final[Mapping[FunctionSpec, tuple[str, ...]]] = {
    spec: ("ERROR", "WARNING", f'"{_TIMED_OUT}"', *filter(None, [_OWN.get(spec)])) for spec in FUNCTIONS
}
_RECENT_MS: Final = 60_000
"""What fails now and then still does, for so long after it failed last."""

_ADDRESS: Final = re.compile(
    r"Slack refuses the (webhook|bot)|no Slack (webhook|bot token)|[Tt]he Slack (webhook's URL|bot token)|"
    r"see the bot's settings"
)
_ACTION: Final = re.compile(r"not authorized to perform: ([\w:]+)")
_DENIED: Final = re.compile(r"AccessDenied|not authorized to perform")
_THROTTLED: Final = re.compile(r"ProvisionedThroughputExceeded|ThrottlingException|RequestLimitExceeded")
_BROKEN: Final = re.compile(r"Runtime\.\w+|SettingsError|ImportModuleError")

Meaning = tuple[Sign, str]


def meaning_of(line: LogLine) -> Meaning | None:
    """The sign that a line is, with what it says; None for one that passes by itself."""
    fields = line.fields
    if fields is None:
        if _TIMED_OUT in line.text:
            return Sign.FUNCTION_TIMES_OUT, _TIMED_OUT
        return (Sign.FUNCTION_FAILS, line.text) if _BROKEN.search(line.text) else None
    trace = str(fields.get("exc_info", ""))
    if action := _ACTION.search(trace):
        return Sign.DENIED, f"may not {action[1]}"
    if _DENIED.search(trace):
        return Sign.DENIED, trace.strip().rpartition("\n")[2]
    if throttles := _THROTTLED.search(trace):
        return Sign.TABLE_THROTTLED, f"DynamoDB throttles ({throttles[0]})"
    meaning = _MEANINGS.get(str(fields.get("message")))
    return meaning(fields) if meaning else None


def _of_slack(fields: Mapping[str, Any]) -> Meaning:
    reason = str(fields.get("reason", ""))
    return Sign.SLACK_ADDRESS if _ADDRESS.search(reason) else Sign.SLACK_FAILS, reason


def _of_recovery(fields: Mapping[str, Any]) -> Meaning | None:
    report = fields.get("report")
    recovered = report.get("recovered") if isinstance(report, Mapping) else None
    return (Sign.RECOVERED, f"woke {recovered} alerts anew in one run") if recovered else None


def _says(sign: Sign, field: str = "", words: str = "") -> Callable[[Mapping[str, Any]], Meaning]:
    return lambda fields: (sign, f"{words}{fields.get(field, '')}" or str(fields.get("message")))


_MEANINGS: Final[Mapping[str, Callable[[Mapping[str, Any]], Meaning | None]]] = {
    "Slack failed": _of_slack,
    "A route is unusable": _says(Sign.SLACK_ADDRESS, "route", "nothing is taken by the address of route "),
    "Slack refuses it": _says(Sign.SLACK_REFUSES, "reason"),
    _ASKED_TO_WAIT: _says(Sign.SLACK_WAITS, "retry_after_s", "Slack answered 429, Retry-After "),
    "The model has no key": _says(Sign.CLAUDE_REFUSES),
    "Claude is not asked for a while": _says(Sign.CLAUDE_FAILS),
    "Recovery ran": _of_recovery,
    "Poison message": _says(Sign.POISON, "reason"),
    "A message failed": lambda fields: (
        Sign.FUNCTION_FAILS,
        str(fields.get("exc_info", "")).strip().rpartition("\n")[2] or "an alert failed",
    ),
    "Refused a request": _says(Sign.REFUSED, "error", "refused as "),
    "Refused members of a body": _says(Sign.REFUSED, "error", "refused as "),
}
"""By what the functions log; `handlers/` has the texts, and a test looks them up there."""


def _look(spec: FunctionSpec, scene: Scene, region: str) -> Iterator[Evidence]:
    """The newest line of each sign, but for those that are over: the function has worked since."""
    deployment, name = scene.subject.deployment, scene.subject.deployment.names.function(spec)
    read = [
        read_events(deployment, spec, region, since_ms=scene.since_ms, pattern=pattern, limit=LINES_MAX)
        for pattern in _PATTERNS[spec]
    ]
    lines = sorted(
        {(line.at_ms, line.text): line for part in read for line in part}.values(),
        key=lambda line: line.at_ms,
    )
    scene.lines[region, spec.suffix] = lines
    found = {sign: (line, detail) for line in lines for sign, detail in filter(None, [meaning_of(line)])}
    whole = all(len(part) < LINES_MAX for part in read)  # else the newest failures were not read
    for sign, (line, detail) in found.items():
        if (
            whole
            and scene.now_ms - line.at_ms > _RECENT_MS
            and read_events(deployment, spec, region, since_ms=line.at_ms + 1, pattern=WORKS[spec], limit=1)
        ):
            continue
        yield Evidence(
            sign=sign, region=region, what=name, detail=f"{name}: {detail}", mend=log_of(scene, region, spec)
        )


LOG_PROBES: Final = tuple(
    Probe(
        id=f"log-{spec.key}", category="logs", title=f"the log of {spec.key} has no failure",
        actions=("logs:FilterLogEvents",), look=partial(_look, spec),
    )
    for spec in FUNCTIONS
)  # fmt: skip
