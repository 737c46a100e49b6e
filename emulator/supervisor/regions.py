"""One region as the supervisor holds it: its process, its three gates, and what can be done to it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from emulator.errors import RefusedError
from emulator.ports import LOOPBACK
from emulator.protocol import Power, RegionStatus
from emulator.supervisor.egress import Egress
from emulator.supervisor.gate import Gate
from emulator.supervisor.processes import Host

BRING_BACK: Final = frozenset({"start", "resume", "reconnect"})
"""The actions that end the loss of a region."""


class Region:
    """A region's host and gates. Used from the supervisor's event loop only.

    Killing loses what the region's processes hold; freezing stops them in the middle of whatever they do;
    cutting leaves them running with no way in or out. Both can be true at once of a cut region.
    """

    def __init__(self, *, name: str, host: Host, egress: Egress, gates: tuple[Gate, ...]) -> None:
        """`gates[0]` is the one for webhooks."""
        self.name = name
        self.host = host
        self.power: Power = "killed"
        self.is_cut = False
        self._egress = egress
        self._gates = gates
        self._watch: asyncio.Task[None] | None = None

    @property
    def is_reachable(self) -> bool:
        """Whether a call to the region arrives; a frozen region takes it and does not answer."""
        return self.power != "killed" and not self.is_cut

    @property
    def status(self) -> RegionStatus:
        """The region's status, as `responder local status` shows it."""
        return RegionStatus(
            name=self.name,
            power=self.power,
            cut=self.is_cut,
            webhook_base_url=f"http://{LOOPBACK}:{self._gates[0].port}",
            refused_hosts=tuple(self._egress.refused),
        )

    async def start(self) -> None:
        """Start the host and open the gates.

        A region that was killed has the resources of its last checkpoint then, and empty queues.

        Raises:
            RefusedError: the region is not killed.
            StartFailedError: it did not become healthy.
        """
        self._expect(
            "start", self.power == "killed", f"it is {self.power}; kill it first, or resume or reconnect it"
        )
        await self.host.kill()
        await self.host.start()
        await self.became_healthy()
        self._watch = asyncio.create_task(self._notice_end(), name=f"watch-{self.name}")

    async def became_healthy(self) -> None:
        """Note that the host serves, and open the gates unless the region is cut."""
        self.power = "running"
        await self._set_gates()

    async def kill(self) -> None:
        """SIGKILL the host with its Lambda workers; reset every connection."""
        self._expect("kill", self.power != "killed", "it is killed already; start it first")
        self.power = "killed"
        await self._set_gates()
        await self.host.kill()

    async def freeze(self) -> None:
        """SIGSTOP the host and its Lambda workers; connections stay open, unanswered."""
        self._expect("freeze", self.power == "running", f"it is {self.power}")
        self.host.freeze()
        self.power = "frozen"

    async def resume(self) -> None:
        """SIGCONT: what was in flight goes on where it stopped."""
        self._expect("resume", self.power == "frozen", f"it is {self.power}, not frozen")
        self.host.resume()
        self.power = "running"

    async def cut(self) -> None:
        """Reset every connection in and out, and refuse new ones; the processes run on."""
        self._expect("cut", not self.is_cut, "it is cut already")
        self.is_cut = True
        await self._set_gates()

    async def reconnect(self) -> None:
        """Undo a cut."""
        self._expect("reconnect", self.is_cut, "it is not cut")
        self.is_cut = False
        await self._set_gates()

    async def stop(self) -> None:
        """End the host and shut the gates for good."""
        if self._watch is not None:
            self._watch.cancel()
        for gate in self._gates:
            gate.shut()
        await self.host.kill()

    def actions(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """The operations that a person may do to the region, by name."""
        return {
            "kill": self.kill, "freeze": self.freeze, "cut": self.cut,
            "start": self.start, "resume": self.resume, "reconnect": self.reconnect,
        }  # fmt: skip

    async def _notice_end(self) -> None:
        """Count a region whose host ended by itself as killed, not as a healthy one that does not answer."""
        await self.host.wait()
        self.power = "killed"
        await self._set_gates()

    async def _set_gates(self) -> None:
        for gate in self._gates:
            if self.is_reachable:
                await gate.open()
            else:
                gate.shut()

    def _expect(self, action: str, holds: bool, why_not: str) -> None:  # noqa: FBT001 - a condition, not an option
        if not holds:
            raise RefusedError(f"cannot {action} {self.name}: {why_not}")
