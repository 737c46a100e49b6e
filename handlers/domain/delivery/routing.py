"""Routing: to which channel an alert goes, by the configured routes; analysis gives each alert its route."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from topology.matchers import Described
    from topology.routes import RouteSpec


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """The routes of a stack, in order.

    `default_edits`: whether what was posted to the default channel can be edited, and have a thread.
    """

    routes: tuple["RouteSpec", ...] = ()
    default_edits: bool = False

    def route_of(self, alert: "Described") -> str | None:
        """The name of the first route that takes `alert`; None for the default channel."""
        takers = (spec.name for spec in self.routes if not spec.retired and spec.match.matches(alert))
        return next(takers, None)

    def edits(self, route: str | None) -> bool:
        """Whether what is posted for `route` can be edited; one that is gone goes to the default channel."""
        by_bot = (bool(spec.channel) for spec in self.routes if spec.name == route)
        return next(by_bot, self.default_edits)
