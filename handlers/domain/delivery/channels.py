"""Where alerts go: the default channel, and those that routes name, each at its own pace."""

from collections.abc import Mapping

import msgspec

from handlers.domain.delivery.rate_limit import RateLimiter
from handlers.domain.ports import Notifier


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel. `edits`: what was posted there can be edited, and have a thread."""

    notifier: Notifier
    rate_limiter: RateLimiter
    edits: bool = False


class Channels(msgspec.Struct, frozen=True, kw_only=True):
    """The channels of a stack, `by_route`."""

    default: Channel
    by_route: Mapping[str, Channel] = {}

    def of(self, route: str | None) -> Channel:
        """The channel of a route; the default one's if the configuration does not have it any more."""
        return self.by_route.get(route or "", self.default)
