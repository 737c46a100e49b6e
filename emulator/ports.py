"""Which loopback ports the emulator listens on: fixed ones for a person, free ones for tests and demos."""

import random
import socket
from dataclasses import dataclass
from typing import Final

from emulator.errors import PortInUseError

LOOPBACK: Final = "127.0.0.1"

BELOW_EPHEMERAL: Final = range(20_000, 32_000)
"""Where an AWS process listens: below the range that Linux (32768 up) and macOS (49152 up) give to outgoing
connections, so that a killed region's port is still free when the region is started again.
https://docs.kernel.org/networking/ip-sysctl.html (ip_local_port_range)"""

TRIES: Final = 200


@dataclass(frozen=True, kw_only=True)
class PortPlan:
    """The ports that people and scripts see; 0 means any free port.

    `webhooks` has one port for each region, in the order of the regions; empty means all free. `dns` is UDP.
    """

    edge: int = 0
    webhooks: tuple[int, ...] = ()
    slack: int = 0
    dns: int = 0


PERSON: Final = PortPlan(edge=4566, webhooks=(4571, 4572), slack=4573, dns=4574)
"""What `responder local up` uses, so that a shell's history stays valid from day to day."""


_held: Final[list[socket.socket]] = []
"""UDP sockets, one for each port given out, kept until this process ends. A port is listened on only later
(an AWS process takes a second to start, a killed one is started again), and no other emulator or gate may
choose it meanwhile. UDP and TCP have separate port numbers, so the socket blocks no TCP listener."""


def free_port() -> int:
    """A port that nothing listens on now and that nobody else is given while this process lives.

    Raises:
        PortInUseError: none was free in `TRIES`.
    """
    for port in random.sample(BELOW_EPHEMERAL, TRIES):
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                holder.bind((LOOPBACK, port))
                probe.bind((LOOPBACK, port))
            except OSError:
                holder.close()
                continue
        _held.append(holder)
        return port
    raise PortInUseError(
        f"no free port among {TRIES} tried between {BELOW_EPHEMERAL.start} and {BELOW_EPHEMERAL.stop}; "
        "stop some of the programs that listen on this machine"
    )


def in_use(port: int, what: str) -> PortInUseError:
    """The error for a fixed port that could not be listened on."""
    return PortInUseError(
        f"port {port} ({what}) is in use by another program; stop that program, or have free ports taken: "
        "`responder local up --free-ports`"
    )
