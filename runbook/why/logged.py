"""What the functions logged of an event: the same decisions as they were taken, and what became no alert."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from clients.logs import LogCutOffError, LogLine, read_events
from handlers.domain.intake.alarms import TEXT_FORMAT
from runbook.why.decision import Decision, Rule
from topology.functions import FUNCTIONS, RECEPTION, FunctionSpec

NO_ALERT: Final = ("Refused", "Ignored")
"""How the lines begin that reception logs of what became no alert."""

_NO_ALARM: Final = "Refused on the alarm topic"
_ESCAPED: Final = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")

ACCEPTED: Final = ("Accepted an alert", "Accepted an alarm")
LINES_MAX: Final = 1_000
"""Of one search in one log."""

_RULES: Final = {
    **dict.fromkeys(ACCEPTED, Rule.ACCEPTED),
    "A source is above its quota": Rule.QUOTA,
    "Silenced": Rule.SILENCE,
    "Claude analysis": Rule.ANALYSIS,
    "Using cached analysis": Rule.ANALYSIS,
    "Nothing of the cached analysis fits": Rule.ANALYSIS,
    "Going on without an analysis": Rule.ANALYSIS,
    "The model has no key": Rule.ANALYSIS,
    "Slack failed": Rule.SLACK,
    "Slack refuses it": Rule.SLACK,
    "Notified": Rule.SLACK,
    "Posted but not recorded": Rule.DUPLICATE,
    "A route is unusable": Rule.UNUSABLE_ROUTE,
    "Parked: too many attempts": Rule.PARKED,
    "No repeat after all: its fault changed": Rule.STATE_CHANGE,
    "Promoting in the place of a PARKED alert": Rule.PARENT_PARKED,
    "Told a second way": Rule.SECOND_WAY,
}
"""The rule behind a line, by its fixed text; any other line that names the alert is told of as it is."""

_SHOWN: Final = (
    "status", "request_id", "message_id", "reason", "attempts", "model", "latency_ms", "left_out",
    "silence_id", "route", "alert_to_slack_ms", "digest_id", "alerts", "later", "duplicate_cause", "error",
    "field", "format", "refused", "ignored", "sample",
)  # fmt: skip


@dataclass
class Logged:
    """The lines that were found, in time order; `unknown` says which logs were not read, and why."""

    lines: list[LogLine] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def read_logs(
    deployment: Deployment,
    patterns: Sequence[str],
    *,
    since_ms: int,
    until_ms: int,
    functions: Sequence[FunctionSpec] = FUNCTIONS,
    keep: Callable[[LogLine], bool] = lambda _: True,
) -> Logged:
    """The lines of both regions' functions that fit one of the `patterns` and `keep`, side by side.

    CloudWatch's patterns are by case; each of them is a search of its own.
    """
    searches = [
        (function, endpoints.region, pattern)
        for endpoints in deployment.regions
        for function in functions
        for pattern in patterns
    ]

    def search(asked: tuple[FunctionSpec, str, str]) -> list[LogLine] | str:
        function, region, pattern = asked
        try:
            return read_events(
                deployment,
                function,
                region,
                since_ms=since_ms,
                until_ms=until_ms,
                pattern=pattern,
                limit=LINES_MAX,
            )
        except (BotoCoreError, ClientError, LogCutOffError) as error:
            return f"the log of {function.suffix} in {region} was not read: {' '.join(str(error).split())}"

    logged = Logged()
    with ThreadPoolExecutor(len(searches)) as pool:
        for (function, region, _), found in zip(searches, pool.map(search, searches), strict=True):
            if isinstance(found, str):
                logged.unknown.append(found)
                continue
            logged.lines += filter(keep, found)
            if len(found) == LINES_MAX:
                end = datetime.fromtimestamp(found[-1].at_ms / 1_000, UTC).isoformat(timespec="seconds")
                logged.unknown.append(f"the log of {function.suffix} in {region} was read to {end} only")
    known: dict[tuple[int, str, str], LogLine] = {
        (line.at_ms, line.region, line.text): line for line in logged.lines
    }
    logged.lines = sorted(known.values(), key=lambda line: line.at_ms)
    logged.unknown = [*dict.fromkeys(logged.unknown)]
    return logged


def lines_of_alert(deployment: Deployment, alert_id: str, *, since_ms: int, until_ms: int) -> Logged:
    """What names this alert, and not only one of those below it."""
    return read_logs(
        deployment,
        [f'"{alert_id}"'],
        since_ms=since_ms,
        until_ms=until_ms,
        keep=lambda line: alert_id in _ids_of(line.fields or {}),
    )


def lines_of_none(
    deployment: Deployment, fits: Callable[[str], bool], *, since_ms: int, until_ms: int
) -> Logged:
    """What reception logged of bodies and members that became no alert, where its text `fits`."""
    return read_logs(
        deployment,
        [f'"{word}"' for word in NO_ALERT],
        since_ms=since_ms,
        until_ms=until_ms,
        functions=[RECEPTION],
        keep=lambda line: is_of_none(line) and fits(text_of(line)),
    )


def is_of_none(line: LogLine) -> bool:
    """Whether a line tells of what became no alert."""
    fields = line.fields or {}
    return str(fields.get("message", "")).startswith(NO_ALERT) and not _became_text(fields)


def decision_of(line: LogLine) -> Decision:
    """A line as the decision that it tells of."""
    fields = line.fields or {}
    message = str(fields.get("message", line.text))
    figures = {name: fields[name] for name in _SHOWN if fields.get(name) not in (None, "")}
    rule = _RULES.get(message, Rule.LOG)
    if _became_text(fields):
        rule, message = Rule.MENDED, "No alarm of a known form, so its text was taken as the alert"
    elif message.startswith(NO_ALERT):
        rule = Rule.REFUSED if message.startswith(NO_ALERT[0]) else Rule.IGNORED
    said = ", ".join(f"{name} {value}" for name, value in figures.items() if name != "sample")
    return Decision(
        rule=rule,
        what=f"{message}: {said}" if said else message,
        at_ms=line.at_ms,
        figures=figures,
        known_from=f"{line.function} in {line.region}",
        decides=is_of_none(line),
    )


def alert_ids_in(lines: Iterable[LogLine]) -> list[str]:
    """The alerts that these lines name, each once."""
    return [*dict.fromkeys(alert_id for line in lines for alert_id in _ids_of(line.fields or {}))]


def _became_text(fields: Mapping[str, Any]) -> bool:
    return fields.get("message") == _NO_ALARM and fields.get("format") == TEXT_FORMAT


def text_of(line: LogLine) -> str:
    """What a line says, without the escapes of its own JSON and those of the body that it quotes."""
    text = "\n".join(map(str, (line.fields or {}).values())) or line.text
    return _ESCAPED.sub(lambda escapes: str(json.loads(f'"{escapes[0]}"')), text)


def _ids_of(fields: Mapping[str, Any]) -> list[str]:
    named = [fields.get("alert_id"), *(fields.get("alert_ids") or ())]
    return [
        str(alert_id) for part in named for alert_id in (part if isinstance(part, list) else [part]) if part
    ]
