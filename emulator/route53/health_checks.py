"""Route 53's health checkers, emulated: when an endpoint is requested, and what its answers make of a check.

`HealthCheckRegistry` holds the rules, with the time as an argument; `observe` makes one request to an
endpoint; `name_service` runs both. One checker stands for AWS's many, which ask at different moments and
outvote one another.
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
class Observation:
    """The result of one request to an endpoint; `result` is the status, or what failed, in words."""

    passed: bool
    result: str


async def observe(session: aiohttp.ClientSession, check: HealthCheck) -> Observation:
    """Request the endpoint of `check` once: 2xx and 3xx pass, redirects are not followed.

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
            return Observation(passed, f"HTTP {answer.status}")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Observation(passed=False, result=f"{type(error).__name__}: {error}".rstrip(": "))


class HealthCheckRegistry:
    """The state of every health check. Times are epoch milliseconds, given by the caller.

    A new check begins as passing, so an inverted one as unhealthy. A disabled one always passes. A check of a
    type that is not emulated is unhealthy: unknown is never healthy.
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html
    """

    def __init__(self) -> None:
        """Start without any check."""
        self.pace = 1.0
        self._checks: Mapping[str, HealthCheck] = {}
        self._states: dict[str, _State] = {}

    def set_checks(self, checks: Mapping[str, HealthCheck], now_ms: int) -> None:
        """Replace the configured checks; those that stay keep their state."""
        self._checks = checks
        self._states = {
            identifier: self._states.get(identifier) or _State(since_ms=now_ms) for identifier in checks
        }
        self._evaluate(now_ms)

    def due(self, now_ms: int) -> list[HealthCheck]:
        """Return the checks to observe now; for each the caller calls `note` before it is due again."""
        due = []
        for check in self._endpoint_checks():
            state = self._states[check.id]
            if not state.under_way and now_ms >= state.checked_ms + check.interval_s * MS * self.pace:
                state.under_way, state.checked_ms = True, now_ms
                due.append(check)
        return due

    def next_due_ms(self) -> float | None:
        """When the next one is due; None where nothing is."""
        return min(
            (
                self._states[check.id].checked_ms + check.interval_s * MS * self.pace
                for check in self._endpoint_checks()
                if not self._states[check.id].under_way
            ),
            default=None,
        )

    def note(self, identifier: str, observation: Observation, now_ms: int) -> None:
        """Update a check by an observation that ended; one of a check that is gone is dropped."""
        check, state = self._checks.get(identifier), self._states.get(identifier)
        if check is None or state is None:
            return
        state.under_way, state.result = False, observation.result
        state.against = 0 if observation.passed == state.passing else state.against + 1
        if state.against >= check.failures:
            state.passing, state.against = observation.passed, 0
        self._evaluate(now_ms)

    def is_healthy(self, identifier: str) -> bool:
        """Whether a check is healthy; one that does not exist is not."""
        state = self._states.get(identifier)
        return state is not None and state.healthy

    def statuses(self) -> list[HealthCheckStatus]:
        """The status of every check, by name."""
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
                    last_result=state.result,
                )
                for check, state in ((check, self._states[check.id]) for check in self._checks.values())
            ),
            key=lambda status: (status.name, status.id),
        )

    def _endpoint_checks(self) -> list[HealthCheck]:
        return [check for check in self._checks.values() if check.url and not check.disabled]

    def _evaluate(self, now_ms: int) -> None:
        """Set which checks are healthy: endpoint checks first, then those calculated of them."""
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
        """Whether the check may be a child of a calculated one: AWS refuses calculated ones."""
        child = self._checks.get(identifier)
        return child is not None and child.type != CALCULATED


@dataclass
class _State:
    """The state of one check. `against`: how many observations in a row contradicted `passing`."""

    since_ms: int
    passing: bool = True
    against: int = 0
    healthy: bool = True
    under_way: bool = False
    checked_ms: int = 0
    result: str = ""
