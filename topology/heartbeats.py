"""Heartbeats: what a source sends again and again to say that it can, so that its silence is an alert.

`topology.heartbeat_config` makes them of the configuration, the deployment puts them into the environments of
reception, which notes them, and of recovery, which misses them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from topology.matchers import Matcher
from topology.packing import packed, unpacked

MAX_HEARTBEATS: Final = 20
MAX_HEARTBEATS_CHARS: Final = 640
"""Of all heartbeats in one environment. Reception's has 2,048 for its sources and some 860 for the rest of
Lambda's 4,096 bytes (`topology.limits.LAMBDA_ENVIRONMENT_MAX_BYTES`). Twenty of one source, each by two
labels, take 452."""


@dataclass(frozen=True, kw_only=True)
class HeartbeatSpec:
    """One heartbeat: firing alerts that `match` are it, and it is missing when none came for `every_s`.

    `severity`: of the alert that tells so.
    """

    name: str
    match: Matcher
    every_s: int
    severity: str

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Self:
        """Make one of what `encoded_heartbeats` wrote."""
        return cls(**{**given, "match": Matcher.of(given["match"])})  # type: ignore[arg-type]


def encoded_heartbeats(heartbeats: Sequence[HeartbeatSpec]) -> str:
    """The value of a variable of the environment; empty for no heartbeats."""
    return packed([{**vars(heartbeat), "match": heartbeat.match.parts} for heartbeat in heartbeats])


def decoded_heartbeats(text: str) -> tuple[HeartbeatSpec, ...]:
    """Read what `encoded_heartbeats` wrote."""
    return tuple(map(HeartbeatSpec.of, unpacked(text)))
