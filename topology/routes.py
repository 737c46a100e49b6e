"""Routes: which alerts go to which channel, the first that matches, and a default for the rest.

`topology.route_config` makes them of the configuration, the deployment puts them into the environments of
analysis, which gives each alert its route, and of distribution, which has a channel for each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from topology.matchers import Matcher
from topology.packing import packed, unpacked

MAX_ROUTES: Final = 20
MAX_ROUTES_CHARS: Final = 1_024
"""Of all routes in one environment, of Lambda's 4,096 bytes (`topology.limits.LAMBDA_ENVIRONMENT_MAX_BYTES`).
Twenty routes by source, service and severity take 536."""

DEFAULT_ROUTE: Final = "default"
"""What the channel is called that takes what no route matches; no route may have this name."""


@dataclass(frozen=True, kw_only=True)
class RouteSpec:
    """One route.

    `secret`: the name of the secret that holds the webhook of its channel, without the stack's prefix;
    `channel`: the id of the channel where a bot posts instead. One of the two is empty. A `retired` route
    takes no alert: its channel stays for what follows on those that went there.
    """

    name: str
    match: Matcher
    secret: str = ""
    channel: str = ""
    retired: bool = False

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Self:
        """Make one of what `encoded_routes` wrote."""
        return cls(**{**given, "match": Matcher.of(given.get("match", {}))})  # type: ignore[arg-type]


def encoded_routes(routes: Sequence[RouteSpec]) -> str:
    """The value of a variable of the environment; empty for no routes."""
    return packed([{**vars(route), "match": route.match.parts} for route in routes])


def decoded_routes(text: str) -> tuple[RouteSpec, ...]:
    """Read what `encoded_routes` wrote."""
    return tuple(map(RouteSpec.of, unpacked(text)))
