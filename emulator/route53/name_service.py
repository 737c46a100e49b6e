"""Route 53's data plane in the supervisor: its health checkers and its DNS server.

Nothing of it is in a region, so it outlives each, as the real one does: a configuration that cannot be read
anew stays as it was.
"""

import asyncio
import contextlib
import logging
import time
from typing import Final

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from emulator.errors import RefusedError
from emulator.protocol import HealthCheckStatus
from emulator.route53 import dns
from emulator.route53.health_checks import MS, HealthCheckRegistry, observe
from emulator.route53.hosted_zones import Configuration, HealthCheck, Route53Reader

READ_EVERY_S: Final = 1.0
"""How old the configuration behind an answer may be. On AWS changes take up to a minute to be answered.
https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html"""

PACE_MIN: Final = 0.01

_log = logging.getLogger(__name__)


class NameService:
    """Reads the configuration, observes endpoints and answers DNS, on the supervisor's event loop."""

    def __init__(self) -> None:
        """Start without a configuration."""
        self._configuration = Configuration()
        self._registry = HealthCheckRegistry()
        self._session: aiohttp.ClientSession | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._observations: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def start(self, route53_url: str, port: int) -> int:
        """Begin, with what Route 53 has at `route53_url`; return the UDP port: any free one if `port` is 0.

        Raises:
            PortInUseError: another program has it.
        """
        self._transport = await dns.serve(port, self._respond)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        self._loops = [
            asyncio.create_task(self._read(Route53Reader(route53_url)), name="route53-read"),
            asyncio.create_task(self._watch(self._session), name="route53-health-checks"),
        ]
        return int(self._transport.get_extra_info("sockname")[1])

    async def stop(self) -> None:
        """End every loop and observation, and give the port back."""
        tasks = [*self._loops, *self._observations]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        if self._transport is not None:
            self._transport.close()

    @property
    def statuses(self) -> list[HealthCheckStatus]:
        """The status of every health check."""
        return self._registry.statuses()

    def set_pace(self, factor: float) -> None:
        """Have every interval between two observations last `factor` of what is configured.

        Raises:
            RefusedError: it is not between `PACE_MIN` and 1.
        """
        if not PACE_MIN <= factor <= 1:
            raise RefusedError(f"the pace of health checks is {PACE_MIN:g} to 1, not {factor:g}")
        self._registry.pace = factor
        self._changed.set()

    def _respond(self, packet: bytes) -> bytes | None:
        return dns.answer(packet, self._configuration.zones, self._registry.is_healthy)

    async def _read(self, reader: Route53Reader) -> None:
        while True:
            try:
                configuration = await asyncio.to_thread(reader.read)
            except (BotoCoreError, ClientError):
                _log.warning("Route 53 cannot be read; going on with what it said before", exc_info=True)
            else:
                if configuration.checks != self._configuration.checks:
                    self._registry.set_checks(configuration.checks, _now_ms())
                    self._changed.set()
                self._configuration = configuration
            await asyncio.sleep(READ_EVERY_S)

    async def _watch(self, session: aiohttp.ClientSession) -> None:
        while True:
            self._changed.clear()
            for check in self._registry.due(_now_ms()):
                task = asyncio.create_task(self._observe(session, check), name=f"observe-{check.name}")
                self._observations.add(task)
                task.add_done_callback(self._observations.discard)
            next_due_ms = self._registry.next_due_ms()
            wait_s = None if next_due_ms is None else max(0.0, (next_due_ms - _now_ms()) / MS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait_s)

    async def _observe(self, session: aiohttp.ClientSession, check: HealthCheck) -> None:
        observation = await observe(session, check)
        self._registry.note(check.id, observation, _now_ms())
        self._changed.set()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
