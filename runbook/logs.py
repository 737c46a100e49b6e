"""The logs of a stack's functions: how long they are kept, and their lines from everywhere in one order."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from clients.logs import EVENTS_MAX, LogCutOffError, LogLine, read_events
from topology.errors import ExplainedError
from topology.functions import FUNCTIONS, FunctionSpec

OVERLAP_MS: Final = 30_000
"""How far back a tail looks again: CloudWatch Logs may show a line seconds after a later one."""

_ALERT_ID: Final = re.compile(r"[\w.:/-]{1,200}")


class NoAlertIdError(ExplainedError):
    """What should be an alert's id cannot be one."""


@dataclass(frozen=True)
class LogGroup:
    """How long a log group keeps its lines; `days` None: for ever. `missing`: it is not there."""

    region: str
    name: str
    days: int | None
    missing: bool = False

    def drifted(self, wanted_days: int) -> bool:
        """Whether it keeps them for another time than it should; a deployment makes one that is missing."""
        return not self.missing and self.days != wanted_days


def read_retention(deployment: Deployment, region: str) -> list[LogGroup]:
    """The log groups of a region: each function's, and the API's where it writes an access log.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: the region does not answer, or refuses.
    """
    names, logs = deployment.names, deployment.clients.client("logs", region)
    groups = [_group(logs, region, name) for name in (*map(names.log_group, FUNCTIONS), names.api_log_group)]
    return [group for group in groups if not group.missing or group.name != names.api_log_group]


def _group(logs: Any, region: str, name: str) -> LogGroup:
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    found = [group for page in pages for group in page["logGroups"] if group["logGroupName"] == name]
    return LogGroup(region, name, found[0].get("retentionInDays") if found else None, missing=not found)


def set_retention(deployment: Deployment, group: LogGroup, days: int) -> None:
    """Have a log group keep its lines for so many days; older ones are deleted.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: the region does not answer, or refuses.
    """
    deployment.clients.client("logs", group.region).put_retention_policy(
        logGroupName=group.name, retentionInDays=days
    )


def pattern_of(alert_id: str) -> str:
    """The filter pattern of every line that names an alert, in whichever field.

    Raises:
        NoAlertIdError: it cannot be the id of an alert.
    """
    if alert_id and not _ALERT_ID.fullmatch(alert_id):
        raise NoAlertIdError(f"{alert_id!r} is no id of an alert; Slack's message has it")
    return f'"{alert_id}"' if alert_id else ""


class Tail:
    """Reads the lines of functions in several regions, each once.

    `unread`: why a log was not read, or that its newest lines were not.
    """

    def __init__(
        self, deployment: Deployment, functions: Sequence[FunctionSpec], regions: Sequence[str], pattern: str
    ) -> None:
        """Nothing is read yet."""
        self._deployment, self._pattern = deployment, pattern
        self._places = [(spec, region) for region in regions for spec in functions]
        self._seen: set[tuple[Any, ...]] = set()
        self._ends_ms: list[int] = []
        self.unread: dict[str, str] = {}

    def read_to_ms(self, now_ms: int) -> int:
        """Until when all logs were read, the last time that they were: `now_ms`, or where one ends before."""
        return min(self._ends_ms, default=now_ms)

    def lines(self, *, since_ms: int) -> list[LogLine]:
        """What was logged since then and was not read before, in time order; all logs are asked at once."""
        self.unread, self._ends_ms = {}, []
        with ThreadPoolExecutor(len(self._places)) as all_at_once:
            read = list(all_at_once.map(lambda at: self._read(at[0], at[1], since_ms), self._places))
        lines = [line for part in read for line in part]
        fresh = [line for line in lines if _key(line) not in self._seen]
        self._seen = {key for key in self._seen if key[0] >= since_ms} | {_key(line) for line in lines}
        return sorted(fresh, key=lambda line: line.at_ms)

    def _read(self, spec: FunctionSpec, region: str, since_ms: int) -> list[LogLine]:
        try:
            lines = read_events(self._deployment, spec, region, since_ms=since_ms, pattern=self._pattern)
        except (BotoCoreError, ClientError, LogCutOffError) as error:
            self.unread[f"{spec.suffix} in {region}"] = str(error)
            self._ends_ms.append(since_ms)
            return []
        if len(lines) == EVENTS_MAX:
            end = datetime.fromtimestamp(lines[-1].at_ms / 1_000, UTC).isoformat(timespec="milliseconds")
            self.unread[f"{spec.suffix} in {region}"] = f"only its first {EVENTS_MAX:,} lines, to {end}"
            self._ends_ms.append(lines[-1].at_ms)
        return lines


def _key(line: LogLine) -> tuple[Any, ...]:
    return line.at_ms, line.region, line.function, line.text
