"""Route 53's health checkers, emulated: what is looked at when, and what that makes of each check.

`Board` is the rules, with the time as an argument; `look` is one look at an endpoint. `name_service` runs
both. One checker stands for AWS's many, which do not look at the same moment and outvote one another.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp import hdrs

from emulator.protocol import HealthCheckStatus
from emulator.route53.hosted_zones import HealthCheck

CONNECT_WITHIN_S: Final = 4.0
ANSWER_WITHIN_S: Final = 2.0
"""After connecting (source: this module's page)."""

CALCULATED: Final = "CALCULATED"
MS: Final = 1_000


@dataclass(frozen=True)
class Look:
    """What one look at an endpoint found; `said` in words."""

    passed: bool
    said: str


async def look(session: aiohttp.ClientSession, check: HealthCheck) -> Look:
    """Look at the endpoint of `check` once: 2xx and 3xx pass, redirects are not followed.

    A certificate is not verified, as AWS's checkers do not either.
    """
    timeout = aiohttp.ClientTimeout(
        total=CONNECT_WITHIN_S + ANSWER_WITHIN_S, sock_connect=CONNECT_WITHIN_S, sock_read=ANSWER_WITHIN_S
    )
    headers = {hdrs.HOST: check.host, hdrs.USER_AGENT: "Amazon-Route53-Health-Check-Service (emulated)"}
    try:
        async with session.get(
            check.url, headers=headers, allow_redirects=False, timeout=timeout, ssl=False
        ) as answer:
            passed = 200 <= answer.status < 400  # noqa: PLR2004 - the rule itself: 2xx and 3xx
            return Look(passed, f"HTTP {answer.status}")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Look(passed=False, said=f"{type(error).__name__}: {error}".rstrip(": "))


class Board:
    """What is known of every check. Times are epoch milliseconds, given by the caller.

    A new check begins as passing, so an inverted one as unhealthy. A disabled one always passes. A check of a
    type that is not emulated is unhealthy: unknown is never healthy.
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html
    """

    def __init__(self) -> None:
        """Know of none."""
        self.pace = 1.0
        self._checks: Mapping[str, HealthCheck] = {}
        self._states: dict[str, _State] = {}

    def set_checks(self, checks: Mapping[str, HealthCheck], now_ms: int) -> None:
        """Take over the checks as they are configured now; what is known of those that stay is kept."""
        self._checks = checks
        self._states = {
            identifier: self._states.get(identifier) or _State(since_ms=now_ms) for identifier in checks
        }
        self._judge(now_ms)

    def due(self, now_ms: int) -> list[HealthCheck]:
        """The checks to look at now; the caller looks at each and tells `note`, before it is due again."""
        found = []
        for check in self._looked_at():
            state = self._states[check.id]
            if not state.looking and now_ms >= state.checked_ms + check.interval_s * MS * self.pace:
                state.looking, state.checked_ms = True, now_ms
                found.append(check)
        return found

    def next_due_ms(self) -> float | None:
        """When the next one is due; None where nothing is."""
        return min(
            (
                self._states[check.id].checked_ms + check.interval_s * MS * self.pace
                for check in self._looked_at()
                if not self._states[check.id].looking
            ),
            default=None,
        )

    def note(self, identifier: str, found: Look, now_ms: int) -> None:
        """Reckon with a look that ended; one at a check that is gone is forgotten."""
        check, state = self._checks.get(identifier), self._states.get(identifier)
        if check is None or state is None:
            return
        state.looking, state.said = False, found.said
        state.against = 0 if found.passed == state.passing else state.against + 1
        if state.against >= check.failures:
            state.passing, state.against = found.passed, 0
        self._judge(now_ms)

    def is_healthy(self, identifier: str) -> bool:
        """Whether a check is healthy; one that does not exist is not."""
        state = self._states.get(identifier)
        return state is not None and state.healthy

    def statuses(self) -> list[HealthCheckStatus]:
        """Every check as a person is told of it, by name."""
        return sorted(
            (
                HealthCheckStatus(
                    id=check.id,
                    name=check.name,
                    kind=check.type,
                    target=check.url,
                    children=check.children,
                    inverted=check.inverted,
                    disabled=check.disabled,
                    healthy=state.healthy,
                    since_ms=state.since_ms,
                    checked_ms=state.checked_ms,
                    last_result=state.said,
                )
                for check, state in ((check, self._states[check.id]) for check in self._checks.values())
            ),
            key=lambda status: (status.name, status.id),
        )

    def _looked_at(self) -> list[HealthCheck]:
        return [check for check in self._checks.values() if check.url and not check.disabled]

    def _judge(self, now_ms: int) -> None:
        """Set what is healthy: endpoints first, then what is calculated of them."""
        for check in sorted(self._checks.values(), key=lambda check: check.type == CALCULATED):
            state = self._states[check.id]
            healthy = self._passes(check) != check.inverted
            if healthy != state.healthy:
                state.healthy, state.since_ms = healthy, now_ms

    def _passes(self, check: HealthCheck) -> bool:
        if check.disabled:
            return True
        if check.type == CALCULATED:
            children = [child for child in check.children if self._is_endpoint(child)]
            return sum(map(self.is_healthy, children)) >= check.threshold
        return self._states[check.id].passing if check.url else check.inverted

    def _is_endpoint(self, identifier: str) -> bool:
        """Whether it may be a child: AWS refuses calculated ones."""
        child = self._checks.get(identifier)
        return child is not None and child.type != CALCULATED


@dataclass
class _State:
    """What is known of one check. `against`: how many looks in a row contradicted `passing`."""

    since_ms: int
    passing: bool = True
    against: int = 0
    healthy: bool = True
    looking: bool = False
    checked_ms: int = 0
    said: str = ""
