"""What failover, failback and status reach besides AWS's API: time, DNS, and a stack's own URLs.

Tests bring their own. Every request has a deadline for connecting, for each wait and for its body: a lost
region may take connections and never answer.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import urllib3
from urllib3.exceptions import HTTPError

from clients.deployment import Deployment
from clients.routing import resolve_region

OK: Final = 200
ACCEPTED: Final = 202
NOT_FOUND: Final = 404

LOOK_TIMEOUT_S: Final = 3.0
"""Of a GET of `/health` or `/switch`, which answer within a Route 53 health check's patience of two seconds.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html"""

POST_TIMEOUT_S: Final = 15.0

_BODY_MAX_BYTES: Final = 65_536


class Clock(Protocol):
    """Time, and letting it pass."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


@dataclass(frozen=True)
class Answer:
    """What a URL answered; `body` is empty where it was no JSON object."""

    status: int
    body: Mapping[str, Any]


class Web(Protocol):
    """HTTP without retries."""

    def get(self, url: str, /) -> Answer | None:
        """What is there; None if nothing came back in time."""

    def post(self, url: str, body: Mapping[str, object], *, api_key: str) -> Answer | None:
        """What the webhook answered to an alert; None if nothing came back in time."""


@dataclass(frozen=True)
class SystemClock:
    """`Clock` of this machine."""

    def now_ms(self) -> int:
        """See `Clock`."""
        return time.time_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        time.sleep(seconds)


@dataclass(frozen=True)
class HttpWeb:
    """`Web` over urllib3. Each request has a connection of its own: one that is kept outlives its region."""

    look_timeout_s: float = LOOK_TIMEOUT_S
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, headers={"connection": "close"})
    )

    def get(self, url: str) -> Answer | None:
        """See `Web`."""
        return self._request("GET", url, timeout_s=self.look_timeout_s)

    def post(self, url: str, body: Mapping[str, object], *, api_key: str) -> Answer | None:
        """See `Web`."""
        headers = {"content-type": "application/json", "x-api-key": api_key, "connection": "close"}
        content = json.dumps(body).encode()
        return self._request("POST", url, timeout_s=POST_TIMEOUT_S, body=content, headers=headers)

    def _request(self, method: str, url: str, *, timeout_s: float, **what: Any) -> Answer | None:
        ends_s = time.monotonic() + timeout_s
        try:
            response = self._pool.request(
                method, url, timeout=urllib3.Timeout(total=timeout_s), preload_content=False, **what
            )
            try:
                content = _read(response, ends_s)
            finally:
                response.close()
        except (HTTPError, TimeoutError):
            return None
        try:
            body = json.loads(content)
        except ValueError:
            body = {}
        return Answer(response.status, body if isinstance(body, dict) else {})


def _read(response: urllib3.BaseHTTPResponse, ends_s: float) -> bytes:
    """The body, or its beginning; urllib3 bounds each wait for some of it and not all of them together."""
    content = b""
    while len(content) < _BODY_MAX_BYTES and (some := response.read1(_BODY_MAX_BYTES - len(content))):
        content += some
        if time.monotonic() > ends_s:
            raise TimeoutError
    return content


@dataclass(frozen=True)
class Environment:
    """All of it. `resolve`: the region that the stack's name answers, as `clients.routing` says."""

    clock: Clock = field(default_factory=SystemClock)
    web: Web = field(default_factory=HttpWeb)
    resolve: Callable[[Deployment], str | None] = resolve_region
